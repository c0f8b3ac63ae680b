"""Axes and pixel size of a layer, from the layer or from the user, and the summary line."""

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_sr.inference.timing.speed import store_speed
from napari_sr.widgets.choices.layer_facts import LayerFacts, known_axes
from napari_sr.widgets.finetune.layer_snapshot import copy_image
from napari_sr.widgets.qt.activity import TimeLeft
from napari_sr.widgets.qt.executor import InPlaceExecutor
from napari_sr.widgets.upscale.families import ESRGANPanel


def drawn(*shape, dtype=np.uint16):
    return np.random.default_rng(1).integers(0, 200, shape).astype(dtype)


def summary(panel):
    return panel.summary.value.replace("\N{NO-BREAK SPACE}", " ")


def type_into(box, number):
    native = box.native
    native.selectAll()
    QTest.keyClicks(native, native.locale().toString(number, "g", 6))
    QTest.keyClick(native, Qt.Key.Key_Return)


@pytest.fixture
def facts(qtbot):
    changes = []
    facts = LayerFacts(lambda: changes.append(1))
    facts.changes = changes
    return facts


@pytest.mark.parametrize(
    ("labels", "shape", "rgb", "letters"),
    [
        (("z", "y", "x"), (3, 12, 16), False, "ZYX"),
        (("time", "y", "x"), (3, 12, 16), False, "TYX"),
        (("y", "x", "z"), (12, 16, 3), False, "YXZ"),
        (("y", "x"), (12, 16, 3), True, "YXC"),
        (("c", "y", "x"), (5, 12, 16, 3), True, "TYXC"),
        (("c", "t", "y", "x"), (2, 5, 12, 16, 3), True, "ZTYXC"),
        (("c", "z", "y", "x"), (2, 5, 12, 16, 3), True, "TZYXC"),
        (None, (3, 12, 16), False, "ZYX"),
        (("left", "y", "x"), (3, 12, 16), False, "ZYX"),
        (("y", "x", "c"), (12, 16, 3), False, "ZYX"),
        (("y", "x", "c"), (12, 16, 5), False, "YXC"),
        (("c", "z", "y", "x"), (2, 3, 12, 16), False, "CZYX"),
    ],
)
def test_axes_follow_from_axis_labels_where_these_are_letters_or_names(labels, shape, rgb, letters):
    assert known_axes(Image(np.zeros(shape, np.uint8), rgb=rgb, axis_labels=labels)).letters == letters


def test_axes_that_the_user_chose_apply_to_that_layer_alone(facts):
    one, two = Image(drawn(3, 12, 16)), Image(drawn(3, 12, 16))
    facts.show(one)
    assert facts.axes.choices[:2] == ("ZYX", "TYX")
    facts.axes.value = "CYX"
    assert known_axes(one).letters == "CYX"
    facts.show(two)
    assert facts.axes.value == "ZYX"
    assert known_axes(two).letters == "ZYX"
    facts.show(one)
    assert facts.axes.value == "CYX"
    assert len(facts.changes) == 1


def test_axes_that_the_user_chose_are_those_of_all_panels_of_trainings_and_of_results(in_viewer):
    viewer, panel = in_viewer("srcnn", image=drawn(2, 3, 4, 12, 16))
    other = ESRGANPanel(viewer, executor=InPlaceExecutor())
    viewer.window.add_dock_widget(other, name="other")
    source = viewer.layers[0]
    assert panel.facts.axes.value == "TCZYX"
    panel.facts.axes.value = "CTZYX"
    assert other.facts.axes.value == "CTZYX"
    assert copy_image(source, source.units).letters == "CTZYX"
    panel.controls.run_button.native.click()
    assert viewer.layers[-1].axis_labels == ("c", "t", "z", "y", "x")
    assert set(viewer.layers[-1].metadata["napari_sr"]["intensity"]) == {"0", "1"}


def test_each_channel_has_an_intensity_range_of_its_own(in_viewer):
    viewer, panel = in_viewer("esrgan", image=drawn(2, 12, 16) * np.array([1, 9], np.uint16)[:, None, None])
    panel.facts.axes.value = "CYX"
    panel.controls.run_button.native.click()
    assert set(viewer.layers[-1].metadata["napari_sr"]["intensity"]) == {"0", "1"}


