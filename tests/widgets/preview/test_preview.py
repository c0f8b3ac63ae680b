"""The preview equals the part of the result, follows every change, and is removed completely."""

import numpy as np
import pytest

import napari_sr
from napari_sr.errors import Cancelled, InputError
from napari_sr.inference.compute.prepared import PreparedNetwork
from napari_sr.networks import RRDBNet
from napari_sr.widgets.choices.layer import is_preview
from napari_sr.widgets.qt.executor import ThreadExecutor
from napari_sr.zoo import write_model
from napari_sr.zoo.card import Conditioning
from tests.widgets.conftest import CONDITIONED, card, weights


def drawn(*shape, dtype=np.uint16):
    return np.random.default_rng(1).integers(0, 200, shape).astype(dtype)


def previews(viewer):
    return [layer for layer in viewer.layers if is_preview(layer)]


def names(viewer):
    return [layer.name for layer in viewer.layers]


def look_at(viewer, center, width):
    """Show a width of the world around a point on the canvas."""
    camera = viewer.scene.camera
    camera.center = (0.0, *center)
    camera.zoom = max(viewer.canvas.size) / width


def settled(qtbot, panel):
    qtbot.waitUntil(lambda: not panel.preview.busy, timeout=60_000)


@pytest.fixture
def switched_on(in_viewer, qtbot):
    """A viewer and a panel that shows a preview."""

    def make(family="esrgan", *, center=(20, 30), width=24, **more):
        viewer, panel = in_viewer(family, **{"image": drawn(40, 60), **more})
        look_at(viewer, center, width)
        panel.preview_controls.switch.native.click()
        settled(qtbot, panel)
        return viewer, panel

    return make


def whole(viewer, **how):
    """The result of the whole source."""
    return napari_sr.upscale(np.asarray(viewer.layers[0].data), napari_sr.load_model("esrgan-one"), **how)


def beneath(preview, source, factor=4):
    """The pixels of the whole result under the preview, from its position in the world."""
    first = source.world_to_data(preview.data_to_world(np.full(preview.ndim, -0.5)))
    slices = [slice(round((edge + 0.5) * factor), None) for edge in first[-2:]]
    return tuple(slice(s.start, s.start + n) for s, n in zip(slices, preview.data.shape[-2:], strict=True))


def test_the_preview_is_the_same_part_of_the_whole_result(switched_on):
    viewer, panel = switched_on()
    (preview,) = previews(viewer)
    source = viewer.layers[0]
    rows, columns = beneath(preview, source)
    expected = whole(viewer)[rows, columns]
    assert expected.shape == preview.data.shape
    assert preview.data.size < whole(viewer).size
    # Rounded to integers twice in other orders of summation, at most the last digit differs.
    assert np.abs(preview.data.astype(int) - expected).max() <= 1
    assert panel.preview_controls.message.value.startswith("Preview of ")


@pytest.mark.parametrize(("height", "cropped"), [(64, False), (65, True)])
def test_only_a_part_of_the_view_is_named_its_middle(switched_on, monkeypatch, height, cropped):
    monkeypatch.setattr("napari_sr.widgets.preview.preview._SIDE", 64)
    monkeypatch.setattr("napari_sr.widgets.preview.preview._LARGEST_SIDE", 64)
    _, panel = switched_on(image=drawn(height, 64), center=(32, 32), width=200)
    assert panel.preview_controls.message.value.startswith("Preview of 64 × 64 pixels")
    assert ("in the middle of the view" in panel.preview_controls.message.value) is cropped


