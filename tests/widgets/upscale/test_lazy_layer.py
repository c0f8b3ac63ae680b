"""A result of which only what is displayed is computed: in the viewer at once, and exact for all other readers."""

import dask.array as da
import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

import napari_sr as sr
from napari_sr.errors import InputError
from napari_sr.inference.lazy.displayed import TILE, DisplayedResult
from napari_sr.widgets.choices.output import DISK, LAZY, MEMORY
from napari_sr.widgets.choices.part import SLICE
from napari_sr.widgets.qt.executor import ThreadExecutor

pytestmark = pytest.mark.filterwarnings("ignore:Chunks of")


def drawn(*shape):
    return np.random.default_rng(0).integers(0, 200, shape, np.uint16)


class Displayed:
    """A lazy result in a viewer."""

    def __init__(self, viewer, panel, qtbot):
        self.viewer, self.panel, self._qtbot = viewer, panel, qtbot
        self.source = viewer.layers[0]
        panel.output.kind.value = LAZY
        QTest.mouseClick(panel.controls.run_button.native, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=30_000)
        self.layer = viewer.layers[1]
        self.result = self.layer.data[0].displayed
        self.of_source = self.seen

    @property
    def seen(self):
        return np.array(self.layer._slice.image.raw)

    @property
    def owner(self):
        return self.result.on_read.__self__

    def look_closely(self):
        """Zoom so far in that the source has too few pixels."""
        self.viewer.scene.camera.zoom *= 8
        # napari chooses the level when it draws; here nothing is drawn.
        self.viewer.window._qt_viewer.canvas.on_draw(None)
        assert self.layer.data_level == 0

    def wait(self):
        self._qtbot.waitUntil(lambda: not self.owner.busy, timeout=30_000)

    @property
    def expected(self):
        """The pixels of the whole result in the part that napari has read."""
        (top, left), (bottom, right) = self.layer.corner_pixels[:, -2:]
        return sr.upscale(self.source.data, self.panel.models.model.source, device="cpu")[
            ..., top : bottom + 1, left : right + 1
        ]


@pytest.fixture
def lazy(in_viewer, qtbot):
    def make(image=None, family="srcnn", executor=None, **layer):
        viewer, panel = in_viewer(family, image=drawn(60, 70) if image is None else image, executor=executor, **layer)
        return Displayed(viewer, panel, qtbot)

    return make


def close_to(seen, expected):
    return np.abs(seen.astype(int) - expected).max() <= 1


def test_the_layer_is_there_at_once_at_the_place_of_its_source(lazy):
    shown = lazy(scale=(0.5, 0.5))
    assert shown.layer.name == "cells (SRCNN x2)"
    np.testing.assert_allclose(shown.layer.scale, (0.25, 0.25))
    assert shown.panel.controls.message.value.startswith(
        "Added “cells (SRCNN x2)”: its pixels are computed where you look, at full resolution."
    )
    assert shown.layer.metadata["napari_sr"]["job"]["model"]["name"] == "srcnn-x2"


def test_the_pixels_of_the_source_are_shown_until_those_of_the_result_are_computed(lazy):
    shown = lazy()
    np.testing.assert_array_equal(shown.of_source, shown.source.data.repeat(2, 0).repeat(2, 1))
    shown.wait()
    assert close_to(shown.seen, shown.expected)
    assert shown.viewer.status == "“cells (SRCNN x2)”: the view is computed."


def test_real_threads_compute_the_view(lazy):
    shown = lazy(executor=ThreadExecutor())
    shown.wait()
    assert close_to(shown.seen, shown.expected)


def test_with_asynchronous_rendering_the_view_is_computed_too(lazy, qtbot):
    get_settings().experimental.async_ = True
    shown = lazy(executor=ThreadExecutor())
    qtbot.waitUntil(lambda: shown.result.missing()[1] > 0, timeout=10_000)
    shown.wait()
    expected = shown.expected
    # napari reads the computed pixels on a thread of its own.
    qtbot.waitUntil(lambda: close_to(shown.seen, expected), timeout=10_000)
    assert shown.result.missing()[0] == 0


def test_the_data_are_exact_for_everyone_else_before_they_are_displayed(lazy):
    shown = lazy()
    whole = sr.upscale(shown.source.data, shown.panel.models.model.source, device="cpu")
    assert shown.result.missing()[0] > 0
    assert close_to(np.asarray(shown.layer.data[0][10:50]), whole[10:50])
    assert close_to(np.asarray(shown.layer.data[0]), whole)


def test_a_stack_is_computed_in_the_displayed_slice_only(lazy):
    shown = lazy(drawn(3, 60, 70))
    shown.wait()
    (_, top, left), (_, bottom, right) = shown.layer.corner_pixels
    position = shown.viewer.dims.current_step[0]
    whole = sr.upscale(shown.source.data, shown.panel.models.model.source, device="cpu")
    assert close_to(shown.seen, whole[position, top : bottom + 1, left : right + 1])
    shown.viewer.dims.set_current_step(0, 2)
    shown.wait()
    assert close_to(shown.seen, whole[2, top : bottom + 1, left : right + 1])


def test_nothing_is_computed_while_the_layer_is_hidden(lazy, qtbot):
    shown = lazy()
    shown.layer.visible = False
    qtbot.wait(200)
    assert shown.result.missing()[0] > 0
    shown.layer.visible = True
    shown.wait()
    assert close_to(shown.seen, shown.expected)


