"""What all panels have in common when they open."""

import pytest
from napari.settings import get_settings
from qtpy.QtWidgets import QAbstractSpinBox, QHeaderView, QLineEdit, QTableView

from napari_sr.config import config_path
from napari_sr.settings import JobSettings
from napari_sr.widgets.files.panel import FilesPanel
from napari_sr.widgets.finetune.degradation_preview import ImagePair
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
        assert panel.job_rows.settings() == JobSettings(device=panel.settings.device.value)


@pytest.mark.parametrize("panel_class", [ESRGANPanel, FinetunePanel, FilesPanel])
def test_all_texts_of_a_panel_have_the_font_size_of_the_window(
    make_napari_viewer_proxy, models, monkeypatch, qtbot, panel_class
):
    viewer = make_napari_viewer_proxy()
    panel = panel_class(viewer, executor=InPlaceExecutor())
    viewer.window.add_dock_widget(panel, name="panel")
    viewer.__wrapped__.window._qt_window.show()
    qtbot.waitUntil(panel.native.isVisible, timeout=2_000)
    appearance = get_settings().appearance
    before = [widget.fontMetrics().height() for widget in text_widgets(panel)]
    monkeypatch.setattr(appearance, "font_size", 2 * appearance.font_size)
    after = [widget.fontMetrics().height() for widget in text_widgets(panel)]
    assert after
    assert all(now > 1.7 * then for then, now in zip(before, after, strict=True))
    if panel_class is FilesPanel:
        header, table = panel.table.horizontalHeader(), panel.table
        assert all(table.columnWidth(column) >= header.sectionSizeHint(column) for column in range(4))
    again = panel_class(viewer, executor=InPlaceExecutor())
    viewer.window.add_dock_widget(again, name="again")
    qtbot.waitUntil(again.native.isVisible, timeout=2_000)
    assert [widget.fontMetrics().height() for widget in text_widgets(again)] == after


def text_widgets(panel):
    """Text fields, tables and pictures with captions, to which napari's style gives no font size."""
    kinds = (QLineEdit, QTableView, QHeaderView, ImagePair)
    found = [widget for kind in kinds for widget in panel.native.findChildren(kind)]
    return [widget for widget in found if not isinstance(widget.parent(), QAbstractSpinBox)]
