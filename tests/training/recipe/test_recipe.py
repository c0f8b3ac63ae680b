"""Recipes are read as they were written, and errors name the key."""

import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from napari_sr import InputError, Percentiles, list_models
from napari_sr.imaging.intensity.spec import SPECS
from napari_sr.training import PRESETS, Degradation, Noise, Recipe, load_recipe
from napari_sr.training.recipe import Data

CONDITIONS = '[[stages]]\nsteps = 3\nlosses = [{ kind = "relative" }]\n[conditions]\nnoise = { gain = 1, read = 1 }\n'
STAGE = '[[stages]]\nsteps = 3\nlosses = [{ kind = "l1" }]\n'


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_read_again_from_its_toml(name):
    recipe = load_recipe(name)
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Noise(gain=-1), "The Noise cannot be used: gain: Input should be greater than or equal to 0."),
        (lambda: Noise(gain=1, read=2, shot=3), "The Noise cannot be used: it has an unknown key shot."),
        (lambda: Degradation(noise={"gain": 1}), "The Degradation cannot be used: the key noise.read is missing."),
        (lambda: Recipe(name=5), "The Recipe cannot be used: name: Input should be a valid string."),
        (lambda: Recipe(name="../x"), "The Recipe cannot be used: name:"),
    ],
)
def test_a_table_that_is_made_of_other_values_is_refused_in_one_sentence(make, sentence):
    with pytest.raises(InputError) as refused:
        make()
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"seed": -4}, "The Recipe cannot be used: seed: Input should be greater than or equal to 0."),
        ({"degradatoin": {}}, "The Recipe cannot be used: it has an unknown key degradatoin."),
        ({"degradation": {"shrink": "half"}}, "The Recipe cannot be used: degradation.shrink: "),
        ({"stages": ()}, "The Recipe cannot be used: stages: Input has too few items"),
    ],
)
def test_a_changed_copy_is_checked_as_a_new_table_is(values, sentence):
    with pytest.raises(InputError) as refused:
        load_recipe("quick").model_copy(update=values)
    assert str(refused.value).startswith(sentence)