def test_an_entered_pixel_size_changes_the_layer(facts):
    layer = Image(drawn(3, 12, 16), translate=(0, 4, 8))
    facts.show(layer)
    assert (facts.size.value, facts.unit.value, facts.depth.value) == (1.0, "pixel", 1.0)
    facts.size.value = 0.1
    facts.unit.value = "micrometer"
    facts.depth.value = 0.3
    np.testing.assert_allclose(layer.scale, (0.3, 0.1, 0.1))
    np.testing.assert_allclose(layer.translate, (0, 0.4, 0.8))
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    assert len(facts.changes) == 3


def test_an_entered_size_of_a_layer_with_several_units_keeps_its_other_sizes(facts):
    layer = Image(drawn(3, 12, 16), scale=(200, 0.1, 0.1), translate=(400, 1, 1), units=("nm", "um", "um"))
    facts.show(layer)
    assert (facts.size.value, facts.depth.value, facts.unit.value) == (0.1, 0.2, "micrometer")
    facts.size.value = 0.05
    np.testing.assert_allclose(layer.scale, (0.2, 0.05, 0.05))
    np.testing.assert_allclose(layer.translate, (0.4, 0.5, 0.5))
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    layer.scale, layer.units = (200, 0.1, 0.1), ("nm", "um", "um")
    facts.depth.value = 0.5
    np.testing.assert_allclose(layer.scale, (0.5, 0.1, 0.1))


def test_only_the_number_that_was_typed_scales_the_layer(facts, qtbot):
    fine = 0.000325
    layer = Image(drawn(3, 12, 16), scale=(1, fine, fine), units=("mm", "mm", "mm"))
    facts.show(layer)
    assert facts.size.value == fine
    type_into(facts.depth, 0.002)
    np.testing.assert_allclose(layer.scale, (0.002, fine, fine), rtol=1e-12)
    type_into(facts.size, 0.0004)
    np.testing.assert_allclose(layer.scale, (0.002, 0.0004, 0.0004), rtol=1e-12)


@pytest.mark.parametrize("size", [0.10833333, 1e-7, 1e-14, 3e9])
def test_a_size_that_the_box_rounds_or_limits_stays_until_it_is_typed(facts, qtbot, size):
    layer = Image(drawn(3, 12, 16), scale=(size, size, size), units=("m", "m", "m"), translate=(0, size, 0))
    facts.show(layer)
    for box in (facts.size, facts.depth):
        QTest.keyClick(box.native, Qt.Key.Key_Return)
    facts.unit.value = "nanometer"
    np.testing.assert_allclose(layer.scale, (size, size, size), rtol=1e-12)
    np.testing.assert_allclose(layer.translate, (0, size, 0), rtol=1e-12)
    assert [str(unit) for unit in layer.units] == ["nanometer"] * 3
    type_into(facts.depth, 2.5)
    np.testing.assert_allclose(layer.scale, (2.5, size, size), rtol=1e-12)


def test_small_sizes_are_shown_and_typed_with_four_digits_and_large_ones_with_four_decimals(facts):
    for size, decimals in ((2.0, 4), (0.2, 4), (0.0325, 5), (0.000325, 7), (1e-7, 10), (40.0, 4)):
        facts.show(Image(drawn(12, 16), scale=(size, size), units=("mm", "mm")))
        assert (facts.size.value, facts.size.native.decimals()) == (size, decimals)
        type_into(facts.size, 0.0)
        assert facts.size.value > 0


def test_the_pixel_size_of_the_layer_is_shown_and_followed(facts):
    layer = Image(drawn(12, 16), scale=(0.2, 0.2), units=("nm", "nm"))
    facts.show(layer)
    assert (facts.size.value, facts.unit.value) == (0.2, "nanometer")
    assert not facts.changes
    layer.scale = (0.4, 0.4)
    assert facts.size.value == 0.4
    layer.units = ("inch", "inch")
    assert facts.unit.value == "inch"
    np.testing.assert_allclose(layer.scale, (0.4, 0.4))
    facts.show(None)
    assert not facts.size.enabled


def test_other_data_and_another_affine_transform_of_the_layer_are_followed(facts):
    layer = Image(drawn(12, 16), scale=(0.2, 0.2), units=("um", "um"))
    facts.show(layer)
    layer.affine = np.diag([3, 3, 1])
    assert facts.size.value == pytest.approx(0.6)
    facts.axes.value = "XY"
    layer.data = drawn(3, 12, 16)
    assert facts.axes.value == "ZYX"
    assert facts.depth.enabled
    layer.axis_labels = ("t", "y", "x")
    assert facts.axes.value == "TYX"
    assert len(facts.changes) == 4


