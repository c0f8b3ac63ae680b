"""The panel for files: a folder is upscaled with few clicks, and the table says what became of each image."""

import threading

import numpy as np
import pytest
from napari.utils.theme import get_theme
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

import napari_sr as sr
from napari_sr.inference.files import jobs as file_jobs
from napari_sr.inference.run.work import Work
from napari_sr.widgets.files.panel import FilesPanel
from napari_sr.widgets.qt.executor import InPlaceExecutor, ThreadExecutor
from napari_sr.widgets.qt.text.contrast import LEAST, contrast

RNG = np.random.default_rng(0)
FULLY_ENCODED = QUrl.ComponentFormattingOption.FullyEncoded


@pytest.fixture(autouse=True)
def suggested(monkeypatch):
    """The model that is suggested for each image; the bundled ones are hidden in these tests."""
    monkeypatch.setattr(file_jobs, "suggested_settings", lambda settings, *given, **options: ("esrgan-one", settings))


@pytest.fixture
def plate(tmp_path):
    """A folder with two images, one of them in a folder of its own, and a file that is no image."""
    (tmp_path / "plate" / "B2").mkdir(parents=True)
    sr.write_image(tmp_path / "plate" / "a.tif", RNG.integers(0, 4096, (9, 8), np.uint16), "YX")
    sr.write_image(tmp_path / "plate" / "B2" / "b.png", RNG.integers(0, 256, (7, 10), np.uint8))
    (tmp_path / "plate" / "bad.tif").write_text("no image")
    return tmp_path / "plate"


@pytest.fixture
def results(plate):
    """The folder that is proposed for the results."""
    return plate.with_name("plate-upscaled")


@pytest.fixture
def opened(make_napari_viewer_proxy, models):
    """A viewer with the panel, whose dialog has chosen a folder."""

    def make(folder=None, executor=None):
        viewer = make_napari_viewer_proxy()
        panel = FilesPanel(viewer, executor=executor or InPlaceExecutor())
        viewer.window.add_dock_widget(panel, name="Files")
        if folder is not None:
            panel.images.folder_dialog = lambda parent: [folder]
            click(panel.images.folder_button)
        return viewer, panel

    return make


def click(button):
    QTest.mouseClick(button.native, Qt.MouseButton.LeftButton)


def drop(widget, *paths):
    """Drag files and folders onto a widget, as to be moved, drop them if it accepts that, and return whether it does.

    A move that was accepted would be followed by the file manager, which removes the files.
    """
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    mime.setText("\n".join(url.toString() for url in mime.urls()))
    actions = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
    how = actions, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier
    assert widget.acceptDrops()
    enter = QDragEnterEvent(QPoint(5, 5), *how)
    enter.ignore()
    QApplication.sendEvent(widget, enter)
    if not enter.isAccepted():
        return False
    event = QDropEvent(QPointF(5, 5), *how)
    QApplication.sendEvent(widget, event)
    assert event.dropAction() == Qt.DropAction.CopyAction
    return True


def table(panel):
    """Image, state and reason of each row, as they are shown."""
    model = panel.table.results
    return [tuple(model.data(model.index(row, column)) for column in range(3)) for row in range(model.rowCount())]


def states(panel):
    return {name.replace("\\", "/"): state for name, state, _ in table(panel)}


def shown(panel):
    """Names of the rows about the model that are visible."""
    rows = (*panel.model.above, *panel.model.below)
    return {row.name for row in rows if row.native.isVisibleTo(panel.native)}


def test_a_folder_is_upscaled_with_two_clicks_and_a_dialog(opened, plate, results):
    _, panel = opened(plate)
    assert panel.images.chosen.value == f"3 images in {plate}"
    assert states(panel) == {"B2/b.png": "waiting", "a.tif": "waiting", "bad.tif": "waiting"}
    assert panel.controls.start_button.enabled
    click(panel.controls.start_button)
    assert states(panel) == {"B2/b.png": "done", "a.tif": "done", "bad.tif": "failed"}
    assert panel.controls.message.value == f"2 done, 1 failed. The results are in {results}."
    for name in ("a.tif", "B2/b.png"):
        alone = sr.upscale(sr.read_image(plate / name), "esrgan-one", device="cpu")
        assert np.array_equal(sr.read_image(results / name).data, alone)


