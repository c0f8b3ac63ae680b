"""The model file of a run: written once, unless another name or folder is asked for."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
import torch

import napari_sr as sr
from napari_sr import InputError
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


def pair_of(model, **card):
    other = {key: value * 1.01 for key, value in model.endpoints["weights"].items()}
    fields = {"endpoints": ("psnr", "gan"), **card}
    return sr.Model(
        model.card.model_copy(update=fields), {"psnr": model.endpoints["weights"], "gan": other}, source="pair"
    )


@pytest.mark.parametrize("alpha", [0, 0.3, 1])
@pytest.mark.parametrize("mixing", ["weights", "images"])
def test_a_saved_pair_is_loaded_with_its_alpha_and_mixing(small_model, model_folder, textured, alpha, mixing):
    pair = pair_of(small_model, default_alpha=0.75).with_alpha(alpha).with_mixing(mixing)
    saved, path = sr.save_model(pair, name="cells")
    for model in (saved, sr.load_model("cells"), sr.load_model(path)):
        assert (model.name, model.alpha, model.mixing) == ("cells", alpha, mixing)
        assert np.array_equal(sr.upscale(textured(), model), sr.upscale(textured(), pair))


def test_a_model_is_saved_by_its_name_into_a_folder_that_is_made(small_model, tmp_path):
    saved, path = sr.save_model("srcnn-x2", folder=str(tmp_path / "for" / "colleague"))
    assert (saved.name, path) == ("srcnn-x2", tmp_path / "for" / "colleague" / "srcnn-x2.safetensors")
    assert sr.load_model(path).card == sr.load_model("srcnn-x2").card
    with pytest.raises(InputError, match=r"cannot be the name of a model"):
        sr.save_model("srcnn-x2", name="../x", folder=tmp_path)
    with pytest.raises(InputError, match="is not a model"):
        sr.save_model(None)


def test_models_of_one_name_that_are_saved_at_once_all_have_a_file(small_model, tmp_path):
    together = Barrier(4)

    def save(number: int) -> Path:
        state = {key: value + number for key, value in small_model.endpoints["weights"].items()}
        model = sr.Model(small_model.card, {"weights": state})
        together.wait(10)
        return sr.save_model(model, folder=tmp_path)[1]

    with ThreadPoolExecutor(4) as threads:
        paths = list(threads.map(save, range(4)))
    assert {path.stem for path in paths} == {"small", "small-2", "small-3", "small-4"}
    for number, path in enumerate(paths):
        (key, value), *_ = sr.load_model(path).endpoints["weights"].items()
        assert torch.equal(value, small_model.endpoints["weights"][key] + number)