def test_pixels_that_are_not_square_keep_their_shape(facts):
    layer = Image(drawn(12, 16), scale=(0.4, 0.2), units=("um", "um"))
    facts.show(layer)
    facts.size.value = 0.1
    np.testing.assert_allclose(layer.scale, (0.2, 0.1))


def test_the_summary_has_source_and_result(in_viewer):
    _, panel = in_viewer("esrgan", image=drawn(512, 256), scale=(0.1, 0.1), units=("um", "um"))
    assert summary(panel) == "512 × 256 uint16, 0.1 µm → 2048 × 1024, 0.025 µm, 4 MiB"
    panel.size.kind.value, panel.size.factor.value = "factor", 2.0
    assert summary(panel) == "512 × 256 uint16, 0.1 µm → 1024 × 512, 0.05 µm, 1 MiB"
    panel.size.kind.value, panel.size.pixel.value = "pixel", 0.2
    assert summary(panel) == "512 × 256 uint16, 0.1 µm → 256 × 128, 0.2 µm, 64 KiB"
    panel.facts.unit.value = "pixel"
    assert "pixel size is not known" in summary(panel)


def test_the_summary_follows_the_data_and_the_position_of_the_layer(in_viewer):
    viewer, panel = in_viewer("esrgan", image=drawn(12, 16), scale=(0.1, 0.1), units=("um", "um"))
    source = viewer.layers[0]
    source.data = drawn(10, 8)
    assert summary(panel).startswith("10 × 8 uint16, 0.1 µm")
    source.affine = np.diag([3, 3, 1])
    assert summary(panel).startswith("10 × 8 uint16, 0.3 µm")
    panel.part_choice.kind.value = "view"
    source.translate = (900, 900)
    assert "out of view" in summary(panel)


def test_the_summary_of_colors_stacks_and_parts(in_viewer):
    viewer, panel = in_viewer("esrgan", image=drawn(12, 16, 3, dtype=np.uint8), rgb=True)
    assert summary(panel) == "12 × 16 color uint8 → 48 × 64 color, 9 KiB"
    viewer.add_image(drawn(5, 12, 16))
    assert summary(panel) == "5 × 12 × 16 uint16 → 5 × 48 × 64, 30 KiB"
    panel.part_choice.kind.value = "slice"
    assert summary(panel) == "1 × 12 × 16 uint16 → 1 × 48 × 64, 6 KiB"
    viewer.layers.clear()
    assert summary(panel) == ""


def test_the_time_is_measured_once_and_shown(in_viewer, qtbot):
    _, panel = in_viewer("esrgan")
    assert "on this" not in summary(panel)
    qtbot.waitUntil(lambda: panel.time.seconds is not None, timeout=30_000)
    assert summary(panel).endswith("on this CPU") or summary(panel).endswith("on this GPU")
    panel.settings.intensity.kind.value = "dtype"
    assert "on this" not in summary(panel)
    panel.time.estimate_now()
    assert "on this" in summary(panel)


def test_a_run_corrects_the_estimate(in_viewer, monkeypatch):
    """The speed may have been measured while the machine was busy."""
    _, panel = in_viewer("esrgan", image=drawn(64, 64))
    plan = panel._plan()
    job = plan.job(panel.loader.load(plan.request))
    store_speed(job, np.uint16, False, 1.0)
    panel.time.estimate_now()
    assert panel.time.seconds == pytest.approx(64 * 64)
    # However fast this machine is, the run counts as long enough for a measurement.
    monkeypatch.setattr("napari_sr.inference.timing.estimate.LEAST_SECONDS", 0.0)
    panel.run_upscaling()
    panel.time.estimate_now()
    assert 0 < panel.time.seconds < 600


def test_time_left_follows_from_the_work_done():
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    assert left.seconds(10, 100) is None  # the time before is not counted
    now[0] = 2.0
    assert left.seconds(11, 100) is None  # too little work for an estimate
    now[0] = 10.0
    assert left.seconds(30, 100) == pytest.approx(35)
    now[0] = 45.0
    assert left.seconds(100, 100) == 0