def test_it_lies_on_a_rotated_layer_and_on_the_slice_of_a_stack(switched_on, qtbot):
    viewer, panel = switched_on(image=drawn(5, 40, 60), rotate=30, scale=(2, 1, 1), center=(20, 20), width=16)
    viewer.dims.set_point(0, 6)
    settled(qtbot, panel)
    (preview,) = previews(viewer)
    source = viewer.layers[0]
    assert preview.data.shape[0] == 1
    assert round(source.world_to_data(preview.data_to_world((0, 0, 0)))[0]) == 3
    rows, columns = beneath(preview, source)
    assert np.abs(preview.data[0].astype(int) - whole(viewer, axes="ZYX")[3, rows, columns]).max() <= 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rotate", 30),
        ("shear", [0.4]),
        ("affine", [[1, 0, 3], [0, 2, 2], [0, 0, 1]]),
        ("units", ("um", "um")),
        ("scale", (0.5, 1)),
        ("translate", (-6, 4)),
    ],
)
def test_it_stays_on_a_layer_that_is_moved(switched_on, qtbot, name, value):
    viewer, panel = switched_on()
    source, (preview,) = viewer.layers[0], previews(viewer)
    setattr(source, name, value)
    settled(qtbot, panel)
    assert previews(viewer) == [preview]
    assert preview.units == source.units
    first, last = (
        source.world_to_data(preview.data_to_world(corner))
        for corner in ((-0.5, -0.5), np.array(preview.data.shape) - 0.5)
    )
    np.testing.assert_allclose((last - first) * 4, preview.data.shape)
    rows, columns = beneath(preview, source)
    assert np.abs(preview.data.astype(int) - whole(viewer)[rows, columns]).max() <= 1


def test_multiscale_and_color_layers_have_one_too(switched_on):
    for more in (
        {"image": [drawn(40, 60), drawn(20, 30)], "multiscale": True},
        {"image": drawn(40, 60, 3, dtype=np.uint8), "rgb": True},
    ):
        viewer, _ = switched_on(**more)
        (preview,) = previews(viewer)
        assert preview.rgb == bool(more.get("rgb"))
        assert preview.multiscale is False
        assert preview.data.shape[0] % 4 == 0


def test_the_selection_and_the_chosen_layer_stay(switched_on):
    viewer, panel = switched_on()
    assert viewer.layers.selection.active == viewer.layers[0]
    assert panel.layer_choice.layer == viewer.layers[0]
    panel.controls.run_button.native.click()
    assert names(viewer) == ["cells", "cells (ESRGAN x4)", "cells (preview)"]
    assert panel.layer_choice.layer == viewer.layers[0]


def test_a_result_does_not_cover_the_preview(switched_on, qtbot):
    viewer, panel = switched_on()
    panel.controls.run_button.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=60_000)
    assert names(viewer) == ["cells", "cells (ESRGAN x4)", "cells (preview)"]


def test_it_lies_on_its_source_in_another_order_of_the_layers(switched_on, qtbot):
    viewer, panel = switched_on()
    viewer.add_image(drawn(40, 60), name="other")
    viewer.layers.selection.active = viewer.layers["cells"]
    settled(qtbot, panel)
    viewer.layers.move(viewer.layers.index("cells"), len(viewer.layers))
    settled(qtbot, panel)
    assert names(viewer) == ["other", "cells", "cells (preview)"]
    assert viewer.layers.selection.active.name == "cells"


def test_switching_it_off_removes_its_layer(switched_on):
    viewer, panel = switched_on()
    panel.preview_controls.switch.native.click()
    assert names(viewer) == ["cells"]
    assert not panel.preview_controls.message.native.isVisibleTo(panel.native)
    look_at(viewer, (5, 5), 8)
    assert not panel.preview.busy


def test_removing_its_layer_switches_it_off(switched_on):
    viewer, panel = switched_on()
    viewer.layers.remove(previews(viewer)[0])
    assert not panel.preview_controls.switch.value
    assert not panel.preview.on


def test_it_follows_the_camera(switched_on, qtbot):
    viewer, panel = switched_on()
    before = previews(viewer)[0].translate.copy()
    look_at(viewer, (30, 40), 20)
    settled(qtbot, panel)
    (preview,) = previews(viewer)
    assert (preview.translate > before).any()
    rows, columns = beneath(preview, viewer.layers[0])
    assert np.abs(preview.data.astype(int) - whole(viewer)[rows, columns]).max() <= 1