def test_a_changed_copy_differs_in_what_was_changed_alone():
    recipe = load_recipe("quick")
    copied = recipe.model_copy(update={"degradation": {"shrink": "binning", "noise": {"gain": 1, "read": 2}}})
    assert copied.degradation == Degradation(shrink="binning", noise=Noise(gain=1, read=2))
    assert copied.model_copy(update={"degradation": recipe.degradation}) == recipe == recipe.model_copy()
    seeded = tomllib.loads(recipe.model_copy(update={"seed": 3}).to_toml())
    assert seeded == {**tomllib.loads(recipe.to_toml()), "seed": 3}


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
        ('[[stages]]\nsteps = 3\nlosses = [{ kind = "matching" }]', "the loss matching needs an adversarial one"),
        (f'{STAGE}schedule = {{ kind = "cosine", cycles = [1, 1] }}', "cycles add up to 2, and there are 3 steps"),
        ('[[stages]]\nsteps = 0\nlosses = [{ kind = "l1" }]', "no stage has any steps"),
        ('[[stages]]\nsteps = 3\nlosses = [{ kind = "equivariance", blurred = -1 }]', r"stages\.0\.losses\.0\.blurred"),
        (f'{STAGE}discriminator = {{ kind = "projected" }}', "name layers of the network"),
        (f'{STAGE}discriminator = {{ kind = "unet", layers = ["conv1_1"] }}', "leave layers out"),
        ('[[stages]]\nsteps = 3\nlosses = [{ kind = "relative", floor = 0 }]', r"stages\.0\.losses\.0\.floor"),
        (f'{STAGE}schedule = {{ kind = "constant", final = 0.1 }}', "no final rate"),
        (f'{STAGE}reference = "psnr"', "not the endpoint of an earlier stage"),
        (
            '[[stages]]\nsteps = 3\nlosses = [{ kind = "adversarial", evenness = 0.1 }]\n'
            'discriminator = { kind = "unet" }',
            "evenness needs the errors of an endpoint",
        ),
        (
            '[[stages]]\nsteps = 3\nlosses = [{ kind = "adversarial", noise = 0.1 }]\n'
            'discriminator = { kind = "unet" }',
            "goes with evenness",
        ),
        ('[[stages]]\nsteps = 3\nlosses = [{ kind = "bands" }]', "bands needs the results of an endpoint"),
        (f"{STAGE}[conditions]\nhalo = 3", r"key conditions\.noise is missing"),
        (f"{STAGE}[conditions.noise]\ngain = [0, 1]\nread = 1", r"conditions\.noise\.gain"),
        (f"{STAGE}[conditions.noise]\ngain = [2, 1]\nread = 1", "range of gain goes from 2 down to 1"),
        (f"{CONDITIONS}flats = 1.5", r"conditions\.flats"),
        (f'{CONDITIONS}[degradation]\nshrink = "binning"', "in place of a degradation"),
        (f"{CONDITIONS}[data]\ndenoise = 0.8", "leave denoise out"),
        (f'{CONDITIONS}[data]\nimages = [{{ path = "a", low = "b" }}]', "leave the key low of images out"),
        (f'{STAGE}[data]\nimages = [{{ path = "a", share = 0.3 }}]', "the key share of images is for recipes with"),
        (f'{STAGE}[data]\nimages = [{{ path = "a", colors = "separate" }}]', "the key colors of images"),
        ("[[stages]]\nsteps = 3\nlosses = [{ weight = 2 }]", r"key stages\.0\.losses\.0\.kind is missing"),
        ('[[stages]]\nsteps = 3\nlosses = [{ kind = "matching", weight = 0 }]', r"losses\.0\.weight: "),
        ('[[stages]]\nsteps = 3\nlosses = [{ kind = "perceptual", relative = 7 }]', r"losses\.0\.relative: "),
        (f'{STAGE}[patches]\nsize = "large"', r": patches\.size: "),
        (f"{STAGE}[data]\nsizes = []", r": data\.sizes: Input has too few items: give at least 1\."),
        (f"{STAGE}[data]\nsizes = 0.5", r": data\.sizes: Input should be a list\."),
        (f'{STAGE}optimizer = "adam"', r": stages\.0\.optimizer: Input should be a table\."),
        (f"{STAGE}optimizer = {{ betas = [0.9] }}", r"key stages\.0\.optimizer\.betas\.1 is missing"),
        (f"{STAGE}[data]\nplanes = 1{'0' * 30}", ": data: planes is too large: give at most 1e\\+09"),
        (f"{STAGE}optimizer = {{ weight_decay = 1e300 }}", "weight_decay is too large: give at most 1e\\+15"),
        (
            f"{STAGE}[degradation]\nblur = {{ kind = 'gaussian', sigma = [1, 2000] }}",
            r": degradation\.blur\.sigma\.1: ",
        ),
        (f"{STAGE}[degradation]\noffset = [1, 2, 3]", r": degradation\.offset: Input has too many items"),
        ('[[stages]]\nsteps = 3\nlosses = ["l1"]', r": stages\.0\.losses\.0: Input should be a table\."),
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


@pytest.mark.parametrize(("file", "name"), [("deg.toml", "deg"), ("a.v2.toml", "a.v2"), ("-?.toml", "_")])
def test_a_file_without_a_name_gives_the_recipe_its_own(tmp_path, file, name):
    if sys.platform == "win32" and "?" in file:
        pytest.skip("no name of a file on Windows")
    (tmp_path / file).write_text(STAGE)
    assert load_recipe(tmp_path / file).name == name
    (tmp_path / file).write_text(f'name = "model"\n{STAGE}')
    assert load_recipe(tmp_path / file).name == "model"


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


@pytest.mark.parametrize(
    "intensity", [*SPECS, (100.0, 4095.0), (-0.5, 0.5), Percentiles(), Percentiles(1, 99.8)], ids=str
)
def test_every_form_of_the_intensity_is_read_again_from_its_toml(intensity):
    recipe = Recipe.from_toml(STAGE)
    recipe = recipe.model_copy(update={"data": Data(intensity=intensity)})
    again = Recipe.from_toml(recipe.to_toml())
    assert again == recipe
    assert again.data.intensity == intensity
    assert type(again.data.intensity) is type(intensity)


