"""Model files are written atomically and read with their card."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_sr.errors import CheckpointError, InputError
from napari_sr.zoo import read_model, write_model
from napari_sr.zoo.header import read_card


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_a_model_of_one_weight_set_is_read_as_it_was_written(tmp_path, small_card, small_state):
    card, state = small_card(), small_state(0)
    path = write_model(tmp_path / "m.safetensors", card, {"weights": state})
    card_read, endpoints = read_model(path)
    assert card_read == card
    assert list(endpoints) == ["weights"]
    assert same(endpoints["weights"], state)
    assert read_card(path) == card


def test_a_pair_is_read_as_it_was_written(tmp_path, small_card, small_state):
    card = small_card(endpoints=("psnr", "gan"), default_alpha=0.8)
    write_model(tmp_path / "m.safetensors", card, {"psnr": small_state(1), "gan": small_state(2)})
    card_read, endpoints = read_model(tmp_path / "m.safetensors")
    assert card_read == card
    assert same(endpoints["psnr"], small_state(1))
    assert same(endpoints["gan"], small_state(2))
    assert "gan/conv_first.weight" in load_file(tmp_path / "m.safetensors")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_in_half_precision_are_read_as_float32(tmp_path, small_card, small_state, dtype):
    path = write_model(tmp_path / "m.safetensors", small_card(), {"weights": small_state(0)}, dtype=dtype)
    assert {tensor.dtype for tensor in load_file(path).values()} == {dtype}
    _, endpoints = read_model(path)
    for key, tensor in endpoints["weights"].items():
        assert torch.equal(tensor, small_state(0)[key].to(dtype).float())


def test_tensors_that_share_memory_can_be_written(tmp_path, small_card, small_state):
    state = small_state(0)
    state["conv_hr.bias"] = state["conv_body.bias"]
    _, endpoints = read_model(write_model(tmp_path / "m.safetensors", small_card(), {"weights": state}))
    assert same(endpoints["weights"], state)


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, small_card, small_state):
    path = write_model(tmp_path / "m.safetensors", small_card(), {"weights": small_state(1)})
    before = path.read_bytes()

    def interrupted(target, contents):
        with target.open("wb") as half:
            half.write(contents[: len(contents) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_model(path, small_card(), {"weights": small_state(2)}, overwrite=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced_only_with_overwrite(tmp_path, small_card, small_state):
    path = write_model(tmp_path / "m.safetensors", small_card(), {"weights": small_state(1)})
    with pytest.raises(InputError, match=r"m\.safetensors exists already"):
        write_model(path, small_card(), {"weights": small_state(2)})
    assert same(read_model(path)[1]["weights"], small_state(1))
    write_model(path, small_card(), {"weights": small_state(2)}, overwrite=True)
    assert same(read_model(path)[1]["weights"], small_state(2))


@pytest.mark.parametrize(("name", "words"), [("m.pth", "does not end in"), ("gone/m.safetensors", "no folder")])
def test_a_wrong_ending_or_folder_is_refused(tmp_path, small_card, small_state, name, words):
    with pytest.raises(InputError, match=words):
        write_model(tmp_path / name, small_card(), {"weights": small_state(0)})


def test_a_dtype_that_cannot_represent_the_weights_is_refused(tmp_path, small_card, small_state):
    with pytest.raises(InputError, match=r"cannot be stored as torch\.int8"):
        write_model(tmp_path / "m.safetensors", small_card(), {"weights": small_state(0)}, dtype=torch.int8)
    state = small_state(0)
    state["conv_hr.bias"][0] = 1e6
    with pytest.raises(CheckpointError, match=r"conv_hr\.bias is not finite as torch\.float16"):
        write_model(tmp_path / "m.safetensors", small_card(), {"weights": state}, dtype=torch.float16)
    assert not list(tmp_path.iterdir())


def test_a_card_that_does_not_fit_the_weights_is_not_written(tmp_path, small_card, small_state):
    path = tmp_path / "m.safetensors"
    with pytest.raises(CheckpointError, match="has scale 4, but its network has 2"):
        write_model(path, small_card(scale=4), {"weights": small_state(0)})
    with pytest.raises(CheckpointError, match="has in_channels 3, but its network has 1"):
        write_model(path, small_card(channels=3), {"weights": small_state(0)})
    with pytest.raises(CheckpointError, match="is for the weight sets weights, not psnr"):
        write_model(path, small_card(), {"psnr": small_state(0)})
    with pytest.raises(CheckpointError, match=r"conv_hr\.bias is missing"):
        write_model(path, small_card(), {"weights": {k: v for k, v in small_state(0).items() if k != "conv_hr.bias"}})
    assert not path.exists()


def test_safetensors_without_a_card_are_no_model_file(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "m.safetensors")
    assert read_card(tmp_path / "m.safetensors") is None
    with pytest.raises(CheckpointError, match=r"m\.safetensors has no card"):
        read_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("tensors", "card", "words"),
    [
        ({"a": torch.zeros(1)}, "{}", r"m\.safetensors: The model's card cannot be read: name"),
        ({"a": torch.zeros(1)}, None, "it has no tensor called a|is missing"),
    ],
)
def test_a_changed_model_file_is_refused_by_name(tmp_path, small_card, tensors, card, words):
    metadata = {"napari_sr_card": small_card().to_json() if card is None else card}
    save_file(tensors, tmp_path / "m.safetensors", metadata=metadata)
    with pytest.raises(CheckpointError, match=words) as caught:
        read_model(tmp_path / "m.safetensors")
    assert str(caught.value).startswith("m.safetensors: ")


def test_a_tensor_of_no_endpoint_is_refused(tmp_path, small_card, small_state):
    card = small_card(endpoints=("psnr", "gan"))
    tensors = {f"{name}/{k}": v.clone() for name in ("psnr", "gan", "third") for k, v in small_state(0).items()}
    save_file(tensors, tmp_path / "m.safetensors", metadata={"napari_sr_card": card.to_json()})
    with pytest.raises(CheckpointError, match=r"third/.* belongs to no weight set"):
        read_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize("data", [b"", b"abc", b"hello, this is text and no header"])
def test_a_damaged_or_missing_model_file_is_refused(tmp_path, data):
    path = tmp_path / "m.safetensors"
    with pytest.raises(CheckpointError, match="no file"):
        read_model(path)
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="cut short or is no safetensors"):
        read_model(path)
