"""A panel with a model that takes noise and blur: the rows, the run, the preview, and the last settings."""

import numpy as np
import pytest
from napari.utils.theme import get_theme
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QSlider
from scipy.ndimage import gaussian_filter

import napari_sr
from napari_sr.config import load_config
from napari_sr.samples import load_sample
from napari_sr.settings import JobSettings
from napari_sr.widgets.choices.job_plan import load_last_plan
from napari_sr.widgets.choices.output import LAZY
from napari_sr.widgets.plugin.commands import upscale_active_layer
from napari_sr.widgets.qt.executor import InPlaceExecutor


def noisy(dtype=np.uint16):
    """A smooth image with noise of 8 gray levels."""
    draw = np.random.default_rng(2)
    rows, columns = np.mgrid[:48, :64]
    return (400 + 150 * np.sin(rows / 9) * np.cos(columns / 11) + draw.normal(0, 8, (48, 64))).astype(dtype)


def visible(panel):
    return [widget.name for widget in panel.conditions.widgets if widget.native.isVisibleTo(panel.native)]


def press(slider, fraction):
    native = slider.native.findChild(QSlider)
    place = QPoint(round(fraction * (native.width() - 1)), native.height() // 2)
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, pos=place)


@pytest.fixture
def panel_of(in_viewer, conditioned):
    """A viewer and a panel with the model that takes noise and blur."""

    def make(**more):
        viewer, panel = in_viewer("esrgan", **{"image": noisy(), **more})
        panel.models.select(conditioned)
        return viewer, panel

    return make


def job_of(viewer):
    return viewer.layers[-1].metadata["napari_sr"]["job"]


def test_rows_appear_with_a_model_that_takes_the_conditions(panel_of, conditioned):
    _, panel = panel_of()
    assert visible(panel) == ["noise", "denoise", "blur", "blur_optics"]
    panel.models.select("esrgan-one")
    assert visible(panel) == []
    panel.models.select(conditioned)
    assert visible(panel) == ["noise", "denoise", "blur", "blur_optics"]


def test_choices_reach_the_job_and_the_pixels_are_those_of_the_python_call(panel_of, conditioned):
    viewer, panel = panel_of()
    panel.conditions.noise.kind.value = "values"
    panel.conditions.noise.in_black.value, panel.conditions.noise.gain.value = 6.0, 0.01
    panel.conditions.noise.denoise.value, panel.conditions.blur.sigma.value = 0.7, 0.8
    panel.controls.run_button.native.click()
    how = {"noise": (6.0, 0.01), "denoise": 0.7, "blur": 0.8}
    job = job_of(viewer)
    assert (tuple(job["noise"]), job["denoise"], job["blur"]) == tuple(how.values())
    expected = napari_sr.upscale(np.asarray(viewer.layers[0].data), napari_sr.load_model(conditioned), **how)
    np.testing.assert_array_equal(viewer.layers[-1].data, expected)


def test_a_run_takes_the_noise_that_was_typed(panel_of, qtbot):
    viewer, panel = panel_of()
    window = viewer.__wrapped__.window._qt_window
    window.show()
    qtbot.waitExposed(window)
    panel.conditions.noise.kind.value = "values"
    box = panel.conditions.noise.in_black.native
    box.setFocus()
    box.selectAll()
    # A comma and a point are the decimal sign in every language.
    QTest.keyClicks(box, "12.25")
    other = panel.conditions.noise.gain.native
    other.setFocus()
    other.selectAll()
    QTest.keyClicks(other, "0,5")
    panel.controls.run_button.native.click()
    assert job_of(viewer)["noise"] == [12.25, 0.5]


def test_two_values_of_the_noise_and_the_blur_are_those_of_one_layer(panel_of):
    viewer, panel = panel_of()
    first, conditions = viewer.layers[0], panel.conditions
    conditions.noise.kind.value = "values"
    conditions.noise.in_black.value, conditions.noise.gain.value = 6.0, 0.01
    conditions.noise.denoise.value, conditions.blur.sigma.value = 0.7, 0.8
    chosen = {"noise": (6.0, 0.01), "denoise": 0.7, "blur": 0.8}
    first.scale, first.data = (0.5, 0.5), noisy() + 1
    assert conditions.values() == chosen, "the same layer, with other pixels"
    viewer.add_image(noisy(np.float32) / 2**16, name="other")
    assert conditions.values() == {"noise": "auto", "denoise": 0.7, "blur": 0.0}
    viewer.layers.selection.active = first
    assert conditions.values() == {"noise": "auto", "denoise": 0.7, "blur": 0.0}
    conditions.noise.kind.value = "none"
    viewer.layers.selection.active = viewer.layers["other"]
    assert conditions.values()["noise"] == 0, "no noise is no property of one layer"


