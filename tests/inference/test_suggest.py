"""A model and settings are suggested from the kind, noise and sharpness of an image."""

import re

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data

import napari_sr as sr
from napari_sr.imaging.as_image import as_image
from napari_sr.inference.suggest import job_for
from napari_sr.samples import load_sample


def cells(shape=(160, 160), seed=0, gain=0.5, blur=0.8, dtype=np.uint8):
    """Textured disks on a dark ground, blurred by a microscope, with the noise of its camera."""
    rng = np.random.default_rng(seed)
    disks = gaussian_filter(rng.normal(size=shape), 9)
    texture = gaussian_filter(rng.normal(size=shape), 1)
    image = (disks > 0.6 * disks.std()) * (1 + 0.25 * texture / texture.std())
    image = 12 + 110 * gaussian_filter(np.maximum(image, 0), blur)
    noisy = gain * rng.poisson(image / gain) + rng.normal(0, 1, shape) if gain else image
    return np.clip(np.rint(noisy), 0, 255).astype(dtype)


@pytest.mark.parametrize(("sample", "kind"), [("fluorescence", "fluorescence"), ("electron", "electron")])
@pytest.mark.parametrize(("scale", "model"), [(2, "esrgan-microscopy-x2"), (4, "esrgan-microscopy-x4")])
def test_samples_get_a_model_for_microscopy_of_the_factor(sample, kind, scale, model):
    image = load_sample(sample)
    suggestion = sr.suggest(image.low, image.axes, scale=scale)
    assert (suggestion.kind, suggestion.model, suggestion.settings) == (kind, model, {})
    assert not suggestion.outside
    assert any("standard deviation" in reason for reason in suggestion.reasons)


def test_settings_are_ready_for_upscale():
    image = cells((40, 48))
    suggestion = sr.suggest(image, scale=3)
    assert (suggestion.model, suggestion.settings) == ("esrgan-microscopy-x4", {"target": 3.0})
    result = sr.upscale(image, suggestion.model, device="cpu", **suggestion.settings)
    assert result.shape == (120, 144)


def test_the_family_is_that_of_the_caller_where_it_has_a_model():
    image = cells()
    assert sr.suggest(image, family="srcnn").model == "srcnn-microscopy-x2"
    assert sr.suggest(image, family="srgan").model == "esrgan-microscopy-x2"


def test_each_channel_is_named():
    suggestion = sr.suggest(np.stack([cells(), cells(seed=1, gain=3)]), "CYX")
    assert [reason.split(":")[0] for reason in suggestion.reasons[2:]] == ["Channel 0", "Channel 1"]


def test_the_strength_of_noise_that_neighboring_pixels_share_is_that_which_is_removed():
    shared = gaussian_filter(np.random.default_rng(0).normal(size=(256, 256)), 0.8)
    suggestion = sr.suggest(cells((256, 256), gain=0) + 6 * shared / shared.std())
    assert suggestion.outside
    stated = re.search(r"standard deviation of ([\d.]+) in dark", suggestion.reasons[-1])
    assert float(stated[1]) == pytest.approx(6, rel=0.2)


def test_a_photograph_gets_its_model_unless_it_is_noisy():
    photograph = data.astronaut()
    suggestion = sr.suggest(photograph, scale=3)
    assert (suggestion.kind, suggestion.model) == ("photograph", "srcnn-x3")
    noisy = photograph + np.random.default_rng(0).normal(0, 25, photograph.shape)
    assert sr.suggest(np.clip(noisy, 0, 255).astype(np.uint8)).model == "esrgan-microscopy-x2"


def test_the_first_reason_explains_a_microscopy_model_for_a_photograph():
    photograph = data.astronaut()
    noisy = np.clip(photograph + np.random.default_rng(0).normal(0, 25, photograph.shape), 0, 255).astype(np.uint8)
    assert sr.suggest(photograph, scale=4).reasons[0] == "The image looks like a photograph."
    assert "trained on photographs, too" in sr.suggest(photograph, scale=2).reasons[0]
    assert "photograph with noise" in sr.suggest(noisy).reasons[0]
    gray = sr.suggest(photograph[..., 1])
    assert gray.kind == "photograph"
    assert "gray micrograph" in gray.reasons[0]


