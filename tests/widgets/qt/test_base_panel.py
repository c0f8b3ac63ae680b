"""What all panels have in common when they open."""

import pytest

from napari_sr.config import config_path
from napari_sr.settings import JobSettings
from napari_sr.widgets.files.panel import FilesPanel
from napari_sr.widgets.finetune.panel import FinetunePanel
from napari_sr.widgets.qt.executor import InPlaceExecutor
from napari_sr.widgets.upscale.families import ESRGANPanel, SRCNNPanel, SRGANPanel
from napari_sr.zoo import folders
from tests.widgets.conftest import cells


@pytest.mark.parametrize("panel_class", [ESRGANPanel, SRGANPanel, SRCNNPanel, FinetunePanel, FilesPanel])
def test_a_panel_opens_with_the_defaults_if_the_settings_file_is_broken(
    make_napari_viewer_proxy, models, monkeypatch, qtbot, panel_class
):
    monkeypatch.delenv("NAPARI_SR_MODELS")
    monkeypatch.setattr(folders, "user_data_dir", lambda *args, **options: str(models.parent))
    config_path().parent.mkdir(parents=True, exist_ok=True)
    config_path().write_text('device = "cpu\n')
    errors = []
    monkeypatch.setattr("napari_sr.widgets.qt.errors.show_error", errors.append)
    viewer = make_napari_viewer_proxy()
    viewer.add_image(cells(), name="cells")
    panel = panel_class(viewer, executor=InPlaceExecutor())
    viewer.window.add_dock_widget(panel, name="panel")
    (sentence,) = errors
    assert sentence.startswith("The settings file")
    qtbot.waitUntil(lambda: panel.controls.message.value == sentence, timeout=2_000)
    if panel_class is SRGANPanel:
        assert str(models) in panel.models.about.value, "the folder for a first model"
    if panel_class is ESRGANPanel:
        assert panel.models.offers_model("esrgan-pair")
        assert panel._settings() == JobSettings(device=panel.settings.device.value)