def test_the_noise_of_another_layer_is_offered_after_values_were_entered(panel_of, qtbot):
    viewer, panel = panel_of()
    noise = panel.conditions.noise
    noise.kind.value = "values"
    noise.in_black.value = 20.0
    viewer.add_image(noisy(np.float32) / 2**16, name="other")
    noise.kind.value = "values"
    assert noise.noise == (0.0, 0.0)
    noise.kind.value = "auto"
    panel.preview_controls.switch.native.click()
    qtbot.waitUntil(lambda: not panel.preview.busy, timeout=60_000)
    noise.kind.value = "values"
    assert noise.in_black.value == pytest.approx(8 / 2**16, rel=0.3)


def test_run_again_measures_the_noise_of_other_layers(panel_of):
    viewer, panel = panel_of()
    viewer.add_image(noisy(np.float32) / 2**16, name="other")
    viewer.layers.selection.active = viewer.layers[0]
    panel.conditions.noise.kind.value = "values"
    panel.conditions.noise.in_black.value, panel.conditions.blur.sigma.value = 20.0, 0.8
    panel.controls.run_button.native.click()
    panel.actions.menu.aboutToShow.emit()
    panel.actions.menu.actions()[0].trigger()
    assert viewer.layers[-1].name == "other (ESRGAN x2)"
    assert (job_of(viewer)["noise"], job_of(viewer)["blur"]) == ("auto", 0.8)


def test_choices_are_not_passed_to_models_that_do_not_take_them(panel_of):
    viewer, panel = panel_of()
    panel.conditions.noise.kind.value = "none"
    panel.conditions.noise.denoise.value, panel.conditions.blur.sigma.value = 0.3, 1.0
    panel.models.select("esrgan-one")
    panel.controls.run_button.native.click()
    assert panel.controls.message.value.startswith("Done")
    job = job_of(viewer)
    assert (job["noise"], job["denoise"], job["blur"]) == ("auto", 1.0, 0.0)


def test_the_measured_noise_is_shown_after_a_run(panel_of):
    _, panel = panel_of()
    panel.controls.run_button.native.click()
    message = panel.controls.message.value
    assert message.startswith("Done in")
    measured = float(message.partition("Noise measured: ")[2].partition(" gray levels")[0])
    assert measured == pytest.approx(8, rel=0.25)
    panel.conditions.noise.kind.value = "none"
    panel.controls.run_button.native.click()
    assert "oise" not in panel.controls.message.value


def test_the_measured_noise_is_shown_after_a_lazy_run_too(panel_of):
    _, panel = panel_of()
    panel.output.kind.value = LAZY
    panel.controls.run_button.native.click()
    message = panel.controls.message.value
    assert message.startswith("Added")
    assert float(message.partition("Noise measured: ")[2].partition(" gray levels")[0]) == pytest.approx(8, rel=0.25)


def test_the_preview_follows_both_sliders_and_names_the_noise(panel_of, qtbot):
    _, panel = panel_of()
    panel.preview_controls.switch.native.click()
    qtbot.waitUntil(lambda: not panel.preview.busy, timeout=60_000)
    assert "Noise measured: " in panel.preview_controls.message.value
    pictures = [panel.preview.layer.data.copy()]
    for slider in (panel.conditions.noise.denoise, panel.conditions.blur.sigma):
        press(slider, 0.9)
        assert panel.preview.busy
        qtbot.waitUntil(lambda: not panel.preview.busy, timeout=60_000)
        pictures.append(panel.preview.layer.data.copy())
        assert (pictures[-1] != pictures[-2]).any()
    # The noise that the network was given is offered for "Two values", which then give the same picture.
    panel.conditions.noise.kind.value = "values"
    qtbot.waitUntil(lambda: not panel.preview.busy, timeout=60_000)
    assert "Noise measured" not in panel.preview_controls.message.value
    assert panel.conditions.noise.in_black.value == pytest.approx(8, rel=0.3)
    assert np.abs(panel.preview.layer.data.astype(int) - pictures[-1]).max() <= 2


def test_the_noise_is_measured_once_for_both_sliders(panel_of, qtbot, monkeypatch):
    from napari_sr.inference.facts import calibration

    measured = []
    measure = calibration.measure_channel
    monkeypatch.setattr(calibration, "measure_channel", lambda *a, **k: measured.append(1) or measure(*a, **k))
    _, panel = panel_of()
    panel.preview_controls.switch.native.click()
    for slider, fraction in ((panel.conditions.noise.denoise, 0.2), (panel.conditions.blur.sigma, 0.6)):
        qtbot.waitUntil(lambda: not panel.preview.busy, timeout=60_000)
        press(slider, fraction)
    qtbot.waitUntil(lambda: not panel.preview.busy, timeout=60_000)
    assert len(measured) == 1


