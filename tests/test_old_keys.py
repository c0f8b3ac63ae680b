"""Files that were written before keys were renamed are loaded with the same meaning."""

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

import napari_sr as sr
from napari_sr.config import load_config
from napari_sr.networks.discriminators import SRGANDiscriminator
from napari_sr.old_keys import renamed_card, renamed_recipe, renamed_recipe_text, renamed_run_state
from napari_sr.training import Recipe, Training
from napari_sr.training.loop.log import read_curves
from napari_sr.zoo.header import read_card

FOLDER = Path(__file__).parent / "fixtures" / "before_renames"
MODEL = FOLDER / "models" / "small-pair.safetensors"


def test_a_model_gives_the_same_pixels():
    low = np.load(FOLDER / "low.npy")
    found = sr.upscale(low, str(MODEL), axes="YX", device="cpu", precision="float32")
    assert np.array_equal(found, np.load(FOLDER / "result.npy"))


def test_a_card_has_present_keys_and_the_same_values():
    card = read_card(MODEL)
    assert (card.license, card.color, card.training_noise, card.paired) == ("CC0-1.0", "gray", True, False)
    assert Recipe.from_toml(card.recipe).stages[0].optimizer.learning_rate == 1e-3


def test_a_recipe_has_present_keys_and_the_same_values():
    recipe = Recipe.from_toml((FOLDER / "recipe.toml").read_text())
    optimizer = recipe.stages[0].optimizer
    assert (recipe.license, recipe.data.color) == ("CC0-1.0", "gray")
    assert (optimizer.learning_rate, optimizer.last_layer_rate, optimizer.whiten) == (1e-3, 0.1, True)
    assert recipe.network.start_as_interpolation
    assert recipe.stages[1].discriminator.optimizer.learning_rate == 1e-4


def test_a_stopped_run_continues_to_the_weights_of_one_that_was_not_stopped(tmp_path):
    shutil.copytree(FOLDER / "run", tmp_path / "run")
    images = [np.load(FOLDER / f"high{n}.npy") for n in range(2)]
    recipe = Recipe.from_toml((FOLDER / "recipe.toml").read_text())
    outcome = Training(recipe, images, folder=tmp_path / "run", device="cpu").run()
    assert outcome.step == 14
    whole = sr.load_model(MODEL)
    for name, state in outcome.model.endpoints.items():
        for key, tensor in state.items():
            torch.testing.assert_close(tensor, whole.endpoints[name][key], rtol=0, atol=1e-6)
    assert {"learning_rate", "psnr"} <= set(read_curves(tmp_path / "run" / "curves.csv")[0])


def test_the_discriminator_of_a_run_is_loaded():
    network = SRGANDiscriminator(channels=1, patch=16, features=2)
    state = {key.replace("classifier", "judge"): tensor for key, tensor in network.state_dict().items()}
    assert "judge.0.weight" in state
    run = {"work": {"discriminator": state}, "identity": {"recipe": ""}}
    network.load_state_dict(renamed_run_state(run)["work"]["discriminator"], strict=True)


def test_the_settings_file_is_read(monkeypatch):
    monkeypatch.setenv("NAPARI_SR_CONFIG", str(FOLDER / "config.toml"))
    config = load_config()
    assert (config.device, config.precision, config.memory) == ("cpu", "float32", 2**31)


@pytest.mark.parametrize("rename", [renamed_card, renamed_recipe])
def test_present_keys_are_unchanged(rename):
    content = {"license": "MIT", "color": "gray", "network": {"settings": {"rate": 3}}, "training_noise": None}
    assert rename(content) == content


def test_text_that_is_not_a_recipe_is_unchanged():
    assert renamed_recipe_text("trained = by = hand") == "trained = by = hand"
    present = 'license = "MIT" # a comment\n'
    assert renamed_recipe_text(present) == present
    assert tomllib.loads(renamed_recipe_text("[[stages]]\noptimiser = { rate = 1 }")) == {
        "stages": [{"optimizer": {"learning_rate": 1}}]
    }


def test_a_recipe_that_is_nested_too_deeply_is_no_crash():
    with pytest.raises(ValueError, match="nested too deeply"):
        renamed_recipe_text("a = " + "[" * 4000 + "]" * 4000)
