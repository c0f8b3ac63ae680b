"""The rows for noise and blur: visible for models that take them, under real events, and in the units of the layer."""

import numpy as np
import pytest
from magicgui.widgets import Container
from napari.layers import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDoubleSpinBox, QSlider

from napari_sr.imaging.intensity import IntensityMap
from napari_sr.imaging.noise import Correlation, NoiseMeasurement
from napari_sr.inference import Calibration
from napari_sr.settings import JobSettings
from napari_sr.training.data.blur import optical_sigma
from napari_sr.widgets.choices.layer_facts import known_axes
from napari_sr.widgets.choices.settings.conditions import ConditionRows
from napari_sr.widgets.choices.settings.measured_noise import format_measured_noise, measured_values
from napari_sr.zoo.card import Conditioning
from tests.widgets.conftest import CONDITIONED, card

LEFT = Qt.MouseButton.LeftButton


def taking(noise=(0, 3), blur=(0, 1.6)):
    return card("conditioned", "esrgan", "RRDBNet", CONDITIONED, conditioning=Conditioning(noise=noise, blur=blur))


@pytest.fixture
def rows(qtbot):
    """The rows in a window, for a model that takes noise and blur, and a count of the changes."""
    changes = []
    conditions = ConditionRows(lambda: changes.append(1))
    box = Container(widgets=list(conditions.widgets))
    box.native.resize(420, 300)
    qtbot.addWidget(box.native)
    box.native.show()
    qtbot.waitExposed(box.native)
    conditions.show_model(taking())
    changes.clear()
    return conditions, changes


def shown(conditions):
    return [widget.name for widget in conditions.widgets if widget.native.isVisible()]


def layer(dtype=np.uint16, **more):
    return Image(np.zeros((8, 8), dtype), **more)


