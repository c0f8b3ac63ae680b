"""Fine-tuning in one call: from arrays to a model in the list."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import torch

import napari_sr as sr
from napari_sr import Cancelled, InputError
from napari_sr.imaging.resize import resize
from napari_sr.training import load_recipe, save_model
from napari_sr.training.events import Prepared


@pytest.fixture
def recipe():
    quick = load_recipe("quick").at_length(0.01)
    return quick.model_copy(update={"precision": "float32", "patches": quick.patches.model_copy(update={"size": 8})})


def test_the_new_model_is_listed_and_the_given_one_unchanged(small_model, recipe, textured, model_folder):
    before = {key: value.clone() for key, value in small_model.endpoints["weights"].items()}
    better = sr.finetune(small_model, textured(), recipe)
    assert better.name == "small-quick"
    assert [entry.name for entry in sr.list_models() if entry.where == "user"] == ["small-quick"]
    assert all(torch.equal(small_model.endpoints["weights"][key], value) for key, value in before.items())
    assert any(not torch.equal(better.endpoints["weights"][key], value) for key, value in before.items())
    assert "Trained on from small" in better.card.notes
    assert sr.upscale(textured(), better).shape == (192, 192)


def test_the_card_names_the_base_model_and_takes_the_domain_from_the_recipe(small_model, recipe, textured):
    base = sr.Model(small_model.card.model_copy(update={"domain": "natural"}), dict(small_model.endpoints))
    card = sr.finetune(base, textured(), recipe, save=False).card
    assert (card.base, card.domain) == (base.name, None)
    electron = recipe.model_copy(update={"domain": "electron"})
    assert sr.finetune(base, textured(), electron, save=False).card.domain == "electron"


def test_fine_tuned_twice_it_has_the_images_of_both_trainings_on_its_card(small_model, recipe, textured):
    one = sr.finetune(small_model, textured(seed=1), recipe, save=False)
    two = sr.finetune(one, textured(seed=2), recipe, save=False)
    first, second = one.card.training_data[-1], two.card.training_data[-1]
    assert first.name == second.name == "image 1"
    assert first.sha256 != second.sha256
    assert two.card.training_data == (*one.card.training_data, second)
    again = sr.finetune(two, textured(seed=1), recipe, save=False)
    assert again.card.training_data == (*one.card.training_data[:-1], second, first)


def test_another_model_of_the_same_name_gets_a_number(small_model, recipe, textured, model_folder):
    names = [sr.finetune(small_model, textured(seed=n), recipe).name for n in range(2)]
    assert names == ["small-quick", "small-quick-2"]
    assert len(list((model_folder.parent / "runs").iterdir())) == 2


def test_pairs_are_used_and_an_uncertain_shift_is_a_warning(small_model, recipe, textured):
    high = textured(120, 120).astype(np.float32)
    events = []
    low = resize(high, (60, 60))
    better = sr.finetune(small_model, (low, np.roll(high, 2, axis=0)), recipe, save=False, on_event=events.append)
    prepared = next(event for event in events if isinstance(event, Prepared))
    assert "+2.0" in prepared.notes[0]
    assert prepared.warnings
    assert (better.card.paired, better.card.degradation, better.card.training_noise) == (True, None, None)
    assert sr.list_models()
    assert not [entry for entry in sr.list_models() if entry.where == "user"]


def test_the_planes_of_a_stack_are_used(small_model, recipe, textured):
    stack = np.stack([textured(seed=seed) for seed in range(3)]).astype(np.uint16) * 100
    better = sr.finetune(small_model, [stack], recipe, axes="ZYX", save=False, name="stacked")
    assert better.name == "stacked"
    assert better.card.intensity == "auto"


class PathLike:
    """A path of another library, as in `os.PathLike`."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


@pytest.mark.parametrize("kind", [lambda path: path, str, PathLike, lambda path: path.stem, sr.load_model])
def test_model_recipe_and_folder_are_objects_names_or_paths(kind, small_model, recipe, textured, tmp_path):
    _, path = save_model(small_model)
    (tmp_path / "mine.toml").write_text(recipe.model_copy(update={"name": "model"}).to_toml())
    tuned = sr.finetune(
        kind(path), textured(), PathLike(tmp_path / "mine.toml"), folder=str(tmp_path / "run"), save=False
    )
    assert tuned.name == "small-mine"
    assert tuned.card.base == "small"
    assert (tmp_path / "run" / "last.pt").is_file()


