"""Names of models: each is the name of a file and of a folder on every system, wherever it becomes one."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import napari_sr as sr
from napari_sr.cli import app
from napari_sr.errors import CheckpointError, InputError
from napari_sr.training.finetuning import new_run_folder
from napari_sr.training.result import save_model
from napari_sr.zoo import Model, load_pair, write_model
from napari_sr.zoo.names import LARGEST, LONGEST, UnknownModelError, as_name, check_name, numbered

BAD = {
    "../../x": "cannot be the name of a model",
    "..": "cannot be the name of a model",
    "/etc/passwd": "cannot be the name of a model",
    "a/b": "cannot be the name of a model",
    "a\\b": "cannot be the name of a model",
    "C:x": "cannot be the name of a model",
    "a\nb": "cannot be the name of a model",
    "a\0": "cannot be the name of a model",
    "\u202ecod.exe": "cannot be the name of a model",
    "~root": "cannot be the name of a model",
    ".bashrc": "begin it with a letter",
    "-rf": "begin it with a letter",
    "x.": "begin it with a letter",
    "x ": "begin it with a letter",
    "CON": "name of a device on Windows",
    "nul.txt": "name of a device on Windows",
    "x" * 121: "too long",
    "日" * 70: "too long",
}
GOOD = ["esrgan-fluorescence-x2", "RealESRGAN x4+ (anime)", "Zellen größer", "細胞", "1", "a.b", "x" * 120, "100%"]


@pytest.mark.parametrize("name", BAD)
def test_what_could_be_a_path_is_no_name(name):
    with pytest.raises(InputError, match=BAD[name]) as raised:
        check_name(name)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("name", GOOD)
def test_names_of_models_are_names(name):
    assert check_name(name) == as_name(name) == name


@pytest.mark.parametrize("name", ["", "  ", None, 3])
def test_no_name_is_refused(name):
    with pytest.raises(InputError, match=r"empty|not a text"):
        check_name(name)


@given(st.text(max_size=300))
def test_every_text_becomes_a_name(text):
    assert check_name(as_name(text))


@given(st.text(min_size=1, max_size=150).map(as_name), st.integers(1, 10**6))
def test_a_numbered_name_is_a_name_of_the_same_length_at_most(name, number):
    new = check_name(numbered(name, number))
    assert number == 1 or new.endswith(f"-{number}")
    assert len(new) <= LONGEST
    assert len(new.encode()) <= LARGEST


@pytest.fixture
def outside(tmp_path, folder):
    """The files outside the folder of models, which no name may reach."""
    return lambda: sorted(path for path in tmp_path.rglob("*") if folder not in (path, *path.parents))


def renamed(model, name):
    """A model whose card has a name that was not checked."""
    return Model(model.card.model_copy(update={"name": name}), model.endpoints)


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", "C:x", ".hidden"])
def test_a_bad_name_is_refused_wherever_it_would_become_a_path(tmp_path, outside, small_card, small_state, name):
    model = Model(small_card(), {"weights": small_state()})
    image = np.zeros((64, 64), np.uint8)
    before = outside()
    for call in (
        lambda: sr.finetune(model, image, "quick", name=name),
        lambda: sr.Training("quick", image, model, folder=tmp_path / "run", name=name),
        lambda: new_run_folder(name),
        lambda: save_model(renamed(model, name)),
        lambda: write_model(tmp_path / "m.safetensors", renamed(model, name).card, model.endpoints),
        lambda: sr.Recipe.from_toml(f"name = {name!r}\nstages = [{{ steps = 1, losses = [{{ kind = 'mse' }}] }}]"),
    ):
        with pytest.raises(InputError, match=r"cannot be the name of a model"):
            call()
    result = CliRunner().invoke(app, ["train", "quick", "--name", name, "--out", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert "cannot be the name of a model" in re.sub(r"[│\s]+", " ", result.output)
    assert outside() == before


def test_the_name_of_a_stage_end_is_checked():
    text = "stages = [{ steps = 1, endpoint = '../a', losses = [{ kind = 'mse' }] }]"
    with pytest.raises(InputError, match=r"endpoint: '\.\./a' cannot be the name of a model"):
        sr.Recipe.from_toml(text)


def test_a_card_with_a_path_for_a_name_is_refused_before_anything_is_made_of_it(
    tmp_path, outside, small_card, small_state
):
    from safetensors.torch import save_file

    from napari_sr.zoo.header import CARD_KEY

    text = small_card().to_json().replace('"small"', '"../../x"')
    save_file(small_state(), tmp_path / "m.safetensors", metadata={CARD_KEY: text})
    before = outside()
    for call in (
        lambda: sr.load_model(tmp_path / "m.safetensors"),
        lambda: sr.finetune(tmp_path / "m.safetensors", np.zeros((64, 64), np.uint8), "quick"),
    ):
        with pytest.raises(CheckpointError, match=r"name: '\.\./\.\./x' cannot be the name of a model"):
            call()
    assert outside() == before


def test_files_with_any_name_are_models_with_a_name(tmp_path, small_state):
    import torch

    files = []
    for stem in ("a~b", "-x", "x" * 200, "con"):
        files.append(tmp_path / f"{stem}.pth")
        torch.save(small_state(), files[-1])
        assert check_name(sr.load_model(files[-1]).name)
    pair = load_pair(files[0], files[2])
    assert check_name(pair.name)
    assert all(check_name(name) for name in pair.endpoints)


def test_a_long_name_that_is_taken_is_shortened_for_its_number(folder, small_card, small_state):
    model = Model(small_card(name="x" * LONGEST), {"weights": small_state()})
    save_model(model)
    saved, path = save_model(model)
    assert Path(path).stem == saved.name == "x" * (LONGEST - 2) + "-2"
    assert sr.load_model(path).name == saved.name


def test_the_error_of_an_unknown_name_reaches_other_processes():
    error = UnknownModelError("a\nb", "list_models() lists the names.")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.name, str(copy)) == ("a\nb", str(error))
    assert str(error) == "There is no model called 'a\\nb': list_models() lists the names."