def press(native, fraction):
    QTest.mouseClick(native, LEFT, pos=QPoint(round(fraction * (native.width() - 1)), native.height() // 2))


def type_into(box, text):
    native = box.native
    native.setFocus()
    native.selectAll()
    QTest.keyClicks(native, text)
    QTest.keyClick(native, Qt.Key.Key_Return)


def test_rows_are_those_that_the_model_takes(rows):
    conditions, _ = rows
    assert shown(conditions) == ["noise", "denoise", "blur", "blur_optics"]
    assert conditions.values() == {"noise": "auto", "denoise": 1.0, "blur": 0.0}
    conditions.show_model(taking(blur=None))
    assert shown(conditions) == ["noise", "denoise"]
    assert conditions.values() == {"noise": "auto", "denoise": 1.0}
    conditions.show_model(taking(noise=None))
    assert shown(conditions) == ["blur", "blur_optics"]
    assert conditions.values() == {"blur": 0.0}
    for ordinary in (card("plain", "srcnn", "SRCNN", {"scale": 2}), None):
        conditions.show_model(ordinary)
        assert shown(conditions) == []
        assert conditions.values() == {}


def test_choices_stay_for_the_next_model_that_takes_them(rows):
    conditions, _ = rows
    conditions.noise.kind.value = "values"
    conditions.noise.in_black.value, conditions.noise.gain.value = 2.0, -0.5
    conditions.noise.denoise.value, conditions.blur.sigma.value = 0.5, 1.2
    before = conditions.values()
    conditions.show_model(None)
    conditions.show_model(taking())
    assert conditions.values() == before == {"noise": (2.0, -0.5), "denoise": 0.5, "blur": 1.2}
    assert "noise_values" in shown(conditions)
    conditions.show_model(taking(blur=(0, 0.8)))
    assert conditions.values()["blur"] == 0.8


def test_a_click_a_key_and_typed_digits_set_the_sliders(rows):
    conditions, changes = rows
    for slider, most in ((conditions.noise.denoise, 2.0), (conditions.blur.sigma, 1.6)):
        native, number = slider.native.findChild(QSlider), slider.native.findChild(QDoubleSpinBox)
        changes.clear()
        press(native, 0.75)
        assert slider.value == pytest.approx(0.75 * most, abs=0.11)
        assert len(changes) == 1
        value = slider.value
        QTest.keyClick(native, Qt.Key.Key_Right)
        assert slider.value == pytest.approx(value + 0.05)
        press(native, 1.0)
        assert slider.value == most
        number.setFocus()
        number.selectAll()
        QTest.keyClicks(number, number.locale().toString(0.37, "f", 2))
        QTest.keyClick(number, Qt.Key.Key_Return)
        assert slider.value == 0.37
        assert number.cleanText() == number.locale().toString(0.37, "f", 2)
    assert conditions.values() == {"noise": "auto", "denoise": 0.37, "blur": 0.37}


def test_noise_is_chosen_with_the_keyboard_and_its_values_are_typed(rows):
    conditions, changes = rows
    noise = conditions.noise
    noise.kind.native.setFocus()
    QTest.keyClick(noise.kind.native, Qt.Key.Key_Down)
    assert conditions.values()["noise"] == 0
    assert not noise.denoise.enabled
    QTest.keyClick(noise.kind.native, Qt.Key.Key_Down)
    assert "noise_values" in shown(conditions)
    assert noise.denoise.enabled
    point = noise.gain.native.locale().decimalPoint()
    type_into(noise.in_black, "2")
    type_into(noise.gain, f"-0{point}5")
    assert conditions.values()["noise"] == (2.0, -0.5)
    assert JobSettings(**conditions.values()).noise == (2.0, -0.5)
    type_into(noise.in_black, "-3")  # not below 0
    assert conditions.values()["noise"][0] >= 0
    assert len(changes) >= 4


def test_settings_are_shown(rows):
    conditions, _ = rows
    for settings in (
        JobSettings(noise=(1.5, 0.25), denoise=0.4, blur=1.1),
        JobSettings(noise=0, denoise=2.0),
        JobSettings(blur=0.35),
    ):
        conditions.show(settings)
        assert JobSettings(**conditions.values()) == settings
    conditions.show(JobSettings(blur=9.0))
    assert conditions.values()["blur"] == 1.6


def test_the_width_is_shown_in_the_unit_of_the_layer(rows):
    conditions, _ = rows
    world = conditions.blur.world
    conditions.blur.sigma.value = 0.8
    assert not world.native.isVisible()
    image = layer(scale=(0.2, 0.2), units=("um", "um"))
    conditions.show_layer(image, known_axes(image))
    assert world.value == "0.80 px = 0.16 µm"
    assert world.native.isVisible()
    image = layer(scale=(100, 50), units=("nm", "nm"))
    conditions.show_layer(image, known_axes(image))
    assert world.value == "0.80 px = 80 × 40 nm"
    conditions.blur.sigma.value = 0.0
    assert not world.native.isVisible()
    conditions.blur.sigma.value = 0.8
    conditions.show_model(None)
    assert not world.native.isVisible()
    conditions.show_model(taking())
    for unknown in (layer(scale=(0.2, 0.2)), None):
        conditions.show_layer(unknown, None if unknown is None else known_axes(unknown))
        assert not world.native.isVisible()


def test_the_optics_set_the_blur(rows):
    conditions, _ = rows
    blur = conditions.blur
    assert not blur.set_button.enabled
    assert "pixel size" in blur.set_button.tooltip
    image = layer(scale=(0.1, 0.1), units=("um", "um"))
    conditions.show_layer(image, known_axes(image))
    type_into(blur.aperture, f"NA {blur.aperture.native.locale().toString(1.4, 'f', 2)}")
    type_into(blur.wavelength, "600")
    QTest.mouseClick(blur.set_button.native, LEFT)
    assert blur.value == round(optical_sigma(1.4, 600, 100), 2) == 0.96
    assert blur.world.value == "0.96 px = 0.096 µm"
    # Along the longer side of a pixel the blur is fewer pixels.
    image = layer(scale=(0.2, 0.1), units=("um", "um"))
    conditions.show_layer(image, known_axes(image))
    QTest.mouseClick(blur.set_button.native, LEFT)
    assert blur.value == 0.48


def test_optics_beyond_the_model_set_its_most_and_say_so(rows):
    conditions, _ = rows
    image = layer(scale=(50, 50), units=("nm", "nm"))
    conditions.show_layer(image, known_axes(image))
    QTest.mouseClick(conditions.blur.set_button.native, LEFT)
    assert conditions.blur.value == 1.6
    assert conditions.blur.world.value.endswith("this model removes at most 1.60 px.")
    assert "The optics blur by 2.93 px" in conditions.blur.world.value
    conditions.blur.sigma.value = 1.0
    assert "optics" not in conditions.blur.world.value


def test_the_tooltip_warns_of_a_blur_that_is_not_there(rows):
    assert "not in the layer spoils the result" in rows[0].blur.sigma.tooltip


def test_measured_noise_is_offered_until_values_are_entered(rows):
    conditions, changes = rows
    noise = conditions.noise
    noise.show_measured(3.25, 0.5)
    assert conditions.values()["noise"] == "auto"
    assert not changes
    noise.kind.value = "values"
    assert conditions.values()["noise"] == (3.25, 0.5)
    noise.show_measured(9.0, 9.0)
    assert conditions.values()["noise"] == (3.25, 0.5)
    noise.gain.value = 0.75
    noise.kind.value = "auto"
    noise.show_measured(9.0, 9.0)
    noise.kind.value = "values"
    assert conditions.values()["noise"] == (3.25, 0.75)


def test_values_of_float_layers_have_more_digits(rows):
    conditions, _ = rows
    image = layer(np.float32)
    conditions.show_layer(image, known_axes(image))
    conditions.noise.show_measured(0.0123, 0.00021)
    conditions.noise.kind.value = "values"
    assert conditions.values()["noise"] == (0.0123, 0.00021)


def test_decimals_of_the_noise_are_typed_although_each_key_shows_the_layer_again(rows):
    conditions, _ = rows
    image = layer()
    axes = known_axes(image)
    conditions.show_layer(image, axes)
    conditions.noise.kind.value = "values"
    for box in (conditions.noise.in_black, conditions.noise.gain):
        box.changed.connect(lambda: conditions.show_layer(image, axes))
    point = conditions.noise.gain.native.locale().decimalPoint()
    type_into(conditions.noise.in_black, f"12{point}25")
    type_into(conditions.noise.gain, f"1{point}5")
    assert conditions.values()["noise"] == (12.25, 1.5)


def measurement(c0, c1=0.0, *, verdict="white", known=True, error=0.0):
    covariance = (error**2, 0.0, 0.0) if known else (float("inf"), 0.0, float("inf"))
    return NoiseMeasurement(
        c0, c1, covariance=covariance, darkest=100.0, brightest=300.0, correlation=Correlation(verdict)
    )


def measured(*channels):
    """A calibration with the noise of one image, or of its channels."""
    numbers = [None] if len(channels) == 1 else range(len(channels))
    maps = {number: IntensityMap(100.0, 300.0) for number in numbers}
    return Calibration(maps, dict(zip(numbers, [tuple(noises) for noises in channels], strict=True)))


@pytest.mark.parametrize(
    ("calibration", "dtype", "text"),
    [
        (measured([measurement(10.24)]), np.uint16, "Noise measured: 3.2 gray levels at medium brightness."),
        (measured([measurement(-96.0, 0.53)]), np.uint8, "Noise measured: 3.2 gray levels at medium brightness."),
        (measured([measurement(1.7e-4)]), np.float32, "Noise measured: 0.013 at medium brightness."),
        (measured([measurement(1e6)]), np.uint16, "Noise measured: 1000 gray levels at medium brightness."),
        (measured([measurement(0.0)]), np.uint8, "Noise measured: less than 0.1 gray levels at medium brightness."),
        (measured([measurement(0.0)]), np.float32, "Noise measured: 0 at medium brightness."),
        (
            measured([measurement(9.0), measurement(16.0), measurement(25.0)]),
            np.uint8,
            "Noise measured: 3 (red), 4 (green) and 5 (blue) gray levels at medium brightness.",
        ),
        (
            measured([measurement(9.0)], [measurement(16.0)]),
            np.uint16,
            "Noise measured: 3 and 4 gray levels at medium brightness of the 2 channels.",
        ),
        (
            measured(*[[measurement(float(n**2))] for n in range(2, 8)]),
            np.uint16,
            "Noise measured: 2 to 7 gray levels at medium brightness of the 6 channels.",
        ),
        (
            measured([measurement(9.0, verdict="correlated")]),
            np.uint16,
            "Noise measured: 3 gray levels at medium brightness. Neighboring pixels have a part of the noise in "
            "common, which is removed only in part.",
        ),
        (measured([measurement(0.0, known=False)]), np.uint16, "The noise could not be measured, so none is removed."),
        (Calibration({None: IntensityMap(0.0, 1.0)}), np.uint16, ""),
    ],
)
def test_measured_noise_in_plain_words(calibration, dtype, text):
    assert format_measured_noise(calibration, JobSettings(), dtype) == text
    assert format_measured_noise(calibration, JobSettings(noise=0), dtype) == ""
    assert format_measured_noise(calibration, JobSettings(noise=(2, 0.5)), dtype) == ""


def test_measured_noise_as_two_values():
    # variance = deviation² + gain (value - black)
    assert measured_values(measured([measurement(-46.0, 0.5)])) == (2.0, 0.5)
    assert measured_values(measured([measurement(-96.0, 0.5)])) == (0.0, 0.5)
    # The network is given the variance less its standard error, or all of it if the noise is white and strong.
    assert measured_values(measured([measurement(6.0, verdict="unclear", error=2.0)])) == (2.0, 0.0)
    assert measured_values(measured([measurement(6.0, error=2.0)])) == (2.0, 0.0)
    assert measured_values(measured([measurement(400.0, error=8.0)])) == (20.0, 0.0)
    assert measured_values(measured([measurement(0.0, known=False)])) is None
    assert measured_values(Calibration({None: IntensityMap(0.0, 1.0)})) is None
