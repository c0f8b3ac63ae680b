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
from napari_sr.zoo.checkpoint import check_torch

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


@pytest.mark.parametrize("wrapper", ["params_ema", "params", "state_dict", "model_state_dict", "model", "net"])
def test_the_wrapper_is_removed_and_named(tmp_path, wrapper):
    torch.save({wrapper: OrderedDict(STATE), "epoch": 3, "lr": 0.1}, tmp_path / "w.pth")
    checkpoint = read_checkpoint(tmp_path / "w.pth")
    assert same(checkpoint.tensors)
    assert checkpoint.wrapper == wrapper


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


@pytest.mark.parametrize("prefix", ["module.", "netG.", "generator.", "net.", "module.netG.", "generator.module."])
def test_the_prefix_is_removed(tmp_path, prefix):
    torch.save({prefix + key: value for key, value in STATE.items()}, tmp_path / "w.pth")
    assert same(read_checkpoint(tmp_path / "w.pth").tensors)


def test_the_generator_is_read_from_a_file_with_a_discriminator(tmp_path):
    both = {f"generator.{k}": v for k, v in STATE.items()} | {f"discriminator.{k}": v for k, v in OTHER.items()}
    torch.save({"state_dict": both}, tmp_path / "w.ckpt")
    assert same(read_checkpoint(tmp_path / "w.ckpt").tensors)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_other_precisions_are_read_as_float32(tmp_path, dtype):
    torch.save({key: value.to(dtype) for key, value in STATE.items()} | {"n": torch.tensor(3)}, tmp_path / "w.pth")
    tensors = read_checkpoint(tmp_path / "w.pth").tensors
    assert same({key: value for key, value in tensors.items() if key != "n"})
    assert tensors["conv.weight"].dtype == torch.float32
    assert tensors["n"].dtype == torch.int64


def zip_of(**members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return stream.getvalue()


def script() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
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


@pytest.mark.parametrize("version", ["2.9.1", "2.5.0+cu121", "1.13.1"])
def test_an_old_torch_reads_no_pickles(version):
    with pytest.raises(CheckpointError, match=r"update torch to 2\.10"):
        check_torch(version, Path("w.pth"))


@pytest.mark.parametrize("version", ["2.10.0", "2.13.0+cpu", "3.0.0"])
def test_a_torch_with_the_fixes_reads_pickles(version):
    check_torch(version, Path("w.pth"))


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


@pytest.mark.parametrize(("left", "words"), [(3, "no weights_conv2"), (6, "kernels are not square")])
def test_another_matlab_file_is_refused(tmp_path, left, words):
    from scipy.io import savemat

    names = ["weights_conv1", "biases_conv1", "biases_conv2", "weights_conv2", "weights_conv3", "biases_conv3"]
    savemat(tmp_path / "w.mat", {name: np.zeros((7, 5)) for name in names[:left]})
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(tmp_path / "w.mat")
