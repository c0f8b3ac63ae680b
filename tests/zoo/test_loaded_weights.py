"""A loaded model has weights of its own, and takes at most three times their memory while it is read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_sr.errors import CheckpointError
from napari_sr.zoo import Architecture, Model, load_model, write_model
from napari_sr.zoo.architectures import build_empty
from napari_sr.zoo.header import CARD_KEY

MIB = 2**20

#: How files are changed, some after the network of the model ran.
CHANGES = ["copy", "copy, ran", "truncate", "truncate, ran", "partial write"]
#: Loads models, changes the file of each, and compares the weights and the results with those of the first file.
CHANGED = """
import shutil, sys
from pathlib import Path
import torch
import napari_sr as sr
first, other, *changes = sys.argv[1:]
for change in changes:
    print(change, flush=True)
    path = Path(shutil.copyfile(first, Path(first).with_stem(change)))
    model = sr.load_model(path, scale=2)
    before = {key: tensor.clone() for key, tensor in model.endpoints["weights"].items()}
    x = torch.rand(1, 1, 8, 8)
    ran = model.network(x) if change.endswith("ran") else None
    if change.startswith("copy"):
        shutil.copyfile(other, path)
    elif change.startswith("truncate"):
        with path.open("r+b") as file:
            file.truncate(10)
    else:
        with path.open("r+b") as file:
            file.seek(-64, 2)
            file.write(bytes(64))
    assert all(torch.equal(before[key], tensor) for key, tensor in model.endpoints["weights"].items())
    assert all(torch.equal(before[key], tensor) for key, tensor in model.network.state_dict().items())
    assert ran is None or torch.equal(ran, model.network(x))
"""


@pytest.mark.parametrize("kind", ["model file", "safetensors", "torch"])
def test_a_changed_file_changes_no_loaded_model(tmp_path, small_card, small_state, kind, forks):
    paths = []
    for seed in (1, 2):
        state = small_state(seed)
        path = tmp_path / f"{seed}{'.pth' if kind == 'torch' else '.safetensors'}"
        if kind == "model file":
            write_model(path, small_card(), {"weights": state})
        elif kind == "safetensors":
            save_file(state, path)
        else:
            torch.save(state, path)
        paths.append(str(path))
    # In a process of its own: a memory map of a shortened file ends the process.
    done = forks.run(CHANGED, *paths, *CHANGES)
    assert (done.returncode, done.stdout.splitlines()) == (0, CHANGES), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is measured on Linux")
def test_loading_takes_at_most_three_times_the_weights(tmp_path, small_card):
    settings = {**small_card().architecture.settings, "features": 64, "growth": 64, "blocks": 16}
    card = small_card(architecture=Architecture(network="RRDBNet", settings=settings), name="large")
    state = {key: torch.rand(tensor.shape) for key, tensor in build_empty(card.architecture).state_dict().items()}
    size = sum(4 * tensor.numel() for tensor in state.values())
    assert size > 60 * MIB
    half = {key: tensor.half() for key, tensor in state.items()}
    write_model(tmp_path / "model.safetensors", card, {"weights": state})
    write_model(tmp_path / "half-model.safetensors", card, {"weights": state}, dtype=torch.float16)
    save_file(state, tmp_path / "plain.safetensors")
    torch.save({"params_ema": state}, tmp_path / "zip.pth")
    torch.save(half, tmp_path / "half.pth")
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    script = Path(__file__).with_name("load_measured.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 6, done.stderr[-2000:]
    for line in lines:
        # Weights and network, built and ready to run.
        assert line["outcome"] == "model", line["text"]
        assert line["peak"] < 3 * size, f"{line['name']}: {line['peak'] / size:.2f} times the weights"
        assert line["seconds"] < 10


#: Changes of a state dict that make it unusable, and the words of the refusal.
UNUSABLE = {
    "int8": (lambda t: t.to(torch.int8), r"in a format that cannot be used \(int8\)"),
    "bool": (lambda t: t.bool(), r"in a format that cannot be used \(bool\)"),
    "complex": (lambda t: t.to(torch.complex64), r"in a format that cannot be used \(complex64\)"),
    "no values": (lambda t: t[:0], r"without any values"),
    "NaN": (lambda t: t * float("nan"), r"NaN or infinite weights"),
}


@pytest.mark.parametrize("kind", ["model file", "safetensors", "zip", "old"])
@pytest.mark.parametrize("change", UNUSABLE)
def test_weights_that_cannot_be_used_are_refused_when_the_model_is_loaded(
    tmp_path, small_card, small_state, kind, change
):
    make, words = UNUSABLE[change]
    state = {key: make(tensor) for key, tensor in small_state().items()}
    path = tmp_path / ("w.pth" if kind in ("zip", "old") else "w.safetensors")
    if path.suffix == ".pth":
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    else:
        try:
            save_file(state, path, metadata={CARD_KEY: small_card().to_json()} if kind == "model file" else None)
        except KeyError:
            pytest.skip("this version of safetensors writes no complex numbers")
    with pytest.raises(CheckpointError, match=words) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


def test_a_network_without_features_is_refused(tmp_path, small_card, small_state):
    settings = {**small_card().architecture.settings, "features": 0}
    card = small_card(architecture=Architecture(network="RRDBNet", settings=settings))
    save_file(small_state(), tmp_path / "w.safetensors", metadata={CARD_KEY: card.to_json()})
    with pytest.raises(CheckpointError, match=r"features = 0: it has to be between 1 and 8192"):
        load_model(tmp_path / "w.safetensors")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_a_network_that_does_not_fit_into_memory_is_told_as_a_model(
    tmp_path, small_card, small_state, monkeypatch, error
):
    write_model(tmp_path / "w.safetensors", small_card(), {"weights": small_state()})
    model = load_model(tmp_path / "w.safetensors")

    def fail(*arguments):
        raise error

    monkeypatch.setattr(Model, "_build", fail)
    with pytest.raises(CheckpointError, match=r"The model small does not fit into memory: close other programs"):
        model.network  # noqa: B018
