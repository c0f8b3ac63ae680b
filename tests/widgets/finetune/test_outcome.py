"""The verdict on a new model, against bicubic interpolation and against the model that the training began with."""

from napari_sr.training.events import Validated
from napari_sr.widgets.finetune.outcome import format_gain


def measured(psnr, start=None):
    return Validated(10, "one", psnr, 0.9, 30.0, 0.8, True, start)


def test_the_verdict_names_bicubic_and_the_model_it_began_with():
    text = format_gain(measured(32.5, 31.25), "srcnn-x2")
    assert text.startswith("On the validation images it is 2.50 dB better than bicubic interpolation")
    assert text.endswith("It is 1.25 dB better than srcnn-x2, with which it began (31.25 dB).")
    assert "It is 0.75 dB worse than srcnn-x2" in format_gain(measured(30.5, 31.25), "srcnn-x2")
    assert "It is as good as srcnn-x2" in format_gain(measured(31.251, 31.25), "srcnn-x2")


def test_a_measurement_of_an_earlier_version_has_no_second_verdict():
    assert "began" not in format_gain(measured(32.5), "srcnn-x2")
    assert "began" not in format_gain(measured(32.5, 31.0), None)
