"""The window, the command line and Python share one settings file."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from napari_sr.cli import app
from napari_sr.config import Config, config_path, load_config, remember, save_config, update_config
from napari_sr.conversion import parse_memory
from napari_sr.errors import InputError
from napari_sr.inference import Job, upscale
from napari_sr.inference.compute.cache import cache_folder
from napari_sr.settings import JobSettings
from napari_sr.zoo import model_folder
from tests.inference.small_models import rrdb


def write(text: str) -> None:
    config_path().write_text(text, encoding="utf-8")


def test_without_a_file_all_settings_have_their_defaults() -> None:
    assert not config_path().exists()
    assert load_config() == Config(device="auto", precision="auto", memory="auto", model_folder=None, last={})


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the home folder comes from the system")
@pytest.mark.parametrize(
    ("folder", "variable"),
    [(config_path, "NAPARI_SR_CONFIG"), (model_folder, "NAPARI_SR_MODELS"), (cache_folder, "NAPARI_SR_CACHE")],
)
@pytest.mark.parametrize("earlier", [False, True], ids=["platformdirs", "earlier platformdirs"])
def test_a_user_without_a_home_folder_is_told_which_variable_to_set(
    folder: Any, variable: str, earlier: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pwd

    def unknown(uid: int) -> Any:
        raise KeyError(uid)

    assert folder().is_absolute()
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", variable):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    if earlier:
        for place in ("config.user_config_dir", "zoo.folders.user_data_dir", "inference.compute.cache.user_cache_dir"):
            monkeypatch.setattr(f"napari_sr.{place}", lambda name, appauthor: f"~/.local/{name}")
    with pytest.raises(InputError, match=f"home folder of the user is not known: .* HOME or {variable}"):
        folder()


@settings(max_examples=30)
@given(
    device=st.sampled_from(["auto", "cpu", "cuda", "cuda:3", "mps"]),
    memory=st.just("auto") | st.integers(1, 2**45),
    folder=st.none() | st.text(min_size=1).filter(str.isprintable),
    last=st.dictionaries(
        st.text(max_size=8),
        st.dictionaries(st.text(max_size=8), st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8)),
        max_size=3,
    ),
)
def test_a_saved_file_is_loaded_with_the_same_content(
    tmp_path_factory: Any, device: str, memory: Any, folder: Any, last: Any
) -> None:
    config = Config(device=device, memory=memory, model_folder=folder, last=last)
    save_config(config)
    assert load_config() == config
    assert not list(config_path().parent.glob(".*.tmp"))


def test_a_change_keeps_the_other_settings() -> None:
    write('precision = "float32"\nmemory = "2GiB"\n')
    remember("esrgan", {"alpha": 0.5, "model": "pair"})
    remember("srcnn", {"kernel": "bicubic"})
    update_config(device="cpu")
    config = load_config()
    assert (config.device, config.precision, config.memory) == ("cpu", "float32", 2**31)
    assert config.last == {"esrgan": {"alpha": 0.5, "model": "pair"}, "srcnn": {"kernel": "bicubic"}}


def test_a_change_to_the_same_value_does_not_write_the_file() -> None:
    update_config(device="auto")
    assert not config_path().exists()


def test_the_file_has_the_defaults_of_jobs_and_explicit_arguments_take_precedence() -> None:
    write('device = "cpu"\nprecision = "bfloat16"\nmemory = 12345678\n')
    job = Job(rrdb(2, 1))
    assert (job.settings.device, job.settings.precision, job.settings.memory) == ("cpu", "bfloat16", 12345678)
    job = Job(rrdb(2, 1), JobSettings(device="auto", precision="float32", memory="auto"))
    assert (job.settings.device, job.settings.precision, job.settings.memory) == ("auto", "float32", "auto")
    image = np.random.default_rng(0).integers(0, 255, (9, 9), np.uint8)
    exact = upscale(image, rrdb(2, 1), precision="float32")
    write("")
    assert np.array_equal(upscale(image, rrdb(2, 1)), exact)


def test_the_file_has_the_defaults_of_the_command_line_and_options_take_precedence(tmp_path: Path) -> None:
    from napari_sr.imaging import write_image

    write_image(tmp_path / "in.tif", np.arange(64, dtype=np.uint8).reshape(8, 8))
    write('precision = "bfloat16"\n')
    call = ["upscale", str(tmp_path / "in.tif"), "", "-m", "srcnn-x2"]
    call[2] = str(tmp_path / "a.tif")
    assert "in bfloat16" in CliRunner().invoke(app, call).output
    call[2] = str(tmp_path / "b.tif")
    assert "in float32" in CliRunner().invoke(app, [*call, "--precision", "float32"]).output


def test_the_model_folder_is_that_of_the_file_or_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SR_MODELS", "")
    update_config(model_folder=str(tmp_path / "mine"))
    assert model_folder() == tmp_path / "mine"
    monkeypatch.setenv("NAPARI_SR_MODELS", str(tmp_path / "other"))
    assert model_folder() == tmp_path / "other"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('device = "gpu"', "has device = 'gpu', which cannot be used .give auto, cpu"),
        ("device = 3", "has device = 3"),
        ('precision = "float8"', "has precision = 'float8'"),
        ('memory = "much"', "has memory = 'much'"),
        ("memory = 0", "has memory = 0"),
        ('color = "red"', "unknown setting color: the settings are device, precision"),
        ("[last.esrgan]\nalpha = [1, 2]", "has last.esrgan.alpha = "),
        ("device =", "cannot be read .*correct or remove it"),
    ],
)
def test_a_wrong_file_is_named_in_one_sentence_and_not_changed(text: str, words: str) -> None:
    write(text)
    for call in (load_config, lambda: update_config(precision="auto")):
        with pytest.raises(InputError, match=words) as caught:
            call()
        assert str(config_path()) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert config_path().read_text(encoding="utf-8") == text


def test_a_wrong_change_does_not_change_the_file() -> None:
    write('device = "cpu"\n')
    with pytest.raises(InputError, match="device = 'abacus'"):
        update_config(device="abacus")
    assert config_path().read_text(encoding="utf-8") == 'device = "cpu"\n'


@pytest.mark.parametrize(("text", "count"), [("auto", "auto"), ("5", 5), ("2GiB", 2**31), ("1.5 kB", 1500)])
def test_budgets_are_read(text: str, count: Any) -> None:
    assert parse_memory(text) == count


@pytest.mark.usefixtures("links")
def test_a_settings_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    shared = tmp_path / "shared" / "settings.toml"
    shared.parent.mkdir()
    config_path().parent.mkdir(parents=True, exist_ok=True)
    config_path().symlink_to(shared)
    for memory in ("1GiB", "2GiB"):
        update_config(memory=parse_memory(memory))
        assert config_path().is_symlink()
        assert load_config().memory == parse_memory(memory)
    assert "memory" in shared.read_text(encoding="utf-8")
