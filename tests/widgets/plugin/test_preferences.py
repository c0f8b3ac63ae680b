"""napari's preferences and the settings file are kept equal."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import napari.settings
import pytest
from npe2 import PluginManager, PluginManifest

import napari_sr
from napari_sr.config import config_path, load_config, update_config
from napari_sr.widgets.plugin import preferences
from napari_sr.widgets.qt import base_panel


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if not hasattr(napari.settings, "get_plugin_settings"):
        pytest.skip("this napari has no preferences of plugins")
    from napari.settings._plugin_config_generator import plugin_configuration_generator

    manager = PluginManager()
    manager.register(PluginManifest.from_file(Path(napari_sr.__file__).parent / "napari.yaml"))
    model = plugin_configuration_generator(manager)["napari-sr"]
    settings = model(config_path=tmp_path / "napari-sr.yaml")
    monkeypatch.setattr(napari.settings, "get_plugin_settings", lambda plugin: settings)
    yield settings.defaults
    settings.defaults.events.disconnect()


def test_the_page_shows_the_file(page: Any) -> None:
    update_config(device="cpu", memory=3 * 2**30, model_folder="/models")
    preferences.share_preferences()
    assert (page.device, page.precision, page.memory_gib, page.model_folder) == ("cpu", "auto", 3.0, "/models")


def test_a_change_on_the_page_is_written_to_the_file(page: Any) -> None:
    update_config(last={"esrgan": {"alpha": 0.5}})
    preferences.share_preferences()
    page.precision = "float32"
    page.memory_gib = 1.5
    config = load_config()
    assert (config.precision, config.memory) == ("float32", 3 * 2**29)
    assert config.last == {"esrgan": {"alpha": 0.5}}
    page.memory_gib = 0
    assert load_config().memory == "auto"


def test_another_folder_of_models_is_listed_in_all_panels(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refreshed: list[str | None] = []
    monkeypatch.setattr(base_panel, "refresh_all_models", lambda: refreshed.append(load_config().model_folder))
    preferences.share_preferences()
    page.precision = "float32"
    assert refreshed == []
    page.model_folder = "/models"
    assert refreshed == ["/models"]


def test_the_last_change_applies(page: Any, tmp_path: Path) -> None:
    update_config(device="cpu", memory=2**31)
    os.utime(config_path(), (1, 1))
    page.device = "mps"
    preferences.share_preferences()
    assert load_config().device == "mps"
    # The page did not show the file before: its default does not overwrite the file.
    assert load_config().memory == 2**31
    assert page.memory_gib == 2.0


def test_a_card_with_a_number_stays_in_the_file(page: Any) -> None:
    update_config(device="cuda:1")
    preferences.share_preferences()
    assert page.device == "cuda"
    page.precision = "float32"
    assert load_config().device == "cuda:1"


def test_a_bad_file_is_shown_and_kept(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(preferences, "show_warning", shown.append)
    config_path().write_text("device = 1\n")
    preferences.share_preferences()
    assert "device = 1" in shown[0]
    page.precision = "float32"
    assert len(shown) == 2
    assert config_path().read_text() == "device = 1\n"


def test_it_may_be_called_twice(page: Any) -> None:
    preferences.share_preferences()
    preferences.share_preferences()
    page.device = "cpu"
    assert load_config().device == "cpu"


def test_napari_calls_it_when_the_plugin_is_first_used(page: Any) -> None:
    manager = PluginManager()
    manager.register(PluginManifest.from_file(Path(napari_sr.__file__).parent / "napari.yaml"))
    update_config(precision="float32")
    manager.activate("napari-sr")
    assert page.precision == "float32"