def test_twenty_quick_changes_of_alpha_give_one_image(in_viewer, qtbot, monkeypatch):
    made = []
    from napari_sr.widgets.preview import preview as module

    def record(job, *arguments):
        made.append(job.model.alpha)
        return module_make(job, *arguments)

    module_make = module.make_preview_image
    monkeypatch.setattr(module, "make_preview_image", record)
    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor(), image=drawn(16, 16))
    panel.models.select("esrgan-pair")
    panel.preview_controls.switch.native.click()
    settled(qtbot, panel)
    made.clear()
    for step in range(20):
        panel.mixing.alpha.value = step / 20
        qtbot.wait(5)
    panel.mixing.alpha.value = 0.8
    settled(qtbot, panel)
    assert made == [0.8]
    (preview,) = previews(viewer)
    expected = napari_sr.upscale(drawn(16, 16), napari_sr.load_model("esrgan-pair", alpha=0.8))
    np.testing.assert_array_equal(preview.data, expected)


def test_another_alpha_reads_no_file(switched_on, qtbot, monkeypatch):
    viewer, panel = switched_on()
    panel.models.select("esrgan-pair")
    settled(qtbot, panel)
    monkeypatch.setattr("napari_sr.zoo.loading.open_model", lambda *a, **k: pytest.fail("a file was read"))
    for alpha in (0.3, 1.0):
        panel.mixing.alpha.value = alpha
        settled(qtbot, panel)
        assert previews(viewer)[0].metadata["napari_sr"]["alpha"] == alpha
    panel.mixing.mix.value = "images"
    panel.mixing.alpha.value = 0.5
    settled(qtbot, panel)
    assert previews(viewer)[0].metadata["napari_sr"]["mixing"] == "images"


def test_a_change_stops_the_computation_in_progress(in_viewer, qtbot, monkeypatch):
    import threading

    started, stopped = threading.Event(), threading.Event()
    from napari_sr.widgets.preview import preview as module

    def slowly(job, network, prepared, quick, against, cancel):
        if job.model.alpha == 0.1:
            started.set()
            while not cancel():
                pass
            stopped.set()
            raise Cancelled("stopped")
        return make(job, network, prepared, quick, against, cancel)

    make = module.make_preview_image
    monkeypatch.setattr(module, "make_preview_image", slowly)
    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor(), image=drawn(16, 16))
    panel.models.select("esrgan-pair")
    panel.mixing.alpha.value = 0.1
    panel.preview_controls.switch.native.click()
    qtbot.waitUntil(started.is_set, timeout=30_000)
    panel.mixing.alpha.value = 0.9
    qtbot.waitUntil(stopped.is_set, timeout=5_000)
    settled(qtbot, panel)
    assert previews(viewer)[0].metadata["napari_sr"]["alpha"] == 0.9


def test_the_look_of_the_source_is_shared(switched_on, qtbot):
    viewer, panel = switched_on()
    source, (preview,) = viewer.layers[0], previews(viewer)
    source.contrast_limits, source.colormap, source.gamma = (10, 90), "green", 0.5
    settled(qtbot, panel)
    assert (preview.contrast_limits, preview.colormap.name, preview.gamma) == ([10, 90], "green", 0.5)


def test_hiding_the_source_hides_its_preview_too(switched_on, qtbot):
    viewer, panel = switched_on()
    source, (preview,) = viewer.layers[0], previews(viewer)
    for visible in (False, True):
        source.visible = visible
        settled(qtbot, panel)
        assert previews(viewer) == [preview]
        assert preview.visible == visible
    preview.visible = False
    source.gamma = 0.5
    settled(qtbot, panel)
    assert not preview.visible, "the preview alone was hidden"