def test_percentiles_of_the_intensity_are_a_table():
    recipe = Recipe.from_toml(f"data = {{ intensity = {{ low = 1, high = 99.8 }} }}\n{STAGE}")
    assert recipe.data.intensity == Percentiles(1, 99.8)
    with pytest.raises(InputError, match=r"data\.intensity"):
        Recipe.from_toml(f"data = {{ intensity = {{ low = 9, high = 1 }} }}\n{STAGE}")


def test_two_losses_of_one_kind_have_two_names():
    recipe = Recipe.from_toml('[[stages]]\nsteps = 1\nlosses = [{ kind = "l1" }, { kind = "l1", weight = 2.0 }]')
    assert recipe.stages[0].loss_names == ("l1", "l1_2")


def test_conditions_are_read_again_from_their_toml():
    recipe = Recipe.from_toml(
        f"{CONDITIONS}smooth = {{ fraction = 0.1, sigma = [0.5, 2.5] }}\n"
        "blur = { result = [0.3, 1.8], absent = 0.3 }\n"
        '[data]\nimages = [{ path = "a", share = 0.3, sizes = [1.0, 0.5], noisy = 0.4, colors = "separate", '
        'exclude = ["x*.png"] }]'
    )
    assert recipe.conditions.noise.gain == 1.0
    assert recipe.data.images[0].sizes == (1.0, 0.5)
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_a_recipe_without_conditions_is_written_as_before():
    recipe = Recipe.from_toml(f'{STAGE}[data]\nimages = [{{ path = "a" }}]')
    text = recipe.to_toml()
    assert not any(key in text for key in ("conditions", "share", "exclude", "final", "colors"))
    assert not any(key in load_recipe("esrgan").to_toml() for key in ("conditions", "final"))


FOLDER = Path(__file__).parents[3] / "recipes"
#: A list of files instead of a recipe.
HELD_OUT = FOLDER / "held_out.toml"
RECIPES = sorted(set(FOLDER.glob("*.toml")) - {HELD_OUT})


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_has_the_name_of_its_file_a_curve_and_a_start_that_another_recipe_makes(path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.start is None or recipe.start in {other.stem for other in RECIPES} - {path.stem}
    has_curve = path.stem in {curve.stem for curve in (path.parent / "curves").iterdir()}
    assert has_curve


def files_in(entry, listed):
    """Files of the list that an image set contains."""
    names = [name.removeprefix(f"{entry.path}/") for name in listed if name.startswith(f"{entry.path}/")]
    return {name for name in names if not any(fnmatchcase(name, pattern) for pattern in entry.exclude)}


CONDITIONED = [path for path in RECIPES if load_recipe(path).conditions is not None]


@pytest.mark.parametrize("path", CONDITIONED, ids=lambda path: path.stem)
def test_nothing_that_is_held_out_is_trained_on(path):
    listed = {name: part["files"] for name, part in tomllib.loads(HELD_OUT.read_text(encoding="utf-8")).items()}
    everything = [file for files in listed.values() for file in files]
    recipe = load_recipe(path)
    assert not any(files_in(entry, everything) for entry in recipe.data.images)
    assert not any(entry.path == name or entry.path.startswith(f"{name}/") for entry in recipe.data.images
                   for name in everything)  # fmt: skip
    # An excluded file is on the list, so that nothing is left out without a reason.
    for entry in recipe.data.images:
        assert {f"{entry.path}/{name}" for name in entry.exclude} <= set(everything)
    assert [entry.path for entry in recipe.validation.images] == listed["validation"]


def test_every_bundled_model_has_a_recipe():
    bundled = {entry.name: entry.card.family for entry in list_models() if entry.where == "bundled"}
    fitted = {name for name, family in bundled.items() if family == "classic"}
    assert bundled.keys() - fitted <= {path.stem for path in RECIPES}
    # Sparse coding is fitted by a script of its own.
    assert fitted == {f"sparse-coding-x{scale}" for scale in (2, 3, 4)}
    assert (RECIPES[0].parent / "sparse_coding.py").is_file()


def test_a_family_that_no_recipe_has_is_not_offered():
    with pytest.raises(InputError, match="should be 'srcnn', 'srgan' or 'esrgan'"):
        Recipe.from_toml('family = "esrgn"\nstages = [{ steps = 4, losses = [{ kind = "l1" }] }]')
