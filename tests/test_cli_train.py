"""`napari-sr train` trains models from files, and continues interrupted trainings."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from napari_sr.cli import app
from napari_sr.imaging.files import read_image, write_image
from napari_sr.networks import SRCNN, RRDBNet
from napari_sr.training.loop.log import read_curves
from napari_sr.zoo import list_models, load_model

RECIPE = """
name = "tiny"
family = "esrgan"
precision = "float32"
data = { images = [{ path = "pictures", name = "pictures", license = "CC0-1.0" }] }
patches = { size = 8, batch = 4, empty = 0.0 }
validation = { every = 100, block = 16, gap = 2 }

[network]
name = "RRDBNet"

[network.settings]
scale = 2
in_channels = 1
out_channels = 1
features = 4
growth = 2
blocks = 1
skip = "bilinear"

[[stages]]
steps = 400
losses = [{ kind = "l1" }]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder with a recipe and two images."""
    monkeypatch.setenv("NAPARI_SR_MODELS", str(tmp_path / "user" / "models"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    rows, columns = np.mgrid[:80, :90]
    for number in (3, 4):
        picture = 127 + 100 * np.sin(rows / number) * np.cos(columns / 5)
        write_image(tmp_path / "pictures" / f"{number}.png", picture.astype(np.uint8))
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return tmp_path


def napari_sr(*arguments, status=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, (result.exit_code, result.output, result.exception)
    return result


def test_a_recipe_becomes_a_model_that_is_listed(folder):
    result = napari_sr("train", "tiny.toml", "--length", 0.01, "--device", "cpu")
    assert "PSNR" in result.stdout
    assert "bicubic" in result.stdout
    (entry,) = [entry for entry in list_models() if entry.where == "user"]
    assert entry.name == "tiny"
    assert entry.card.training_data[0].license == "CC0-1.0"
    run = folder / "runs" / "tiny"
    assert {path.name for path in run.iterdir()} == {"recipe.toml", "curves.csv", "train.log", "last.pt", "model.txt"}
    assert read_curves(run / "curves.csv")[-1]["psnr"]
    assert "positions of patches" in (run / "train.log").read_text()


def test_a_finished_run_writes_no_second_model(folder):
    first = napari_sr("train", "tiny.toml", "--length", 0.01, "--device", "cpu")
    assert napari_sr("train", "tiny.toml", "--length", 0.01, "--device", "cpu").stdout == first.stdout
    assert len([entry for entry in list_models() if entry.where == "user"]) == 1


def test_another_run_never_overwrites_a_model(folder):
    napari_sr("train", "tiny.toml", "--length", 0.01, "--device", "cpu", "-q")
    before = load_model("tiny").endpoints["weights"]
    napari_sr("train", "tiny.toml", "--length", 0.02, "--device", "cpu", "-q", "--out", "other")
    assert {entry.name for entry in list_models() if entry.where == "user"} == {"tiny", "tiny-2"}
    assert all((load_model("tiny").endpoints["weights"][key] == value).all() for key, value in before.items())


def test_a_model_is_fine_tuned_on_files(folder):
    napari_sr("train", "tiny.toml", "--length", 0.01, "--device", "cpu", "-q")
    result = napari_sr(
        "train", "quick", "pictures/3.png", "-m", "tiny", "--length", 0.01, "--device", "cpu", "--name", "finer"
    )
    assert "finer.safetensors" in result.stdout
    card = load_model("finer").card
    assert [entry.name for entry in card.training_data] == ["pictures", "3.png"]
    assert "Trained on from tiny" in card.notes


def test_weights_that_do_not_contain_their_factor_are_fine_tuned_with_it(folder):
    settings = {"scale": 2, "channels": 1, "kernels": (3, 1, 3), "features": (4, 3)}
    torch.save(SRCNN(**settings).state_dict(), folder / "theirs.pth")
    recipe = 'stages = [{ steps = 1, losses = [{ kind = "l1" }] }]\npatches = { size = 8, batch = 2, empty = 0.0 }'
    (folder / "one.toml").write_text(recipe)
    command = ("train", "one.toml", "pictures/3.png", "-m", "theirs.pth", "--device", "cpu", "-q")
    assert "give the scale" in napari_sr(*command, status=2).stderr
    napari_sr(*command, "--scale", 2)
    card = load_model("theirs-one").card
    assert (card.scale, card.base) == (2, "theirs")


def test_models_and_recipes_of_dotted_names_have_runs_of_their_own(folder):
    napari_sr("train", "tiny.toml", "--length", 0.01, "--device", "cpu", "-q", "--name", "cells.v1")
    models = folder / "user" / "models"
    shutil.copy(models / "cells.v1.safetensors", models / "cells.v2.safetensors")
    recipe = 'stages = [{ steps = 1, losses = [{ kind = "l1" }] }]\npatches = { size = 8, batch = 2 }'
    (folder / "deg.toml").write_text(recipe)
    for model in ("cells.v1", "cells.v2"):
        napari_sr("train", "deg.toml", "pictures/3.png", "-m", model, "--device", "cpu", "-q")
        assert load_model(f"{model}-deg").card.base == model
    assert {path.name for path in (folder / "runs").iterdir()} == {"cells.v1", "cells.v1-deg", "cells.v2-deg"}


def test_another_model_in_the_run_folder_of_the_first_is_refused(folder):
    for base, length in (("a", 0.01), ("b", 0.02)):
        napari_sr("train", "tiny.toml", "--length", length, "--device", "cpu", "-q", "--name", base)
    (folder / "one.toml").write_text(
        'stages = [{ steps = 1, losses = [{ kind = "l1" }] }]\npatches = { size = 8, batch = 2 }'
    )
    command = ("train", "one.toml", "pictures/3.png", "--device", "cpu", "--out", "run")
    first = napari_sr(*command, "-m", "a")
    error = napari_sr(*command, "-m", "b", status=2).stderr
    assert error.count("\n") == 1
    assert "run holds a training with another model: choose another folder" in error
    second = napari_sr(*command, "-m", "a", "--name", "second", "--models", "elsewhere")
    assert second.stdout.startswith(str(Path("elsewhere") / "second.safetensors"))
    assert second.stdout.split(": ", 1)[1] == first.stdout.split(": ", 1)[1]


def test_pairs_are_given_by_their_low_resolution_partners(folder):
    rows, columns = np.mgrid[:80, :90]
    low = 127 + 100 * np.sin((2 * rows[:40, :45] + 0.5) / 3) * np.cos((2 * columns[:40, :45] + 0.5) / 5)
    write_image(folder / "low.png", low.astype(np.uint8))
    napari_sr("train", "tiny.toml", "pictures/3.png", "--low", "low.png", "--length", 0.01, "--device", "cpu", "-q")
    card = load_model("tiny").card
    assert (card.degradation, card.paired) == (None, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.toml"], 'There is no recipe "none.toml"'),
        (["quick", "pictures"], "give a model to fine-tune"),
        (["tiny.toml", "--data", "elsewhere"], "no file or folder"),
        (["tiny.toml", "--low", "a.png"], "1 partners for 0 images"),
        (["tiny.toml", "--devices", "3"], "multiple of 3"),
        (["tiny.toml", "--scale", "2"], "give it with --model"),
    ],
)
def test_an_error_is_one_sentence(folder, arguments, sentence):
    result = napari_sr("train", *arguments, "--device", "cpu", status=2)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("napari-sr: ")
    assert sentence in lines[0]
    assert not list_user()


def list_user():
    return [entry for entry in list_models() if entry.where == "user"]


def test_an_unknown_key_is_named_with_the_file(folder):
    (folder / "bad.toml").write_text(RECIPE.replace("steps =", "stepz ="))
    result = napari_sr("train", "bad.toml", status=2)
    assert "bad.toml cannot be used" in result.stderr
    assert "stages.0.steps is missing" in result.stderr or "stages.0.stepz" in result.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT for one process on Windows")
@pytest.mark.usefixtures("signals_as_in_a_terminal")
def test_an_interrupted_training_is_continued_by_the_same_command(folder):
    program = [sys.executable, "-c", "from napari_sr.cli import main; main()"]
    process = subprocess.Popen(
        [*program, "train", "tiny.toml", "--device", "cpu"], stderr=subprocess.PIPE, text=True, env=os.environ.copy()
    )
    log = folder / "runs" / "tiny" / "train.log"
    while not (log.is_file() and "step 100" in log.read_text()) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "the same command continues from there" in errors
    napari_sr("train", "tiny.toml", "--device", "cpu", "-q")
    assert "continued from step" in log.read_text()
    assert [entry.name for entry in list_user()] == ["tiny"]


def test_images_are_degraded_as_by_a_recipe_or_the_card_of_a_model(folder):
    recipe = (
        RECIPE.replace("steps = 400", "steps = 2")
        + """
