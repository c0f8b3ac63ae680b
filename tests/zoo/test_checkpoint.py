"""Weight files of all formats are read without running code from them."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from napari_sr.errors import CheckpointError
from napari_sr.zoo import read_checkpoint
from napari_sr.zoo.checkpoint import limits, open_weights

STATE = {"conv.weight": torch.arange(4.0).reshape(2, 2), "conv.bias": torch.tensor([0.5, -0.5])}
OTHER = {"conv.weight": torch.zeros(2, 2), "conv.bias": torch.zeros(2)}


class RunsCode:
    """An object whose unpickling creates a folder."""

    def __reduce__(self):
        return os.mkdir, ("the-pickle-ran-code",)


def saved(content: object, **options: bool) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def same(tensors, expected=STATE) -> bool:
    return tensors.keys() == expected.keys() and all(torch.equal(tensors[key], expected[key]) for key in expected)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".pkl", ".ckpt", ".bin", ".PTH"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_torch_file_is_read_with_every_ending_and_format(tmp_path, suffix, zipped):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(saved(STATE, _use_new_zipfile_serialization=zipped))
    checkpoint = read_checkpoint(path)
    assert same(checkpoint.tensors)
    assert (checkpoint.wrapper, checkpoint.path, checkpoint.others) == (None, path, ())


def test_a_safetensors_file_is_read(tmp_path):
    save_file(STATE, tmp_path / "w.safetensors")
    assert same(read_checkpoint(str(tmp_path / "w.safetensors")).tensors)


WRAPPERS = [
    *(
        "params_ema",
        "params",
        "state_dict",
        "model_state_dict",
        "model",
        "net",
        "params-ema",
        "g_ema",
        "netG",
        "G",
        "g",
    ),
    *(
        "generator",
        "net_g",
        "netG_state_dict",
        "generator_state_dict",
        "ema",
        "model_ema",
        "ema_state_dict",
        "swa_model",
    ),
    *("network", "weights", "online_model"),
]


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("suffix", [".pth", ".pth.tar"])
def test_the_wrapper_is_removed_and_named(tmp_path, wrapper, suffix):
    torch.save({wrapper: OrderedDict(STATE), "epoch": 3, "lr": 0.1}, tmp_path / f"w{suffix}")
    checkpoint = read_checkpoint(tmp_path / f"w{suffix}")
    assert same(checkpoint.tensors)
    assert checkpoint.wrapper == wrapper


@pytest.mark.parametrize(
    ("used", "unused"),
    [
        ("params_ema", "params"),
        ("g_ema", "g"),
        ("ema", "state_dict"),
        ("generator_ema", "generator"),
        ("netG", "netD"),
        ("G", "D"),
        ("generator", "discriminator"),
        ("generator", "model"),
        ("net_g", "optimizer_d"),
        ("model", "optimizer"),
        ("state_dict", "vgg"),
        ("model", "something"),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("form", ["dict", "prefix", "safetensors"])
def test_of_several_sets_the_preferred_one_is_read_and_the_others_are_named(tmp_path, used, unused, reverse, form):
    sets = {used: STATE, unused: OTHER}
    if reverse:
        sets = dict(reversed(sets.items()))
    flat = {f"{name}.{key}": value for name, state in sets.items() for key, value in state.items()}
    if form == "safetensors":
        save_file(flat, tmp_path / "w.safetensors")
    else:
        torch.save(sets if form == "dict" else flat, tmp_path / "w.pth")
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    if form != "dict" and unused == "something":
        # A prefix of a part of the tensors could be the name of a layer.
        assert set(read_checkpoint(path).tensors) == set(flat)
        return
    checkpoint = read_checkpoint(path)
    assert same(checkpoint.tensors)
    assert (checkpoint.wrapper, checkpoint.others) == (used, (unused,))


def test_a_file_without_a_generator_is_refused_naming_its_sets(tmp_path):
    torch.save({"netD": STATE, "optimizer": {"exp_avg": torch.zeros(3)}}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"has no weights \(only netD, optimizer\)"):
        read_checkpoint(tmp_path / "w.pth")


def test_one_set_under_two_names_is_read_once(tmp_path):
    torch.save({"params_ema": STATE, "params": STATE}, tmp_path / "w.pth")
    assert read_checkpoint(tmp_path / "w.pth").others == ("params",)


def test_of_two_weight_sets_the_averaged_one_is_read_and_the_other_named(tmp_path):
    torch.save({"params": OTHER, "params_ema": STATE}, tmp_path / "w.pth")
    checkpoint = read_checkpoint(tmp_path / "w.pth")
    assert same(checkpoint.tensors)
    assert (checkpoint.wrapper, checkpoint.others) == ("params_ema", ("params",))


def test_a_nested_wrapper_is_removed(tmp_path):
    torch.save({"model": {"params_ema": STATE}}, tmp_path / "w.pth")
    assert same(read_checkpoint(tmp_path / "w.pth").tensors)


def test_a_dict_that_contains_itself_is_refused(tmp_path):
    content: dict[str, object] = {"epoch": 1}
    content["model"] = content
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="has no weights"):
        read_checkpoint(tmp_path / "w.pth")


PREFIXES = [
    *(
        "module.",
        "netG.",
        "generator.",
        "net.",
        "model.",
        "net_g.",
        "_orig_mod.",
        "params_ema.",
        "params-ema.",
        "g_ema.",
    ),
    *("module.netG.", "generator.module.", "_orig_mod.module.", "module._orig_mod.", "model.net_g._orig_mod."),
    *("state_dict.model.", "model.model.", "params_ema.module."),
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("wrapper", [None, "state_dict", "params_ema"])
def test_the_prefix_is_removed(tmp_path, prefix, wrapper):
    state = {prefix + key: value for key, value in STATE.items()}
    torch.save(state if wrapper is None else {wrapper: state}, tmp_path / "w.pth")
    assert same(read_checkpoint(tmp_path / "w.pth").tensors)
    if wrapper is None:
        save_file(state, tmp_path / "w.safetensors")
        assert same(read_checkpoint(tmp_path / "w.safetensors").tensors)


def test_the_counter_of_averaged_weights_is_no_weight(tmp_path):
    averaged = {f"module.{key}": value for key, value in STATE.items()} | {"n_averaged": torch.tensor(7)}
    torch.save(averaged, tmp_path / "w.pth")
    assert same(read_checkpoint(tmp_path / "w.pth").tensors)
    torch.save(torch.optim.swa_utils.AveragedModel(nn.Conv2d(1, 1, 1)).state_dict(), tmp_path / "swa.pth")
    assert set(read_checkpoint(tmp_path / "swa.pth").tensors) == {"weight", "bias"}


def test_parts_that_torch_inserts_within_names_are_removed(tmp_path):
    torch.save(
        {"conv._orig_mod.weight": STATE["conv.weight"], "conv.module.bias": STATE["conv.bias"]}, tmp_path / "w.pth"
    )
    assert same(read_checkpoint(tmp_path / "w.pth").tensors)


def test_a_compiled_and_distributed_network_is_read(tmp_path):
    network = nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 1, 1)))
    state = torch.compile(nn.DataParallel(network)).state_dict()
    assert all(key.startswith("_orig_mod.module.") for key in state)
    torch.save(state, tmp_path / "w.pth")
    assert set(read_checkpoint(tmp_path / "w.pth").tensors) == {"conv.weight", "conv.bias"}


def test_a_tensor_with_and_without_a_prefix_is_refused(tmp_path):
    torch.save({"module.conv.weight": torch.zeros(1), "conv.weight": torch.ones(1)}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"conv\.weight with and without a prefix"):
        read_checkpoint(tmp_path / "w.pth")


def test_layers_with_numbers_keep_their_names(tmp_path):
    state = {"model.0.weight": torch.zeros(2, 2), "model.1.sub.0.weight": torch.zeros(2, 2)}
    torch.save(state, tmp_path / "w.pth")
    assert set(read_checkpoint(tmp_path / "w.pth").tensors) == set(state)


def test_the_generator_is_read_from_a_file_with_a_discriminator(tmp_path):
    both = {f"generator.{k}": v for k, v in STATE.items()} | {f"discriminator.{k}": v for k, v in OTHER.items()}
    torch.save({"state_dict": both}, tmp_path / "w.ckpt")
    assert same(read_checkpoint(tmp_path / "w.ckpt").tensors)


def test_a_discriminator_that_is_a_chain_of_layers_is_named_as_a_whole(tmp_path):
    chain = {"discriminator.0.weight": torch.zeros(2, 2), "discriminator.2.weight": torch.zeros(2, 2)}
    torch.save({"state_dict": {f"generator.{k}": v for k, v in STATE.items()} | chain}, tmp_path / "w.ckpt")
    checkpoint = read_checkpoint(tmp_path / "w.ckpt")
    assert same(checkpoint.tensors)
    assert (checkpoint.wrapper, checkpoint.others) == ("generator", ("discriminator",))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_other_precisions_are_read_as_float32(tmp_path, dtype):
    torch.save({key: value.to(dtype) for key, value in STATE.items()} | {"n": torch.tensor(3)}, tmp_path / "w.pth")
    tensors = read_checkpoint(tmp_path / "w.pth").tensors
    assert same({key: value for key, value in tensors.items() if key != "n"})
    assert tensors["conv.weight"].dtype == torch.float32
    assert tensors["n"].dtype == torch.int64


UNUSABLE = {
    "int8": torch.zeros(2, 2, dtype=torch.int8),
    "uint8": torch.zeros(2, 2, dtype=torch.uint8),
    "int64": torch.zeros(2, 2, dtype=torch.int64),
    "bool": torch.ones(2, 2, dtype=torch.bool),
    "complex64": torch.zeros(2, 2, dtype=torch.complex64),
    "float8_e4m3fn": torch.zeros(2, 2).to(torch.float8_e4m3fn),
    "quantized": torch.quantize_per_tensor(torch.zeros(2, 2), 0.1, 0, torch.qint8),
    "sparse": torch.eye(2).to_sparse(),
}


@pytest.mark.parametrize("form", UNUSABLE)
@pytest.mark.parametrize("kind", ["zip", "old", "safetensors"])
def test_weights_that_are_no_floats_are_refused_when_they_are_read(tmp_path, form, kind):
    state = {**STATE, "conv.weight": UNUSABLE[form]}
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    if kind == "safetensors":
        if form in ("quantized", "sparse"):
            pytest.skip("safetensors has no such format")
        try:
            save_file(state, path)
        except KeyError:
            pytest.skip("this version of safetensors writes no complex numbers")
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(CheckpointError, match=rf"has conv\.weight in a format that cannot be used \({form}\): save"):
        read_checkpoint(path)


@pytest.mark.parametrize("kind", [".pth", ".safetensors"])
def test_weights_without_values_are_refused_when_they_are_read(tmp_path, kind):
    state = {**STATE, "conv.weight": torch.zeros(0, 2, 3, 3)}
    torch.save(state, tmp_path / "w.pth")
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match=r"has conv\.weight of shape \(0, 2, 3, 3\), without any values"):
        read_checkpoint(tmp_path / f"w{kind}")


def test_a_negative_variance_is_refused(tmp_path):
    torch.save({"bn.running_var": torch.tensor([1.0, -1.0])}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"negative variance in bn\.running_var"):
        read_checkpoint(tmp_path / "w.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_views_and_shared_memory_are_read_as_tensors_of_their_own(tmp_path, zipped):
    whole = torch.arange(24.0).reshape(4, 6)
    state = {"t": whole.T, "part": whole[1:3, 2:4], "row": whole[2], "every": whole[:, ::2], "tied": whole}
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    tensors = read_checkpoint(tmp_path / "w.pth").tensors
    assert same(tensors, state)
    tensors["tied"].zero_()
    assert same({key: tensors[key] for key in ("t", "row")}, {"t": state["t"], "row": state["row"]})
    assert all(t.untyped_storage().nbytes() == 4 * t.numel() for t in tensors.values())


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_every_protocol_of_pickle_is_read(tmp_path, protocol, zipped):
    content = {
        "state_dict": nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).state_dict(),
        "optimizer": torch.optim.Adam([nn.Parameter(torch.zeros(2))]).state_dict(),
        "epoch": np.float64(3),
        "shape": torch.Size([1, 2]),
        "names": {"a", "b"},
        "path": Path("x/y"),
        "device": torch.device("cpu"),
        "dtype": torch.float16,
        "rng": torch.get_rng_state(),
        "big": 2**80,
        "array": np.zeros(3),
    }
    torch.save(content, tmp_path / "w.ckpt", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    assert same(read_checkpoint(tmp_path / "w.ckpt").tensors, content["state_dict"])


def test_parameters_are_read_as_tensors(tmp_path):
    tensor = nn.Parameter(torch.arange(3.0))
    tensor.note = "an attribute"
    torch.save({"a.weight": tensor}, tmp_path / "w.pth")
    assert same(read_checkpoint(tmp_path / "w.pth").tensors, {"a.weight": tensor.data})


def test_a_file_without_checksums_is_read_and_one_with_a_wrong_checksum_is_refused(tmp_path):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(STATE, tmp_path / "w.pth")
    finally:
        torch.serialization.set_crc32_options(before)
    assert same(read_checkpoint(tmp_path / "w.pth").tensors)
    value = STATE["conv.weight"].numpy().tobytes()
    (tmp_path / "w.pth").write_bytes(saved(STATE).replace(value, bytes([1]) + value[1:]))
    with pytest.raises(CheckpointError, match="its checksum is wrong"):
        read_checkpoint(tmp_path / "w.pth")


def test_big_endian_numbers_are_read(tmp_path):
    with zipfile.ZipFile(io.BytesIO(saved(STATE))) as source:
        members = {name: source.read(name) for name in source.namelist()}
    for name, data in members.items():
        if "/data/" in name:
            members[name] = np.frombuffer(data, "<f4").astype(">f4").tobytes()
    members["archive/byteorder"] = b"big"
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    assert same(read_checkpoint(tmp_path / "w.pth").tensors)


def test_a_file_with_the_ending_of_another_format_is_refused_with_the_right_ending(tmp_path):
    (tmp_path / "w.pth").write_bytes(safetensors_bytes())
    with pytest.raises(CheckpointError, match=r"w\.pth is a safetensors file: give it the ending \.safetensors"):
        read_checkpoint(tmp_path / "w.pth")
    for zipped in (True, False):
        (tmp_path / "w.safetensors").write_bytes(saved(STATE, _use_new_zipfile_serialization=zipped))
        with pytest.raises(CheckpointError, match=r"written by torch\.save: give it the ending \.pth"):
            read_checkpoint(tmp_path / "w.safetensors")


def test_a_file_that_cannot_be_opened_is_refused(tmp_path, monkeypatch):
    (tmp_path / "w.pth").write_bytes(saved(STATE))

    def denied(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(CheckpointError, match=r"w\.pth cannot be read \(Permission denied\)"):
        read_checkpoint(tmp_path / "w.pth")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(STATE, path)
    with open_weights(path) as file:
        save_file(OTHER, tmp_path / "other.safetensors")
        path.write_bytes((tmp_path / "other.safetensors").read_bytes() + b" ")
        with pytest.raises(CheckpointError, match="was changed while it was read"):
            file.load(file.tensors())
        path.write_bytes(b"")
        with pytest.raises(CheckpointError, match="cut short or damaged"):
            file.load(file.tensors())


def test_missing_memory_is_told_with_the_name_of_the_file(tmp_path, monkeypatch):
    (tmp_path / "w.pth").write_bytes(saved(STATE))
    monkeypatch.setattr(limits, "check_memory", lambda *arguments: None)
    monkeypatch.setattr("napari_sr.zoo.checkpoint.stored.check_memory", lambda *arguments: None)
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ...")):

        def fail(*arguments, error=error):
            raise error

        monkeypatch.setattr("napari_sr.zoo.checkpoint.stored._read", fail)
        with pytest.raises(CheckpointError, match=r"The model w\.pth does not fit into memory"):
            read_checkpoint(tmp_path / "w.pth")


def test_weights_beyond_the_free_memory_are_not_read(tmp_path, monkeypatch):
    (tmp_path / "w.pth").write_bytes(saved(STATE))
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 40}))
    with pytest.raises(CheckpointError, match=r"The model w\.pth needs 0\.0 GiB of memory"):
        read_checkpoint(tmp_path / "w.pth")


def zip_of(**members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return stream.getvalue()


def script(compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr("net/constants.pkl", pickle.dumps((), protocol=2))
        archive.writestr("net/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("net/code/__torch__.py", "def forward(self): pass")
    return stream.getvalue()


def safetensors_bytes() -> bytes:
    from safetensors.torch import save

    return save({"w": torch.zeros(100)})


REFUSALS = {
    "text": ("w.pth", b"hello\nthese are no weights", "text file"),
    "web page": ("w.pt", b"<!DOCTYPE html><html>\xc3\xa9</html>", "text file"),
    "empty": ("w.pth", b"", "is empty"),
    "zip cut short": ("w.pth", saved({"w": torch.zeros(500)})[:1000], "cut short or damaged"),
    "old torch cut in the numbers": (
        "w.pth",
        saved({"w": torch.zeros(500)}, _use_new_zipfile_serialization=False)[:-900],
        "cut short or damaged",
    ),
    "old torch cut in the pickle": (
        "w.pth",
        saved({"w": torch.zeros(500)}, _use_new_zipfile_serialization=False)[:200],
        "cut short or damaged",
    ),
    "noise": ("w.pth", b"\x80\x02" + bytes(range(128, 256)), "cut short or damaged"),
    "code, bare": ("w.pth", pickle.dumps(RunsCode()), "would run code .*mkdir"),
    "code, bare, old protocol": ("w.pkl", pickle.dumps(RunsCode(), protocol=0), "would run code"),
    "code, in a torch file": ("w.pth", saved({"w": torch.zeros(5), "x": RunsCode()}), "would run code .*mkdir"),
    "a whole module": ("w.pth", saved(nn.Linear(2, 2)), "would run code .*Linear"),
    "a plain pickle": ("w.pkl", pickle.dumps({"a": [1, 2]}), "pickle that torch did not write"),
    "a program": ("w.pt", script(), "TorchScript"),
    "a program, its code compressed": ("w.pt", script(zipfile.ZIP_DEFLATED), "TorchScript"),
    "some zip": ("w.pth", zip_of(**{"folder/a.txt": "x"}), "zip archive without weights"),
    "no tensors": ("w.pth", saved({"epoch": 3, "params": {}}), "has no weights"),
    "a list": ("w.pth", saved([torch.zeros(3)]), "has no weights"),
    "a NaN": ("w.pth", saved({"a": torch.zeros(2), "b": torch.tensor([0, float("nan")])}), "NaN or infinite .* in b"),
    "infinite": ("w.pth", saved({"b": torch.tensor([float("inf")])}), "NaN or infinite .* in b"),
    "a sparse tensor": ("w.pth", saved({"a": torch.eye(3).to_sparse()}), "has a in a format"),
    "a bomb": ("w.pth", saved({"a": torch.zeros(1).expand(10**12)}), "has a in a format"),
    "safetensors cut short": ("w.safetensors", safetensors_bytes()[:-50], "cut short or is no safetensors"),
    "safetensors cut in the header": ("w.safetensors", safetensors_bytes()[:5], "cut short or is no safetensors"),
    "text as safetensors": ("w.safetensors", b"hello, this is a text file", "cut short or is no safetensors"),
    "text as MATLAB": ("w.mat", b"hello, this is a text file" * 20, "cannot be read as a MATLAB file"),
    "unknown ending": ("w.onnx", b"abc", "not a weight file by its ending"),
}


@pytest.mark.parametrize(("name", "data", "words"), REFUSALS.values(), ids=REFUSALS.keys())
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_other_files_are_refused_in_one_sentence_and_no_code_runs(tmp_path, monkeypatch, name, data, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=words) as caught:
        read_checkpoint(tmp_path / name)
    sentence = str(caught.value)
    assert sentence.startswith(name)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_archive_with_any_wrong_byte_is_refused_in_one_sentence(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", np.random.default_rng(0).bytes(100) + b"abc" * 100)
        archive.writestr("w/version", "3")
    whole = stream.getvalue()
    for place in range(2, len(whole)):
        for change in (0x01, 0x80, 0xFF):
            damaged = bytearray(whole)
            damaged[place] ^= change
            (tmp_path / "w.pth").write_bytes(damaged)
            with pytest.raises(CheckpointError, match=r"^w\.pth .*\.$"):
                read_checkpoint(tmp_path / "w.pth")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no file .*gone\.pth"):
        read_checkpoint(tmp_path / "gone.pth")


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "w.pth").mkdir()
    with pytest.raises(CheckpointError, match="no file"):
        read_checkpoint(tmp_path / "w.pth")


@pytest.mark.parametrize("kernels", [(9, 1, 5), (9, 3, 5), (9, 5, 5)])
def test_the_matlab_layout_is_column_by_column(tmp_path, kernels):
    from scipy.io import savemat

    rng = np.random.default_rng(1)
    weights = [
        rng.normal(size=(out, inp, k, k)) for (out, inp), k in zip([(4, 1), (3, 4), (1, 3)], kernels, strict=True)
    ]
    biases = [rng.normal(size=out) for out in (4, 3, 1)]
    # As SRCNN.m takes them apart: patch element p is row p mod k, column p div k.
    patches = [np.zeros((w.shape[1], w.shape[2] ** 2, w.shape[0])) for w in weights]
    for w, patch in zip(weights, patches, strict=True):
        for p in range(patch.shape[1]):
            patch[:, p, :] = w[:, :, p % w.shape[2], p // w.shape[2]].T
    arrays = {"weights_conv1": patches[0][0], "weights_conv2": patches[1], "weights_conv3": patches[2][..., 0]}
    savemat(tmp_path / "x3.mat", arrays | {f"biases_conv{n + 1}": b[:, np.newaxis] for n, b in enumerate(biases)})
    tensors = read_checkpoint(tmp_path / "x3.mat").tensors
    for n in range(3):
        torch.testing.assert_close(tensors[f"conv{n + 1}.weight"], torch.from_numpy(weights[n]).float())
        torch.testing.assert_close(tensors[f"conv{n + 1}.bias"], torch.from_numpy(biases[n]).float())


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u1"])
def test_a_matlab_file_has_the_values_that_scipy_reads(tmp_path, packed, dtype):
    from scipy.io import loadmat, savemat

    rng = np.random.default_rng(0)
    arrays = {
        "weights_conv1": rng.integers(0, 9, (9, 4)).astype(dtype),
        "weights_conv2": rng.integers(0, 9, (4, 1, 3)).astype(dtype),
        "weights_conv3": rng.integers(0, 9, (3, 25)).astype(dtype),
        **{f"biases_conv{n + 1}": rng.integers(0, 9, (size, 1)).astype(dtype) for n, size in enumerate((4, 3, 1))},
        "note": "text",
        "cells": np.array([1, "x"], dtype=object),
        "z": np.array([1j]),
    }
    savemat(tmp_path / "w.mat", arrays, do_compression=packed)
    tensors = read_checkpoint(tmp_path / "w.mat").tensors
    theirs = loadmat(tmp_path / "w.mat")
    assert tensors["conv1.weight"].shape == (4, 1, 3, 3)
    np.testing.assert_array_equal(tensors["conv1.weight"].numpy()[:, 0, 1, 2], theirs["weights_conv1"][7])
    np.testing.assert_array_equal(tensors["conv2.weight"].numpy()[:, :, 0, 0], theirs["weights_conv2"][:, 0].T)
    np.testing.assert_array_equal(tensors["conv3.bias"].numpy(), theirs["biases_conv3"].ravel())


@pytest.mark.parametrize(("left", "words"), [(3, "no weights_conv2"), (6, "kernels are not square")])
def test_another_matlab_file_is_refused(tmp_path, left, words):
    from scipy.io import savemat

    names = ["weights_conv1", "biases_conv1", "biases_conv2", "weights_conv2", "weights_conv3", "biases_conv3"]
    savemat(tmp_path / "w.mat", {name: np.zeros((7, 5)) for name in names[:left]})
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(tmp_path / "w.mat")
