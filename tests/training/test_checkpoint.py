"""A checkpoint is whole or not there."""

import pytest
import torch

from napari_sr import InputError
from napari_sr.training import checkpoint
from napari_sr.training.checkpoint import read_run_state, write_run_state


def test_what_is_written_is_read(tmp_path):
    assert read_run_state(tmp_path) is None
    state = {"step": 3, "weights": {"a": torch.arange(3.0)}, "best": None, "text": "x", "list": [1.5]}
    write_run_state(tmp_path, state)
    found = read_run_state(tmp_path)
    assert torch.equal(found["weights"]["a"], state["weights"]["a"])
    assert (found["step"], found["best"], found["text"], found["list"]) == (3, None, "x", [1.5])
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("unexpected pos 64 vs 0")])
def test_a_write_that_fails_leaves_the_one_before(tmp_path, monkeypatch, error):
    write_run_state(tmp_path, {"step": 1})

    def full(state, file):
        file.write(b"half")
        raise error

    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.raises(InputError, match="could not be written"):
        write_run_state(tmp_path, {"step": 2})
    assert read_run_state(tmp_path)["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_a_damaged_one_is_refused_and_not_guessed_at(tmp_path):
    write_run_state(tmp_path, {"step": 1})
    whole = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"last\.pt is damaged"):
        read_run_state(tmp_path)
    torch.save({"step": 1}, tmp_path / "last.pt")
    with pytest.raises(InputError, match="no checkpoint of this version"):
        read_run_state(tmp_path)


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("ran",))

    torch.save({"format": 1, "evil": Evil()}, tmp_path / "last.pt")
    with pytest.raises(InputError, match="damaged"):
        read_run_state(tmp_path)