def test_the_folder_of_the_results_is_not_named_without_a_result(opened, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "bad.tif").write_bytes(b"no image")
    _, panel = opened(tmp_path / "bad")
    click(panel.controls.start_button)
    assert panel.controls.message.value == "1 failed."


def test_tab_leaves_the_table(opened, plate, qtbot):
    viewer, panel = opened(plate)
    window = viewer.__wrapped__.window._qt_window
    window.show()
    window.activateWindow()
    qtbot.waitExposed(window)
    panel.table.selectRow(1)
    panel.table.setFocus()
    qtbot.waitUntil(panel.table.hasFocus)
    QTest.keyClick(panel.table, Qt.Key.Key_Tab)
    assert not panel.table.hasFocus()
    assert panel.table.currentIndex().row() == 1


def test_a_failed_image_has_its_reason_and_the_color_of_warnings(opened, plate):
    viewer, panel = opened(plate)
    click(panel.controls.start_button)
    name, state, reason = table(panel)[2]
    assert (name, state) == ("bad.tif", "failed")
    assert reason.startswith("The file bad.tif cannot be read as an image")
    model = panel.table.results
    assert str(plate / "bad.tif") in model.data(model.index(2, 2), Qt.ItemDataRole.ToolTipRole)
    assert model.data(model.index(1, 1), Qt.ItemDataRole.ForegroundRole) is None
    viewer.theme = "dark"
    color = model.data(model.index(2, 1), Qt.ItemDataRole.ForegroundRole)
    assert color.name() == get_theme("dark").warning.as_hex(format="long")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_failed_image_can_be_read_in_both_themes(opened, plate, qtbot, theme):
    viewer, panel = opened(plate)
    click(panel.controls.start_button)
    viewer.theme = theme
    window = viewer.__wrapped__.window._qt_window
    window.show()
    qtbot.waitExposed(window)
    view = panel.table
    image = view.viewport().grab().toImage()
    # The corner of a cell is its background.
    corner = view.visualRect(view.results.index(2, 1)).topLeft()
    background = image.pixelColor(corner.x() + 1, corner.y() + 1).name()
    color = view.results.data(view.results.index(2, 1), Qt.ItemDataRole.ForegroundRole)
    assert contrast(color.name(), background) >= LEAST