def test_other_values_give_another_image_with_an_intensity_range_of_its_own(switched_on, qtbot):
    viewer, panel = switched_on()
    source = viewer.layers[0]
    before = previews(viewer)[0].metadata["napari_sr"]["intensity"]
    source.data = source.data * 7
    settled(qtbot, panel)
    after = previews(viewer)[0].metadata["napari_sr"]["intensity"]
    assert after[""][1] == pytest.approx(7 * before[""][1])


def test_a_layer_at_the_address_of_a_removed_one_has_an_intensity_range_of_its_own(switched_on, qtbot, monkeypatch):
    # Python gives the address of an object that is deleted to a new one.
    monkeypatch.setattr("napari_sr.widgets.preview.preview.id", lambda layer: 4711, raising=False)
    viewer, panel = switched_on()
    before = previews(viewer)[0].metadata["napari_sr"]["intensity"]
    source = viewer.layers[0]
    viewer.layers.remove(source)
    settled(qtbot, panel)
    viewer.add_image(source.data * 7, name="other")
    settled(qtbot, panel)
    after = previews(viewer)[0].metadata["napari_sr"]["intensity"]
    assert after[""][1] == pytest.approx(7 * before[""][1])


@pytest.mark.parametrize("against", ["source", "bicubic"])
def test_side_by_side_shows_the_other_image_left_of_the_line(switched_on, qtbot, against):
    viewer, panel = switched_on()
    (preview,) = previews(viewer)
    alone = preview.data.copy()
    controls = panel.preview_controls
    controls.compare.value, controls.against.value = "split", against
    controls.line.value = 0.25
    settled(qtbot, panel)
    line = round(0.25 * alone.shape[1])
    np.testing.assert_array_equal(preview.data[:, line:], alone[:, line:])
    rows, columns = beneath(preview, viewer.layers[0])
    source = np.asarray(viewer.layers[0].data)
    if against == "source":
        other = source.repeat(4, 0).repeat(4, 1)
    else:
        from napari_sr.imaging.resize import resize
        from napari_sr.imaging.rounding import round_to

        other = round_to(resize(source.astype(float), factor=4), source.dtype)
    np.testing.assert_array_equal(preview.data[:, :line], other[rows, columns][:, :line])
    controls.compare.value = "nothing"
    np.testing.assert_array_equal(preview.data, alone)


def test_blinking_alternates_the_two_images(switched_on, qtbot):
    viewer, panel = switched_on()
    (preview,) = previews(viewer)
    alone = preview.data.copy()
    panel.preview_controls.compare.value = "blink"
    settled(qtbot, panel)
    assert panel.preview_controls.message.value.endswith("Now: the result.")
    qtbot.waitUntil(lambda: "Now: the source" in panel.preview_controls.message.value, timeout=5_000)
    assert (preview.data != alone).any()
    qtbot.waitUntil(lambda: "Now: the result" in panel.preview_controls.message.value, timeout=5_000)
    np.testing.assert_array_equal(preview.data, alone)


def test_another_size_is_previewed_in_that_size(switched_on, qtbot):
    viewer, panel = switched_on()
    panel.size.kind.value, panel.size.factor.value = "factor", 2.5
    panel.preview_controls.compare.value = "split"
    settled(qtbot, panel)
    (preview,) = previews(viewer)
    np.testing.assert_allclose(preview.scale, (0.4, 0.4))
    rows, columns = beneath(preview, viewer.layers[0], 2.5)
    half = preview.data.shape[1] // 2 + 1
    expected = whole(viewer, target=2.5)[rows, columns]
    assert np.abs(preview.data.astype(int) - expected)[:, half:].max() <= 1


