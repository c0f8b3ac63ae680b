"""Properties that a model was not trained on are named; those it was trained on are not."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

import napari_sr as sr
from napari_sr.imaging.analysis.sharpness import Sharpness
from napari_sr.imaging.axes import parse_axes
from napari_sr.inference.facts.channel_facts import measure_channel
from napari_sr.inference.facts.training_range import sharper_than_blur, unlike_training
from napari_sr.samples import load_sample
from tests.inference.test_suggest import cells


def sentences(image, model="esrgan-microscopy-x2"):
    card = next(entry.card for entry in sr.list_models() if entry.name == model)
    return unlike_training(card, *measure_channel(image, parse_axes("YX", image.shape), None, 1))


def correlated(shape, sigma, seed=0):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma)
    return noise / noise.std()


def eight_bits(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def as_jpeg(image, quality=60):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


CLEAN = cells((256, 256), gain=0).astype(float)


@pytest.mark.parametrize("gain", [0.1, 0.5, 2.0, 6.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_images_with_the_noise_of_a_camera_are_inside(gain, seed):
    assert sentences(cells((256, 256), seed, gain)) == ()


@pytest.mark.parametrize(
    ("image", "named"),
    [
        (eight_bits(CLEAN + 6 * correlated(CLEAN.shape, 0.8)), "correlated"),
        (eight_bits(cells((256, 256)) * 3.0), "saturated"),
        (as_jpeg(cells((256, 256))), "JPEG"),
        (eight_bits(zoom(cells((100, 100)).astype(float), 3, order=3)), "enlarged"),
        (eight_bits(cells((256, 256)) + 12.0 * np.random.default_rng(0).normal(size=(256, 1))), "stripes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_images_are_outside_and_the_reason_is_named(image, named):
    assert any(named in sentence for sentence in sentences(image))


@pytest.mark.parametrize(("width", "named"), [(1.5, False), (1.75, False), (1.85, True), (3.0, True)])
@pytest.mark.parametrize("limit", [1.6, 2.5])
def test_structures_are_called_too_smooth_from_a_standard_error_beyond_the_range_on(width, named, limit):
    card = next(entry.card for entry in sr.list_models() if entry.name == "esrgan-microscopy-x2")
    card = card.model_copy(update={"conditioning": card.conditioning.model_copy(update={"blur": (0.0, limit)})})
    (noise,), _ = measure_channel(cells((128, 128)), parse_axes("YX", (128, 128)), None, 1)
    assert bool(unlike_training(card, (noise,), (Sharpness(0.5, width, 0.2),))) == named


def test_models_without_conditions_have_no_known_range():
    assert sentences(as_jpeg(cells((256, 256))), "srcnn-x2") == ()


def test_the_sentences_are_in_the_report_with_the_number_of_the_channel():
    stack = np.stack([cells((128, 128)), as_jpeg(cells((128, 128)))])
    job = sr.Job("esrgan-microscopy-x2", sr.JobSettings(device="cpu"))
    report = job.run(stack, "CYX").report
    assert [warning[:9] for warning in report.warnings if "JPEG" in warning] == ["Channel 1"]
    assert job.run(stack[:1], "CYX").report.warnings == ()


def test_nothing_is_said_of_an_image_whose_noise_is_given():
    job = sr.Job("esrgan-microscopy-x2", sr.JobSettings(device="cpu", noise=0))
    assert job.run(as_jpeg(cells((128, 128)))).report.warnings == ()


@pytest.mark.parametrize("blur", [0.4, 0.8, 1.2, 1.6])
def test_a_blur_that_the_image_has_is_accepted_and_one_that_it_cannot_have_is_named(blur):
    fine = cells((512, 512), gain=0).astype(float)
    image = gaussian_filter(fine, 2 * blur)[::2, ::2] + np.random.default_rng(0).normal(0, 1, (256, 256))
    _, sharpness = measure_channel(eight_bits(image), parse_axes("YX", image.shape), None, 1)
    assert sharper_than_blur(blur, sharpness) is None
    sentence = sharper_than_blur(3 * blur + 1, sharpness)
    assert sentence is not None
    assert f"blur of {3 * blur + 1:.2g} pixels" in sentence


def test_nothing_is_said_about_blur_without_a_measurement():
    assert sharper_than_blur(1.6, ()) is None
    _, sharpness = measure_channel(np.zeros((20, 20), np.uint8), parse_axes("YX", (20, 20)), None, 1)
    assert sharper_than_blur(1.6, sharpness) is None


def test_the_report_warns_about_too_much_blur():
    image = load_sample("fluorescence").low
    for blur, warned in ((1.4, True), (0.3, False)):
        job = sr.Job(sr.load_model("esrgan-microscopy-x2"), sr.JobSettings(blur=blur, device="cpu"))
        warnings = job.run(image, "YX").report.warnings
        assert any(f"sharper than after a blur of {blur:g} pixels" in sentence for sentence in warnings) == warned
