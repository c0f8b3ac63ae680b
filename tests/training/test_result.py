"""The model file of a run: written once, unless another name or folder is asked for."""

import pytest
import torch

import napari_sr as sr
from napari_sr.training.result import save_once
from napari_sr.zoo.names import LONGEST


def named(model, name):
    return sr.Model(model.card.model_copy(update={"name": name}), model.endpoints)


@pytest.fixture
def folder(tmp_path):
    """The folder of a run."""
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["cells", "cells-2", "x" * LONGEST])
def test_a_model_is_written_once_also_if_its_name_was_taken(small_model, folder, model_folder, name):
    taken = sr.training.save_model(named(small_model, name))[1]
    first, path = save_once(named(small_model, name), folder)
    assert first.name == path.stem != name
    again, same_path = save_once(named(small_model, name), folder)
    assert (again.name, same_path) == (first.name, path)
    # As the window asks for a name that is free by now.
    assert save_once(named(small_model, sr.zoo.names.numbered(name, 7)), folder)[1] == path
    assert set(model_folder.iterdir()) == {taken, path}


def test_another_name_or_folder_is_honored(small_model, folder, tmp_path):
    _, path = save_once(small_model, folder)
    other, renamed = save_once(named(small_model, "other"), folder)
    assert (other.name, renamed) == ("other", path.with_name("other.safetensors"))
    _, elsewhere = save_once(named(small_model, "other"), folder, folder=tmp_path / "elsewhere")
    assert elsewhere == tmp_path / "elsewhere" / "other.safetensors"
    assert path.is_file()
    assert elsewhere.is_file()


def test_a_model_in_a_relative_folder_is_found_from_another_working_directory(
    small_model, folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    _, path = save_once(small_model, folder, folder=tmp_path.relative_to(tmp_path) / "models")
    assert not path.is_absolute()
    monkeypatch.chdir(folder)
    assert save_once(small_model, folder, folder=tmp_path / "models")[1] == tmp_path / path
    assert len(list((tmp_path / "models").iterdir())) == 1


def test_a_model_that_is_written_is_returned_although_its_run_cannot_note_it(small_model, folder, model_folder, caplog):
    (folder / "model.txt").mkdir()
    saved, path = save_once(small_model, folder)
    assert (saved.source, list(model_folder.iterdir())) == (path, [path])
    assert "model.txt cannot be written" in caplog.text


@pytest.mark.parametrize("replacement", ["another network", "other weights", "not a model"])
def test_a_file_that_was_replaced_is_not_taken_for_the_model(small_model, folder, replacement):
    _, path = save_once(small_model, folder)
    path.unlink()
    if replacement == "not a model":
        path.write_bytes(b"junk")
    elif replacement == "another network":
        sr.training.save_model(named(sr.load_model("srcnn-x2"), "small"))
    else:
        state = {key: value * 2 for key, value in small_model.endpoints["weights"].items()}
        sr.training.save_model(sr.Model(small_model.card, {"weights": state}))
    saved, written = save_once(small_model, folder)
    assert (saved.name, written.name) == ("small-2", "small-2.safetensors")
    state = small_model.endpoints["weights"]
    assert all(torch.equal(value, state[key]) for key, value in sr.load_model(written).endpoints["weights"].items())