def test_missing_pixels_are_filled():
    image = cells().astype(np.float32)
    image[40:50, 30:60] = np.nan
    suggestion = sr.suggest(image)
    assert suggestion.settings == {"missing": "fill"}
    assert "Missing pixels" in suggestion.reasons[-1]


@pytest.mark.parametrize("image", [np.zeros((64, 64), np.uint8), cells((9, 9)), np.full((40, 40), np.nan)])
def test_an_image_with_nothing_to_measure_gets_a_model(image):
    suggestion = sr.suggest(image)
    assert (suggestion.kind, suggestion.model) == ("unknown", "esrgan-microscopy-x2")


def test_no_noise_is_said_of_a_mask():
    image = np.zeros((64, 64), np.float32)
    image[16:48, 16:48] = 1
    assert "No noise was found." in sr.suggest(image).reasons


@pytest.mark.parametrize("scale", [0, 1, 5, float("nan"), "many", None])
def test_a_factor_without_a_model_is_refused(scale):
    with pytest.raises(sr.InputError, match="scale"):
        sr.suggest(cells(), scale=scale)


def test_a_family_that_does_not_exist_is_refused():
    with pytest.raises(sr.InputError, match="The family 'esragn' does not exist: give one of esrgan, srcnn, srgan"):
        sr.suggest(cells(), family="esragn")


def test_a_family_without_a_model_for_the_image_is_said():
    suggestion = sr.suggest(cells(), family="srgan")
    assert suggestion.model == "esrgan-microscopy-x2"
    assert "No model of the family srgan was trained on such images." in suggestion.reasons
    assert not any("No model" in reason for reason in sr.suggest(cells(), family="srcnn").reasons)


def test_cancel_ends_the_measurement():
    with pytest.raises(sr.Cancelled):
        sr.suggest(cells(), cancel=lambda: True)


def test_auto_is_the_suggested_model():
    image = cells((32, 36))
    expected = sr.upscale(image, "esrgan-microscopy-x2", device="cpu")
    np.testing.assert_array_equal(sr.upscale(image, "auto", device="cpu"), expected)


@pytest.mark.parametrize(
    ("target", "model"), [(None, "esrgan-microscopy-x2"), (1.5, "esrgan-microscopy-x2"), (7, "esrgan-microscopy-x4")]
)
def test_auto_follows_the_size_of_the_result(target, model):
    settings = sr.JobSettings(device="cpu", target=target)
    assert job_for("auto", settings, as_image(cells())).model.name == model


def test_auto_has_the_settings_of_the_suggestion():
    holed = cells((32, 36)).astype(np.float32)
    holed[10:12, 20:23] = np.nan
    job = job_for("auto", sr.JobSettings(device="cpu", denoise=0.5), as_image(holed), scale=3)
    suggestion = sr.suggest(holed, scale=3)
    assert suggestion.settings == {"target": 3, "missing": "fill"}
    assert job.settings == sr.JobSettings(device="cpu", denoise=0.5, **suggestion.settings)
    np.testing.assert_array_equal(
        sr.upscale(holed, "auto", device="cpu"), sr.upscale(holed, "esrgan-microscopy-x2", device="cpu", missing="fill")
    )


def test_auto_keeps_settings_that_are_given():
    job = job_for("auto", sr.JobSettings(device="cpu", target=7), as_image(cells()), scale=3)
    assert job.settings.target == 7


def test_auto_follows_a_pixel_size():
    image = as_image(cells(), pixel_size={"Y": 0.2, "X": 0.2}, unit="um")
    assert job_for("auto", sr.JobSettings(device="cpu", target="50 nm"), image).model.name == "esrgan-microscopy-x4"


def test_a_job_without_an_image_refuses_auto():
    with pytest.raises(sr.InputError, match="suggest"):
        sr.Job("auto")


def test_a_layer_is_upscaled_with_the_suggested_model():
    from napari.layers import Image

    _, kwargs, _ = sr.upscale_layer(Image(cells((24, 30)), scale=(0.2, 0.2)), "auto", device="cpu")
    assert kwargs["metadata"]["napari_sr"]["model"] == "esrgan-microscopy-x2"