def test_a_typed_folder_may_begin_with_the_home_folder(opened, plate, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    _, panel = opened(plate)
    line = panel.images.out_folder.line_edit.native
    for typed, folder in (("~/out", tmp_path / "home" / "out"), ("out", tmp_path / "elsewhere" / "out")):
        line.selectAll()
        QTest.keyClicks(line, typed)
        click(panel.controls.start_button)
        assert panel.controls.message.value == f"2 done, 1 failed. The results are in {folder}."
        assert (folder / "a.tif").is_file()
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["out"]


def test_a_dropped_folder_and_dropped_files_are_chosen(opened, plate, results):
    _, panel = opened()
    assert drop(panel.native, plate)
    assert panel.images.inputs == (plate,)
    assert panel.images.chosen.value == f"3 images in {plate}"
    assert panel.images.folder == results
    assert drop(panel.native, plate / "a.tif", plate / "B2" / "b.png")
    assert set(states(panel)) == {"a.tif", "b.png"}
    assert not drop(panel.native)


def test_the_folder_of_the_results_may_be_dropped_or_pasted_as_an_address(opened, plate, tmp_path):
    _, panel = opened(plate)
    line = panel.images.out_folder.line_edit.native
    (tmp_path / "the results").mkdir()
    assert drop(line, tmp_path / "the results")
    assert line.text() == str(tmp_path / "the results")
    assert panel.images.inputs == (plate,)
    line.selectAll()
    QApplication.clipboard().setText(QUrl.fromLocalFile(str(tmp_path / "new results")).toString(FULLY_ENCODED))
    line.paste()
    assert line.text().startswith("file:///")
    assert panel.images.folder == tmp_path / "new results"


def test_images_and_folder_cannot_be_changed_during_their_run(held, plate, qtbot):
    _, panel, gate = held
    assert gate.reached.acquire(timeout=60)
    assert not any(row.enabled for row in panel.images.widgets)
    drop(panel.native, plate / "B2")
    assert panel.images.inputs == (plate,)
    click(panel.controls.stop_button)
    qtbot.waitUntil(lambda: not panel.running, timeout=30_000)
    assert all(row.enabled for row in panel.images.widgets)


def test_the_reason_of_missing_pixels_names_the_row_of_the_panel(opened, tmp_path):
    image = RNG.random((9, 8), np.float32)
    image[3, 4] = np.nan
    (tmp_path / "missing").mkdir()
    sr.write_image(tmp_path / "missing" / "a.tif", image, "YX")
    _, panel = opened(tmp_path / "missing")
    click(panel.controls.start_button)
    ((_, state, reason),) = table(panel)
    assert state == "failed"
    assert "check “Missing pixels” under “More” to fill such pixels" in reason


def test_finished_images_are_skipped(opened, plate):
    _, panel = opened(plate)
    click(panel.controls.start_button)
    click(panel.controls.start_button)
    assert states(panel) == {"B2/b.png": "skipped", "a.tif": "skipped", "bad.tif": "failed"}
    assert table(panel)[0][2] == "It is finished."


def test_other_files_are_replaced_only_if_that_is_chosen(opened, plate, results):
    results.mkdir()
    (results / "a.tif").write_text("precious")
    _, panel = opened(plate)
    click(panel.controls.start_button)
    assert states(panel)["a.tif"] == "failed"
    assert (results / "a.tif").read_text() == "precious"
    panel.overwrite.value = True
    click(panel.controls.start_button)
    assert states(panel) == {"B2/b.png": "skipped", "a.tif": "done", "bad.tif": "failed"}


def test_files_may_be_chosen_with_a_format_and_a_folder(opened, plate, tmp_path):
    _, panel = opened()
    assert not panel.controls.start_button.enabled
    panel.images.files_dialog = lambda parent: [plate / "a.tif", plate / "bad.tif"]
    click(panel.images.files_button)
    assert panel.images.chosen.value == f"2 images of {plate}"
    panel.images.out_folder.line_edit.value = str(tmp_path / "mine")
    panel.images.format.value = ".ome.tif"
    click(panel.controls.start_button)
    assert sr.read_image(tmp_path / "mine" / "a.ome.tif").data.shape == (36, 32)
    # The folder that was chosen by hand stays.
    panel.images.folder_dialog = lambda parent: [plate]
    click(panel.images.folder_button)
    assert panel.images.folder == tmp_path / "mine"
    assert states(panel) == {"B2/b.png": "waiting", "a.tif": "waiting", "bad.tif": "waiting"}


def test_a_dialog_that_is_closed_changes_nothing(opened, plate):
    _, panel = opened(plate)
    before = table(panel)
    panel.images.folder_dialog = lambda parent: []
    click(panel.images.folder_button)
    assert table(panel) == before
    assert panel.images.inputs == (plate,)


def test_a_choice_that_cannot_be_used_is_a_sentence_and_nothing_starts(opened, plate, tmp_path):
    _, panel = opened(plate)
    panel.images.out_folder.line_edit.value = str(plate)
    assert "is the folder of the images themselves" in panel.images.chosen.value
    assert table(panel) == []
    assert not panel.controls.start_button.enabled
    panel.images.out_folder.line_edit.value = ""
    assert panel.images.chosen.value == "Choose a folder of images, or files."
    (tmp_path / "empty").mkdir()
    panel.images.choose([tmp_path / "empty"])
    assert "has no image in it" in panel.images.chosen.value
    assert not panel.controls.start_button.enabled


def test_images_whose_results_would_have_one_name_are_failures_at_once(opened, plate):
    sr.write_image(plate / "B2" / "b.tif", RNG.integers(0, 256, (7, 10), np.uint8))
    _, panel = opened(plate)
    panel.images.format.value = ".tif"
    assert states(panel) == {"B2/b.png": "failed", "B2/b.tif": "failed", "a.tif": "waiting", "bad.tif": "waiting"}


def test_one_model_for_all_images_has_the_rows_of_its_panel(opened, plate, results, conditioned):
    _, panel = opened(plate)
    assert shown(panel) == {"model_kind", "suggested_factor"}
    panel.model.kind.value = "same"
    panel.model.models.select(conditioned)
    assert {"model", "factor", "mix_with", "noise", "denoise", "blur"} <= shown(panel)
    assert "suggested_factor" not in shown(panel)
    panel.model.conditions.noise.denoise.value = 0.5
    panel.size.kind.value, panel.size.factor.value = "factor", 3.0
    click(panel.controls.start_button)
    assert states(panel)["a.tif"] == "done"
    alone = sr.upscale(sr.read_image(plate / "a.tif"), conditioned, device="cpu", denoise=0.5, target=3.0)
    assert np.array_equal(sr.read_image(results / "a.tif").data, alone)


def test_a_method_without_training_runs_on_all_images_with_its_own_rows(opened, plate, results):
    _, panel = opened(plate)
    panel.model.kind.value = "same"
    panel.model.models.select("wiener")
    assert {"model", "factor", "noise", "denoise", "blur"} <= shown(panel)
    assert "mix_with" not in shown(panel)
    panel.model.models.factor.value = 3
    panel.model.conditions.blur.sigma.value = 0.7
    click(panel.controls.start_button)
    assert states(panel)["a.tif"] == "done"
    alone = sr.upscale(sr.read_image(plate / "a.tif"), sr.load_model("wiener", scale=3), device="cpu", blur=0.7)
    assert np.array_equal(sr.read_image(results / "a.tif").data, alone)


def test_the_contrast_of_a_layer_is_not_offered(opened):
    _, panel = opened()
    assert "contrast" not in panel.settings.intensity.kind.choices
    assert "percentile" in panel.settings.intensity.kind.choices


def test_a_model_that_cannot_be_loaded_is_a_notification_and_nothing_is_written(
    opened, plate, results, models, monkeypatch
):
    notifications = []
    monkeypatch.setattr("napari_sr.widgets.qt.errors.show_error", notifications.append)
    _, panel = opened(plate)
    panel.model.kind.value = "same"
    panel.model.models.select("esrgan-one")
    (models / "esrgan-one.safetensors").write_bytes(b"broken")
    click(panel.controls.start_button)
    assert len(notifications) == 1
    assert panel.controls.message.value == notifications[0]
    assert not panel.running
    assert panel.controls.start_button.enabled
    assert not results.exists()


class Gate:
    """Holds each image until it is opened once more, or the run is stopped."""

    def __init__(self, monkeypatch):
        self.reached, self.open = threading.Semaphore(0), threading.Semaphore(0)
        compute = Work._compute_batch

        def held(work, *given):
            self.reached.release()
            while not self.open.acquire(timeout=0.01) and not work.cancel():
                pass
            compute(work, *given)

        monkeypatch.setattr(Work, "_compute_batch", held)


@pytest.fixture
def held(opened, plate, monkeypatch, qtbot):
    """A viewer and a panel whose run waits at the gate, with real threads."""
    gate = Gate(monkeypatch)
    viewer, panel = opened(executor=ThreadExecutor())
    panel.images.choose([plate])
    qtbot.waitUntil(lambda: panel.controls.start_button.enabled, timeout=30_000)
    click(panel.controls.start_button)
    return viewer, panel, gate


def test_stop_keeps_what_is_finished_and_continue_goes_on(held, results, qtbot):
    _, panel, gate = held
    assert not panel.controls.start_button.enabled
    gate.open.release()
    partly = {"B2/b.png": "done", "a.tif": "running", "bad.tif": "waiting"}
    qtbot.waitUntil(lambda: states(panel) == partly, timeout=60_000)
    assert "1 of 3 images" in panel.controls.message.value
    click(panel.controls.stop_button)
    qtbot.waitUntil(lambda: not panel.running, timeout=30_000)
    assert states(panel) == {"B2/b.png": "done", "a.tif": "waiting", "bad.tif": "waiting"}
    assert panel.controls.message.value == "Stopped after 1 of 3 images: Continue goes on with the others."
    assert panel.controls.start_button.text == "Continue"
    assert not [path for path in results.iterdir() if path.name.startswith((".", "a"))]
    gate.open.release()
    click(panel.controls.start_button)
    qtbot.waitUntil(lambda: not panel.running, timeout=60_000)
    assert states(panel) == {"B2/b.png": "skipped", "a.tif": "done", "bad.tif": "failed"}
    assert panel.controls.message.value.startswith("1 done, 1 skipped, 1 failed.")
    assert panel.controls.start_button.text == "Start"


def test_another_choice_after_a_stop_starts_another_run(held, qtbot):
    _, panel, gate = held
    assert gate.reached.acquire(timeout=60)
    click(panel.controls.stop_button)
    qtbot.waitUntil(lambda: not panel.running, timeout=30_000)
    assert panel.controls.start_button.text == "Continue"
    panel.model.suggested_factor.value = 4
    assert panel.controls.start_button.text == "Start"


def test_a_run_waits_for_the_runs_before_it(held, plate, results, qtbot, monkeypatch):
    viewer, panel, gate = held
    other = FilesPanel(viewer, executor=InPlaceExecutor())
    viewer.window.add_dock_widget(other, name="Other files")
    other._queues = panel._queues
    other.images.choose([plate / "a.tif"])
    other.images.out_folder.line_edit.value = str(results.with_name("other"))
    qtbot.waitUntil(lambda: other.controls.start_button.enabled, timeout=30_000)
    click(other.controls.start_button)
    assert other.controls.message.value == "Waiting for the runs before this one."
    click(other.controls.stop_button)
    assert not other.running
    assert other.controls.start_button.enabled
    for _ in range(2):
        gate.open.release()
    qtbot.waitUntil(lambda: not panel.running, timeout=60_000)
    assert not results.with_name("other").exists()


def test_a_run_that_waited_says_so_no_more_when_it_begins(held, plate, results, qtbot, monkeypatch):
    viewer, panel, _ = held
    other = FilesPanel(viewer, executor=InPlaceExecutor())
    viewer.window.add_dock_widget(other, name="Other files")
    other._queues = panel._queues
    other._queues.jobs.add_listener(other._show_pending)
    other.images.choose([plate / "a.tif"])
    other.images.out_folder.line_edit.value = str(results.with_name("other"))
    qtbot.waitUntil(lambda: other.controls.start_button.enabled, timeout=30_000)
    # Progress replaces the message as well.
    monkeypatch.setattr(FilesPanel, "progressed", lambda self, done, total: None)
    click(other.controls.start_button)
    assert other.controls.message.value == "Waiting for the runs before this one."
    click(panel.controls.stop_button)
    qtbot.waitUntil(lambda: other.controls.message.value == "Preparing…", timeout=60_000)
    click(other.controls.stop_button)
    assert other.controls.message.value == "Stopping…"
    qtbot.waitUntil(lambda: not other.running, timeout=60_000)


def test_closing_the_panel_stops_the_run_without_an_incomplete_file_and_says_so(held, results, qtbot, monkeypatch):
    said = []
    monkeypatch.setattr("napari_sr.widgets.qt.base_panel.show_warning", said.append)
    viewer, panel, gate = held
    assert gate.reached.acquire(timeout=60)
    jobs = panel._queues.jobs
    assert panel.unfinished == ("upscaling images into “plate-upscaled”",)
    viewer.window.remove_dock_widget(panel.native)
    qtbot.waitUntil(lambda: not jobs.busy, timeout=30_000)
    assert not [path for path in results.rglob("*") if path.is_file()]
    assert said == [
        "Closing the panel has ended upscaling images into “plate-upscaled”: finished results and your images are "
        "unchanged."
    ]


def test_a_double_click_opens_the_result(opened, plate, results, monkeypatch):
    viewer, panel = opened(plate)
    click(panel.controls.start_button)
    paths = []
    monkeypatch.setattr(panel.table, "_on_open", paths.append)
    for row in range(3):
        place = panel.table.visualRect(panel.table.results.index(row, 0)).center()
        QTest.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
        QTest.mouseDClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    # The third one has failed.
    assert paths == [results / "B2" / "b.png", results / "a.tif"]
    for path in paths:
        panel._open(path)
    assert [layer.data.shape for layer in viewer.layers] == [(28, 40), (36, 32)]


def test_a_result_that_cannot_be_opened_is_a_notification(opened, plate, monkeypatch):
    notifications = []
    monkeypatch.setattr("napari_sr.widgets.qt.errors.show_error", notifications.append)
    _, panel = opened(plate)
    panel._open(plate / "bad.tif")
    assert len(notifications) == 1
    assert panel.controls.message.value == notifications[0]