def test_a_preview_that_is_not_possible_is_explained_and_comes_back(switched_on, qtbot):
    viewer, panel = switched_on()
    look_at(viewer, (900, 900), 20)
    settled(qtbot, panel)
    assert names(viewer) == ["cells"]
    assert "out of view" in panel.preview_controls.message.value
    viewer.dims.ndisplay = 3
    settled(qtbot, panel)
    assert "2-D view" in panel.preview_controls.message.value
    viewer.dims.ndisplay = 2
    look_at(viewer, (20, 30), 20)
    settled(qtbot, panel)
    assert names(viewer) == ["cells", "cells (preview)"]


def test_an_error_is_shown_and_the_preview_stays_usable(switched_on, qtbot, monkeypatch):
    shown = []
    monkeypatch.setattr("napari_sr.widgets.qt.errors.show_error", shown.append)
    image = drawn(40, 60).astype(np.float32)
    viewer, panel = switched_on(image=image)
    broken = image.copy()
    broken[20, 30] = np.nan
    viewer.layers[0].data = broken
    settled(qtbot, panel)
    assert len(shown) == 1
    assert "NaN" in shown[0]
    assert panel.preview_controls.message.value == shown[0]
    assert names(viewer) == ["cells"]
    viewer.layers[0].data = image
    settled(qtbot, panel)
    assert names(viewer) == ["cells", "cells (preview)"]


def test_settings_that_do_not_fit_are_explained_and_the_preview_comes_back(switched_on, qtbot):
    viewer, panel = switched_on()
    bounds = panel.settings.intensity.bounds
    panel.settings.intensity.kind.value = "bounds"
    bounds[0].value, bounds[1].value = 9, 3
    settled(qtbot, panel)
    assert "(9, 3)" in panel.preview_controls.message.value
    assert names(viewer) == ["cells"]
    bounds[1].value = 90
    settled(qtbot, panel)
    assert previews(viewer)[0].metadata["napari_sr"]["intensity"] == {"": (9, 90)}


def test_removing_the_source_removes_the_preview(switched_on, qtbot):
    viewer, panel = switched_on()
    viewer.add_image(drawn(30, 30), name="other")
    settled(qtbot, panel)
    assert "other (preview)" in names(viewer)
    viewer.layers.remove("other")
    settled(qtbot, panel)
    assert "other (preview)" not in names(viewer)
    viewer.layers.clear()
    settled(qtbot, panel)
    assert names(viewer) == []


def test_closing_the_panel_removes_the_preview(switched_on):
    viewer, panel = switched_on()
    viewer.window.remove_dock_widget(panel.native.parent())
    assert names(viewer) == ["cells"]


def test_closing_the_viewer_stops_the_preview(in_viewer, qtbot, monkeypatch):
    import threading

    started, stopped = threading.Event(), threading.Event()

    def slowly(job, network, prepared, quick, against, cancel):
        started.set()
        while not cancel():
            pass
        stopped.set()
        raise Cancelled("stopped")

    monkeypatch.setattr("napari_sr.widgets.preview.preview.make_preview_image", slowly)
    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor(), image=drawn(16, 16))
    panel.preview_controls.switch.native.click()
    qtbot.waitUntil(started.is_set, timeout=30_000)
    viewer.close()
    qtbot.waitUntil(stopped.is_set, timeout=5_000)
    qtbot.wait(100)
    assert stopped.is_set()
    assert not previews(viewer), "a preview that was stopped adds nothing"


def test_a_preview_is_made_while_a_job_is_running(in_viewer, qtbot, monkeypatch):
    import threading

    reached, go_on = threading.Event(), threading.Event()

    def hold(job, prepared, *, out=None, network=None, progress=None, cancel=None):
        if progress is None:  # the preview's
            return run(job, prepared, network=network, progress=progress, cancel=cancel)
        reached.set()
        while not go_on.wait(0.01):
            if cancel():
                raise Cancelled("stopped")
        return run(job, prepared, progress=progress, cancel=cancel)

    from napari_sr.inference.layer import run_layer as run

    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor(), image=drawn(16, 16))
    monkeypatch.setattr("napari_sr.inference.run_layer", hold)
    panel.controls.run_button.native.click()
    qtbot.waitUntil(reached.is_set, timeout=30_000)
    panel.preview_controls.switch.native.click()
    settled(qtbot, panel)
    assert names(viewer) == ["cells", "cells (preview)"]
    go_on.set()
    qtbot.waitUntil(lambda: not panel.running, timeout=30_000)
    assert names(viewer) == ["cells", "cells (ESRGAN x4)", "cells (preview)"]


