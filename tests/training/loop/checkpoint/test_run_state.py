"""A checkpoint is complete, or it does not exist."""

import pytest
import torch

from napari_sr import InputError
from napari_sr.training.loop.checkpoint import run_state
from napari_sr.training.loop.checkpoint.run_state import read_run_state, write_run_state


def test_a_checkpoint_is_read_as_it_was_written(tmp_path):
    assert read_run_state(tmp_path) is None
    state = {"step": 3, "weights": {"a": torch.arange(3.0)}, "best": None, "text": "x", "list": [1.5]}
    write_run_state(tmp_path, state)
    read = read_run_state(tmp_path)
    assert torch.equal(read["weights"]["a"], state["weights"]["a"])
    assert (read["step"], read["best"], read["text"], read["list"]) == (3, None, "x", [1.5])
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError(28, "No space left on device"), "make room"),
        (RuntimeError("unexpected pos 64 vs 0"), "make room"),
        (OSError(30, "Read-only file system"), "check the disk and its permissions"),
    ],
)
def test_a_write_that_fails_keeps_the_previous_checkpoint(tmp_path, monkeypatch, error, remedy):
    write_run_state(tmp_path, {"step": 1})

    def full(state, path):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(run_state.torch, "save", full)
    with pytest.raises(InputError, match=rf"could not be written .*: {remedy} and start the training again"):
        write_run_state(tmp_path, {"step": 2})
    assert read_run_state(tmp_path)["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_what_a_training_begins_from_after_a_full_disk_is_said(tmp_path, monkeypatch):
    def full(state, path):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(run_state.torch, "save", full)
        with pytest.raises(InputError, match="again; it begins anew"):
            write_run_state(tmp_path, {"step": 1})
    write_run_state(tmp_path, {"step": 1})
    monkeypatch.setattr(run_state.torch, "save", full)
    with pytest.raises(InputError, match="again; it continues from the previous checkpoint"):
        write_run_state(tmp_path, {"step": 2})


def test_a_folder_with_the_name_of_the_checkpoint_is_named(tmp_path):
    (tmp_path / "last.pt").mkdir()
    with pytest.raises(InputError, match=r"last\.pt is a folder.*rename or remove it"):
        read_run_state(tmp_path)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    write_run_state(tmp_path, {"step": 1})
    whole = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"last\.pt is damaged"):
        read_run_state(tmp_path)
    torch.save({"step": 1}, tmp_path / "last.pt")
    with pytest.raises(InputError, match="not a checkpoint of a known version"):
        read_run_state(tmp_path)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PermissionError(13, "Permission denied"), r"last\.pt cannot be read \(Permission denied\): check its disk"),
        (OSError(5, "Input/output error"), r"last\.pt cannot be read \(Input/output error\): check its disk"),
        (MemoryError(), r"too little memory to read .*last\.pt: close other programs"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), r"too little memory to read .*last\.pt"),
    ],
)
def test_a_whole_checkpoint_that_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch, error, expected):
    write_run_state(tmp_path, {"step": 1})

    def refuse(*arguments, **options):
        raise error

    monkeypatch.setattr(run_state.torch, "load", refuse)
    with pytest.raises(InputError, match=expected):
        read_run_state(tmp_path)


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("ran",))

    torch.save({"format": 1, "evil": Evil()}, tmp_path / "last.pt")
    with pytest.raises(InputError, match="damaged"):
        read_run_state(tmp_path)