def test_the_last_settings_are_those_of_the_run(panel_of, conditioned, monkeypatch):
    shown = []
    monkeypatch.setattr("napari_sr.widgets.plugin.commands.show_info", shown.append)
    viewer, panel = panel_of()
    panel.conditions.noise.kind.value = "values"
    panel.conditions.noise.in_black.value, panel.conditions.noise.gain.value = 3.5, -0.25
    panel.conditions.noise.denoise.value, panel.conditions.blur.sigma.value = 1.5, 1.2
    panel.controls.run_button.native.click()
    plan = load_last_plan()
    assert plan.request.source == conditioned
    assert plan.settings == JobSettings(noise=(3.5, -0.25), denoise=1.5, blur=1.2)
    assert load_config().last["esrgan"]["noise"] == "values"
    viewer.layers.selection.active = viewer.layers[0]
    upscale_active_layer(viewer, InPlaceExecutor())
    assert tuple(job_of(viewer)["noise"]) == (3.5, -0.25)
    np.testing.assert_array_equal(viewer.layers[-1].data, viewer.layers[-2].data)
    for kind, noise in (("none", 0), ("auto", "auto")):
        panel.conditions.noise.kind.value = kind
        panel.controls.run_button.native.click()
        viewer.layers.selection.active = viewer.layers[0]
        upscale_active_layer(viewer, InPlaceExecutor())
        assert job_of(viewer)["noise"] == noise
        assert ("Noise measured" in shown[-1]) == (kind == "auto")


def test_the_script_has_the_conditions(panel_of):
    _, panel = panel_of()
    panel.conditions.noise.kind.value = "none"
    panel.conditions.blur.sigma.value = 0.8
    panel.actions.copy_button.native.click()
    script = QApplication.clipboard().text()
    assert "noise=0" in script
    assert "blur=0.8" in script


def test_the_width_follows_the_pixel_size_of_the_layer(panel_of):
    viewer, panel = panel_of(scale=(0.2, 0.2), units=("um", "um"))
    panel.conditions.blur.sigma.value = 0.8
    assert panel.conditions.blur.world.value == "0.80 px = 0.16 µm"
    panel.facts.size.value = 0.1
    assert panel.conditions.blur.world.value == "0.80 px = 0.08 µm"
    viewer.layers[0].scale = (0.4, 0.4)
    assert panel.conditions.blur.world.value == "0.80 px = 0.32 µm"
    panel.facts.unit.value = "pixel"
    assert not panel.conditions.blur.world.native.isVisibleTo(panel.native)
    assert not panel.conditions.blur.set_button.enabled


def test_missing_pixels_are_refused_or_filled(panel_of):
    _, panel = panel_of()
    row = panel.settings.missing
    assert row.text == "Missing pixels (NaN): fill, and put back"
    assert panel.settings.settings().missing == "refuse"
    QTest.mouseClick(row.native, Qt.MouseButton.LeftButton, pos=QPoint(8, row.native.height() // 2))
    assert panel.settings.settings().missing == "fill"


def test_warnings_about_the_layer_are_shown_in_their_color_and_are_in_the_metadata(panel_of):
    image = noisy()
    image[:12] = 2**16 - 1
    viewer, panel = panel_of(image=image)
    panel.controls.run_button.native.click()
    line = panel.controls.warnings.label
    assert line.native.isVisibleTo(panel.native)
    assert "of the pixels are saturated" in line.value
    assert get_theme(str(viewer.theme)).warning.as_hex() in line.native.styleSheet()
    assert line.value in viewer.layers[-1].metadata["napari_sr"]["warnings"]
    assert "saturated" not in panel.controls.message.value
    panel.models.select("esrgan-one")  # another message
    assert not line.native.isVisibleTo(panel.native)


def test_correlated_noise_is_named_once(panel_of):
    draw = gaussian_filter(np.random.default_rng(3).normal(0, 1, (96, 96)), 0.8)
    rows, columns = np.mgrid[:96, :96]
    image = 400 + 60 * np.sin(rows / 17) * np.cos(columns / 21) + 8 * draw / draw.std()
    _, panel = panel_of(image=image.astype(np.uint16))
    panel.controls.run_button.native.click()
    assert "The noise of neighboring pixels is correlated" in panel.controls.warnings.label.value
    assert "in common" not in panel.controls.message.value


def test_warnings_of_several_layers_name_the_layer(panel_of):
    bright, image = noisy(), noisy()
    bright[:12] = 2**16 - 1
    viewer, panel = panel_of(image=image)
    viewer.add_image(bright, name="bright")
    bright[:2, :2] = 0
    viewer.add_image(bright // 2 + 2**15, name="brighter")
    viewer.layers.selection = set(viewer.layers)
    panel.part_choice.kind.value = "selected"
    panel.controls.run_button.native.click()
    assert "“bright”: " in panel.controls.warnings.label.value
    assert "“brighter”: " in panel.controls.warnings.label.value


def test_the_preview_warns_about_more_blur_than_the_layer_can_have(panel_of, qtbot):
    _, panel = panel_of(image=load_sample("fluorescence").low)
    panel.preview_controls.switch.native.click()
    line = panel.preview_controls.warnings.label
    for blur, warned in ((1.5, True), (0.2, False)):
        panel.conditions.blur.sigma.value = blur
        qtbot.waitUntil(lambda: not panel.preview.busy, timeout=60_000)
        assert line.native.isVisibleTo(panel.native) == warned
        assert ("sharper than after a blur of 1.5 pixels" in line.value) == warned