def test_nothing_is_computed_while_the_source_has_pixels_enough(lazy, qtbot):
    shown = lazy(drawn(16 * TILE, 16 * TILE))
    qtbot.wait(200)
    assert shown.layer.data_level > 0
    assert shown.result.missing() == (0, 0)


def test_only_the_visible_part_of_what_napari_reads_is_computed(lazy, qtbot):
    shown = lazy(drawn(8 * TILE, 8 * TILE))
    shown.look_closely()
    shown.wait()
    assert shown.viewer.status == "“cells (SRCNN x2)”: the view is computed."
    missing, total = shown.result.missing()
    assert 0 < missing < total


def test_a_removed_layer_is_not_computed_any_more_and_is_read_exactly(lazy, qtbot):
    shown = lazy()
    shown.viewer.layers.remove(shown.layer)
    qtbot.wait(200)
    assert shown.result.missing()[0] > 0
    # As napari reads it in another viewer.
    with shown.layer._slicing_state.dask_optimized_slicing():
        part = np.asarray(shown.layer.data[0][:5])
    whole = sr.upscale(shown.source.data, shown.panel.models.model.source, device="cpu")
    assert close_to(part, whole[:5])


@pytest.mark.parametrize("end", ["hidden", "removed"])
def test_the_status_bar_has_no_progress_of_a_layer_that_is_not_displayed(lazy, monkeypatch, qtbot, end):
    monkeypatch.setattr(DisplayedResult, "compute", lambda result, piece, *, cancel: None)
    shown = lazy()
    shown.look_closely()
    qtbot.waitUntil(lambda: "of the view computed" in shown.viewer.status, timeout=5_000)
    if end == "hidden":
        shown.layer.visible = False
    else:
        shown.viewer.layers.remove(shown.layer)
    qtbot.waitUntil(lambda: shown.viewer.status == "Ready", timeout=5_000)


def test_the_view_is_computed_after_the_panel_was_closed(lazy):
    shown = lazy()
    shown.viewer.window.remove_dock_widget("all")
    shown.wait()
    assert close_to(shown.seen, shown.expected)


def test_a_viewer_can_be_closed_while_a_piece_is_computed(lazy, monkeypatch, qtbot):
    started = []

    def compute(self, piece, *, cancel):
        started.append(piece)
        while not cancel():
            QTest.qSleep(5)
        raise sr.errors.Cancelled("stopped")

    monkeypatch.setattr(DisplayedResult, "compute", compute)
    shown = lazy(executor=ThreadExecutor())
    qtbot.waitUntil(lambda: bool(started), timeout=10_000)
    shown.viewer.close()
    qtbot.wait(200)
    assert len(started) == 1


def test_an_error_is_shown_once_and_the_next_view_is_tried_again(lazy, monkeypatch, qtbot):
    tried, notified = [], []

    def compute(self, piece, *, cancel):
        tried.append(self.view)
        raise InputError("The file was removed: put it back.")

    monkeypatch.setattr(DisplayedResult, "compute", compute)
    monkeypatch.setattr(
        "napari_sr.widgets.upscale.lazy_layer.notify_error", lambda error, _: notified.append(str(error))
    )
    shown = lazy(drawn(3, 60, 70))
    shown.look_closely()
    qtbot.wait(300)
    assert len(tried) == 1
    shown.viewer.dims.set_current_step(0, 0)
    qtbot.wait(300)
    assert len(tried) == 2
    assert notified == ["The file was removed: put it back."]


def test_pieces_grow_on_a_fast_device_and_shrink_on_a_slow_one(lazy):
    shown = lazy()
    owner = shown.owner
    side = owner._side
    owner._computed(0.1)
    assert owner._side == 2 * side
    for _ in range(10):
        owner._computed(5.0)
    assert owner._side == 1


def test_a_dask_layer_begins_with_only_what_is_displayed(in_viewer):
    viewer, panel = in_viewer("srcnn")
    assert panel.output.kind.value == MEMORY
    viewer.add_image(da.from_array(drawn(20, 20), chunks=10), name="plate", contrast_limits=(0, 200))
    assert panel.layer_choice.layer.name == "plate"
    assert panel.output.kind.value == LAZY
    assert "computed where you look" in panel.summary.value
    viewer.layers.selection.active = viewer.layers["cells"]
    assert panel.output.kind.value == MEMORY


def test_a_choice_by_hand_is_kept_for_other_layers(in_viewer, tmp_path):
    viewer, panel = in_viewer("srcnn")
    panel.output.folder.value = tmp_path
    panel.output.kind.value = DISK
    viewer.add_image(da.from_array(drawn(20, 20), chunks=10), name="plate", contrast_limits=(0, 200))
    assert panel.output.kind.value == DISK
    panel.output.kind.value = LAZY
    viewer.layers.selection.active = viewer.layers["cells"]
    assert panel.output.kind.value == LAZY


def test_a_slice_cannot_be_lazy(in_viewer):
    viewer, panel = in_viewer("srcnn", image=drawn(2, 20, 20))
    panel.output.kind.value = LAZY
    panel.part_choice.kind.value = SLICE
    panel.run_upscaling()
    assert len(viewer.layers) == 1
    assert "choose “The whole layer” under Where" in panel.controls.message.value


def test_the_output_is_remembered(lazy, in_viewer):
    lazy()
    _, panel = in_viewer("srcnn")
    assert panel.output.kind.value == LAZY
