"""Recipes are read as they were written, and errors name the key."""

from pathlib import Path

import pytest

from napari_sr import InputError, list_models
from napari_sr.training import PRESETS, Recipe, load_recipe

STAGE = '[[stages]]\nsteps = 3\nlosses = [{ kind = "l1" }]\n'


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_read_again_from_its_toml(name):
    recipe = load_recipe(name)
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_the_papers_losses_are_in_their_presets():
    psnr, gan = load_recipe("esrgan").stages
    assert [loss.kind for loss in psnr.losses] == ["l1"]
    perceptual, adversarial, l1 = gan.losses
    assert (perceptual.layers, perceptual.activation, perceptual.weight) == ({"conv5_4": 1.0}, "before", 1.0)
    assert (adversarial.form, adversarial.weight, l1.weight) == ("relativistic", 5e-3, 1e-2)
    resnet, srgan = load_recipe("srgan").stages
    assert [loss.kind for loss in resnet.losses] == ["mse"]
    assert srgan.losses[0].activation == "after"
    assert srgan.losses[0].rescale == pytest.approx(1 / 12.75)
    assert (srgan.losses[1].form, srgan.losses[1].weight) == ("standard", 1e-3)
    assert [loss.kind for loss in load_recipe("srcnn").stages[0].losses] == ["mse"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"sead = 3\n{STAGE}", "unknown key sead"),
        ('[[stages]]\nsteps = 3\nlosses = [{ kind = "l1", wait = 2 }]', r"unknown key stages\.0\.losses\.0\.wait"),
        ('[[stages]]\nlosses = [{ kind = "l1" }]', r"key stages\.0\.steps is missing"),
        ('[[stages]]\nsteps = 3\nlosses = [{ kind = "l3" }]', r"stages\.0\.losses\.0: .*'l3'"),
        (f'{STAGE}[degradation]\nblur = {{ kind = "gaussian", sigma = [3, 1] }}', "sigma goes from 3 down to 1"),
        (f'{STAGE}[degradation]\nnoise = {{ gain = "estimate", read = 2 }}', "estimated together"),
        (f"{STAGE}[patches]\nsize = 2", "a patch of 2 pixels is too small"),
        ("seed = 1", "key stages is missing"),
        ("seed = ", "not valid TOML"),
        (f'{STAGE}endpoint = "psnr"', "two stages"),
        (f'{STAGE}discriminator = {{ kind = "unet" }}', "a discriminator needs an adversarial loss"),
        (f'{STAGE}schedule = {{ kind = "cosine", cycles = [1, 1] }}', "cycles add up to 2, and there are 3 steps"),
        ('[[stages]]\nsteps = 0\nlosses = [{ kind = "l1" }]', "no stage has any steps"),
        ('[[stages]]\nsteps = 3\nlosses = [{ kind = "equivariance", blurred = -1 }]', r"stages\.0\.losses\.0\.blurred"),
        ('[[stages]]\nsteps = 3\nlosses = [{ kind = "perceptual", network = "squeezenet" }]', "given as a file"),
    ],
)
def test_an_error_names_its_key(text, message):
    with pytest.raises(InputError, match=message):
        Recipe.from_toml(text)


def test_two_numbers_that_are_no_range_may_decrease():
    recipe = Recipe.from_toml(
        "data = { sizes = [1.0, 0.7] }\n[[stages]]\nsteps = 9\nlosses = [{ kind = 'l1' }]\n"
        "optimizer = { betas = [0.9, 0.5] }\n"
        "schedule = { kind = 'cosine', cycles = [6, 3], cycle_rates = [1.0, 0.5] }"
    )
    assert recipe.data.sizes == (1.0, 0.7)
    assert recipe.stages[0].schedule.cycles == (6, 3)


def test_a_recipe_that_does_not_exist_is_refused_with_the_names_of_the_presets(tmp_path):
    with pytest.raises(InputError, match="srcnn, srgan, esrgan, quick, standard, thorough"):
        load_recipe("quik")
    with pytest.raises(InputError, match="no recipe"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "picture.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"picture\.toml"):
        load_recipe(tmp_path / "picture.toml")


def test_a_shortened_recipe_keeps_its_schedule():
    recipe = Recipe.from_toml(
        '[[stages]]\nsteps = 1000\nlosses = [{ kind = "l1" }]\n'
        'schedule = { kind = "cosine", cycles = [400, 600], warm_up = 50 }'
    )
    short = recipe.at_length(0.1)
    assert short.stages[0].steps == 100
    assert short.stages[0].schedule.cycles == (40, 60)
    assert short.stages[0].schedule.warm_up == 5
    assert Recipe.from_toml(short.to_toml()) == short
    with pytest.raises(InputError):
        recipe.at_length(0)


@pytest.mark.parametrize(
    ("every", "steps", "fraction", "expected"),
    [(5000, 1_000_000, 0.0005, 50), (200, 100_000, 0.1, 200), (2000, 100_000, 0.5, 2000), (500, 100_000, 2, 1000)],
)
def test_a_short_run_is_measured_about_ten_times(every, steps, fraction, expected):
    recipe = Recipe.from_toml(
        f'validation = {{ every = {every} }}\n[[stages]]\nsteps = {steps}\nlosses = [{{ kind = "l1" }}]'
    )
    assert recipe.at_length(fraction).validation.every == expected


def test_two_losses_of_one_kind_have_two_names():
    recipe = Recipe.from_toml('[[stages]]\nsteps = 1\nlosses = [{ kind = "l1" }, { kind = "l1", weight = 2.0 }]')
    assert recipe.stages[0].loss_names == ("l1", "l1_2")


RECIPES = sorted((Path(__file__).parents[3] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_has_the_name_of_its_file_a_curve_and_a_start_that_another_recipe_makes(path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.start is None or recipe.start in {other.stem for other in RECIPES} - {path.stem}
    assert {curve.stem for curve in (path.parent / "curves").iterdir()} >= {path.stem}


def test_every_bundled_model_has_a_recipe():
    assert {entry.name for entry in list_models() if entry.where == "bundled"} <= {path.stem for path in RECIPES}