def test_the_default_name_is_that_of_the_model_in_the_list_and_that_of_the_recipe(
    small_model, recipe, textured, tmp_path, model_folder
):
    _, path = save_model(small_model)
    path.rename(path.with_name("cells.v1.safetensors"))
    (tmp_path / "file.toml").write_text(recipe.model_copy(update={"name": "own"}).to_toml())
    tuned = sr.finetune("cells.v1", textured(), tmp_path / "file.toml", save=False)
    assert (tuned.name, tuned.card.base) == ("cells.v1-own", "cells.v1")


def test_what_is_not_a_model_is_refused(recipe, textured):
    with pytest.raises(InputError, match="is not a model"):
        sr.finetune(3, textured(), recipe)


@pytest.mark.parametrize("name", ["bicubic", "wiener", "sparse-coding-x2"])
def test_methods_without_a_network_are_refused(name, recipe, textured):
    model = sr.load_model(name, scale=2)
    with pytest.raises(InputError, match=f"{name} is a method without a network and cannot be fine-tuned"):
        sr.finetune(model, textured(), recipe, save=False)


def test_images_are_array_likes_and_paths(small_model, recipe, textured, tmp_path):
    sr.write_image(tmp_path / "cells.tif", textured())
    from_path, from_list = (
        sr.finetune(small_model, [image], recipe, save=False)
        for image in (PathLike(tmp_path / "cells.tif"), textured().astype(np.float32).tolist())
    )
    assert from_path.card.training_data[-1].name == "cells.tif"
    assert from_list.card.training_data[-1].name == "image 1"
    with pytest.raises(InputError, match="complex128"):
        sr.finetune(small_model, [textured().astype(complex)], recipe)


def test_cancel_leaves_no_model(small_model, recipe, textured):
    with pytest.raises(Cancelled):
        sr.finetune(small_model, textured(), recipe, cancel=lambda: True)
    assert not [entry for entry in sr.list_models() if entry.where == "user"]


def test_a_model_of_two_endpoints_is_trained_at_its_alpha(small_model, recipe, textured):
    state = small_model.endpoints["weights"]
    zero = {key: torch.zeros_like(value) for key, value in state.items()}
    card = small_model.card.model_copy(update={"endpoints": ("psnr", "gan")})
    pair = sr.Model(card, {"psnr": zero, "gan": dict(state)}, alpha=1.0)
    better = sr.finetune(pair, textured(), recipe, save=False)
    assert better.card.endpoints == ()
    difference = sum(float((better.endpoints["weights"][key] - state[key]).abs().sum()) for key in state)
    assert 0 < difference < 0.1 * sum(float(value.abs().sum()) for value in state.values())


def test_trainings_of_one_name_may_begin_at_the_same_moment(small_model, recipe, textured, model_folder):
    together = Barrier(2)

    def train(number: int) -> str:
        together.wait(10)
        return sr.finetune(small_model, textured(), recipe, device="cpu").name

    with ThreadPoolExecutor(2) as threads:
        assert set(threads.map(train, range(2))) == {"small-quick", "small-quick-2"}
    assert len(list((model_folder.parent / "runs").iterdir())) == 2


def test_a_saved_model_is_loaded_by_its_name(small_model, model_folder):
    saved, path = save_model(small_model)
    assert path == model_folder / "small.safetensors"
    second, other = save_model(small_model)
    assert (second.name, other.name) == ("small-2", "small-2.safetensors")
    assert sr.load_model("small-2").card.name == "small-2"
    assert saved.source == path


@pytest.mark.parametrize("name", ["srcnn-x2", "esrgan-electron-x4", "RRDB_ESRGAN_x4", "bicubic", "auto"])
def test_a_saved_model_never_has_a_name_by_which_another_is_found(small_model, model_folder, tmp_path, name):
    card = small_model.card.model_copy(update={"name": name})
    model = sr.Model(card, small_model.endpoints)
    saved, path = save_model(model)
    assert (saved.name, path) == (f"{name}-2", model_folder / f"{name}-2.safetensors")
    assert sr.load_model(saved.name).source == path
    assert save_model(model, folder=tmp_path / "elsewhere")[0].name == name