def test_moving_the_view_prepares_no_network_again(switched_on, qtbot, monkeypatch):
    made = []

    def counted(network, device):
        made.append(network)
        return PreparedNetwork(network, device)

    # That of jobs; the line under the layer measures the speed with another one.
    monkeypatch.setattr("napari_sr.inference.compute.network.PreparedNetwork", counted)
    viewer, panel = switched_on()
    assert made
    made.clear()
    before = previews(viewer)[0].data.copy()
    look_at(viewer, (15, 25), 20)
    qtbot.waitUntil(lambda: not np.array_equal(previews(viewer)[0].data, before), timeout=30_000)
    settled(qtbot, panel)
    assert not made


def test_the_error_of_a_choice_that_has_changed_meanwhile_is_not_shown(switched_on, qtbot, monkeypatch):
    _, panel = switched_on()
    shown, load = [], panel.loader.load
    monkeypatch.setattr("napari_sr.widgets.qt.errors.show_error", shown.append)

    def fail_late(request):
        if request.source == "esrgan-pair":
            panel.models.select("esrgan-one")
            raise InputError("The file was moved.")
        return load(request)

    monkeypatch.setattr(panel.loader, "load", fail_late)
    panel.models.select("esrgan-pair")
    settled(qtbot, panel)
    assert shown == []
    assert panel.preview.layer is not None
    assert panel.preview_controls.message.value.startswith("Preview of ")


def test_it_is_named_after_its_source_also_when_that_is_renamed(switched_on, qtbot):
    viewer, _ = switched_on()
    viewer.layers[0].name = "axons"
    assert [layer.name for layer in previews(viewer)] == ["axons (preview)"]


def test_a_comparison_that_begins_during_the_exact_image_does_not_outlive_the_preview(in_viewer, qtbot, monkeypatch):
    import threading

    from napari_sr.widgets.preview import preview as module

    started, stopped = threading.Event(), threading.Event()

    def slowly(job, network, prepared, quick, against, cancel):
        if not quick:
            started.set()
            while not cancel():
                pass
            stopped.set()
            raise Cancelled("stopped")
        return make(job, network, prepared, quick, against, cancel)

    make = module.make_preview_image
    monkeypatch.setattr(module, "make_preview_image", slowly)
    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor(), image=drawn(160, 160))
    look_at(viewer, (80, 80), 24)
    panel.preview_controls.switch.native.click()
    qtbot.waitUntil(started.is_set, timeout=30_000)
    panel.preview_controls.compare.value = "split"
    panel.preview_controls.switch.native.click()
    qtbot.waitUntil(stopped.is_set, timeout=5_000)
    qtbot.wait(50)
    assert not previews(viewer)


def test_another_model_with_conditions_measures_the_layer_again(switched_on, conditioned, models, qtbot):
    settings = {**CONDITIONED, "noise_plane": False}
    blur = card("esrgan-blur", "esrgan", "RRDBNet", settings, conditioning=Conditioning(blur=(0.0, 1.6)))
    write_model(models / "esrgan-blur.safetensors", blur, {"weights": weights(RRDBNet(**settings), 4)})
    _, panel = switched_on()
    panel.models.refresh()
    panel.models.select("esrgan-blur")
    settled(qtbot, panel)
    panel.models.select(conditioned)
    settled(qtbot, panel)
    assert panel.preview_controls.message.value.startswith("Preview of ")
    assert "Noise measured" in panel.preview_controls.message.value