[degradation]
blur = { kind = "gaussian", sigma = [0.5, 1.5] }
shrink = "binning"
noise = { gain = 1.0, read = [1.0, 3.0] }
"""
    )
    (folder / "noisy.toml").write_text(recipe.replace('"tiny"', '"noisy"'))
    napari_sr("train", "noisy.toml", "--data", ".")
    napari_sr("degrade", "pictures", "by-recipe", "--model", "noisy.toml")
    napari_sr("degrade", "pictures", "by-card", "--model", "noisy")
    made = [read_image(folder / place / "3.tif").data for place in ("by-recipe", "by-card")]
    np.testing.assert_array_equal(*made)
    assert (made[0].shape, made[0].dtype) == ((40, 45), np.uint8)
    truth = read_image(folder / "pictures" / "3.png").data.astype(float)
    noise = made[0] - truth.reshape(40, 2, 45, 2).mean(axis=(1, 3))
    assert 5 < noise.std() < 20, "shot noise of about 127 photons, and a little blur"
    table = napari_sr("evaluate", "by-card", "pictures", "--model", "noisy", "--model", "bicubic").output
    assert "noisy" in table
    assert "bicubic" in table


def test_noise_can_be_scaled_to_images_of_more_values(folder):
    rng = np.random.default_rng(0)
    flat = (np.full((80, 80), 2000) + rng.integers(0, 2, (80, 80))).astype(np.uint16)
    write_image(folder / "flat.tif", flat, pixel_size={"Y": 0.1, "X": 0.1}, unit="micrometer")
    (folder / "noisy.toml").write_text(RECIPE + "\n[degradation]\nshrink = 'binning'\nnoise = { gain = 0, read = 2.0 }")
    output = napari_sr("degrade", "flat.tif", "low", "--model", "noisy.toml", "--noise-scale", "16").output
    assert output.startswith("low: one image, 2 times smaller: ")
    low = read_image(folder / "low" / "flat.tif")
    assert low.data.std() == pytest.approx(32, rel=0.1)
    assert low.pixel_size == pytest.approx({"Y": 0.2, "X": 0.2})


def test_a_recipe_of_a_degradation_alone_is_enough_for_degrade_and_none_for_train(folder):
    (folder / "microscope.toml").write_text("[degradation]\nshrink = 'binning'\n")
    napari_sr("degrade", "pictures", "low", "--model", "microscope.toml", "--scale", "2")
    truth = read_image(folder / "pictures" / "3.png").data.astype(float)
    binned = truth.reshape(40, 2, 45, 2).mean(axis=(1, 3))
    assert np.abs(read_image(folder / "low" / "3.tif").data - binned).max() <= 0.5
    assert "the key stages is missing" in napari_sr("train", "microscope.toml", status=2).output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere", "low", "--model", "tiny.toml"), "no file or folder nowhere"),
        (("pictures", "pictures", "--model", "tiny.toml"), "the images themselves"),
        (("pictures", "low", "--model", "plain.pth"), "has no degradation"),
        (("pictures", "low", "--model", "srcnn.pth"), "srcnn.pth has no degradation"),
        (("pictures", "low", "--model", "srcnn.pth", "--scale", "2"), "srcnn.pth has no degradation"),
        (("pictures", "low", "--model", "bicubic", "--scale", "2"), "bicubic has no degradation"),
        (("pictures", "low", "--model", "missing.pth"), "no file missing.pth"),
        (("pictures", "plain.pth", "--model", "tiny.toml"), "plain.pth is not a folder: give a folder"),
        (("pictures", "low", "--model", "esrgan-microscopy-x2"), "that describes your microscope"),
        (("pictures", "low", "--model", "tiny.toml", "--noise-scale", "0"), "above 0"),
        (("pictures", "low", "--model", "tiny.toml", "--scale", "99"), "99 times smaller"),
    ],
)
def test_an_error_of_degrade_is_one_sentence(folder, arguments, sentence):
    # Published weights without a recipe.
    torch.save(RRDBNet(features=4, growth=2, blocks=1).state_dict(), folder / "plain.pth")
    torch.save(SRCNN().state_dict(), folder / "srcnn.pth")
    before = {path: path.read_bytes() for path in (folder / "pictures").iterdir()}
    assert sentence in napari_sr("degrade", *arguments, status=2).output
    assert {path: path.read_bytes() for path in (folder / "pictures").iterdir()} == before
    assert not list(folder.glob("low/*"))


def test_one_image_is_degraded_to_a_file_of_the_given_name(folder):
    source = next((folder / "pictures").iterdir())
    before = source.read_bytes()
    arguments = ("degrade", f"pictures/{source.name}", "low.tif", "--model", "tiny.toml")
    assert napari_sr(*arguments).output.startswith("low.tif: one image, 2 times smaller: ")
    napari_sr("degrade", f"pictures/{source.name}", "low", "--model", "tiny.toml")
    in_folder = read_image(folder / "low" / f"{source.stem}.tif")
    np.testing.assert_array_equal(read_image(folder / "low.tif").data, in_folder.data)
    assert "low.tif exists already" in napari_sr(*arguments, status=2).output
    napari_sr(*arguments, "--overwrite")
    onto = ("degrade", f"pictures/{source.name}", f"pictures/{source.name}", "--model", "tiny.toml", "--overwrite")
    assert "is the input itself" in napari_sr(*onto, status=2).output
    assert source.read_bytes() == before


@pytest.mark.parametrize(("images", "out"), [("pictures", "out.tif"), ("pictures", "out.zarr"), ("one", "out.zarr")])
def test_degraded_images_have_no_folder_with_the_name_of_an_image(folder, images, out):
    given = next((folder / "pictures").iterdir()) if images == "one" else images
    assert "is the name of an image" in napari_sr("degrade", str(given), out, "--model", "tiny.toml", status=2).output
    assert not (folder / out).exists()


def test_existing_degraded_images_are_kept(folder):
    napari_sr("degrade", "pictures", "low", "--model", "tiny.toml")
    assert "exists already" in napari_sr("degrade", "pictures", "low", "--model", "tiny.toml", status=2).output
    napari_sr("degrade", "pictures", "low", "--model", "tiny.toml", "--overwrite")
