"""Noise that neighboring pixels share is told from white noise and from structure."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, gaussian_filter1d, median_filter, shift, uniform_filter
from scipy.signal import lfilter  # noqa: TID251 (no part of the package)

from napari_sr.imaging.noise import measure_noise
from napari_sr.inference.facts.given_noise import total_noise
from tests.imaging.noise.synthetic import even_texture, scene, texture


def correlated(image, how):
    white = np.random.default_rng(5).standard_normal(image.shape)
    if how == "filtered":
        return gaussian_filter(image + 6 * white, 0.8)
    if how == "registered":
        return shift(image + 6 * white, (0.4, 0.6), order=1, mode="nearest")
    return image + 6 * white


@pytest.mark.parametrize(
    ("how", "verdict"), [("white", "white"), ("filtered", "correlated"), ("registered", "correlated")]
)
def test_correlated_noise_is_recognized(how, verdict):
    measured = measure_noise([correlated(scene(), how)])
    assert measured.correlation.verdict == verdict
    assert (measured.correlation.right > 0.2) == (verdict == "correlated")
    if verdict == "correlated":
        c0, c1 = measured.all_noise
        true = np.std(correlated(scene(), how) - scene(), where=scene() < 30)
        assert np.sqrt(c0 + 25 * c1) == pytest.approx(true, rel=0.35)


def jpeg(image, quality):
    file = io.BytesIO()
    Image.fromarray(np.clip(np.rint(image), 0, 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).astype(np.float64)


@pytest.mark.parametrize(
    "process",
    [
        pytest.param(lambda image: gaussian_filter(image, 0.5), id="Gaussian of 0.5 pixels"),
        pytest.param(lambda image: median_filter(image, 3), id="median of 3 x 3 pixels"),
        pytest.param(lambda image: uniform_filter(image, 3), id="mean of 3 x 3 pixels"),
        pytest.param(lambda image: shift(image, (0.5, 0.5), order=3, mode="nearest"), id="registered by splines"),
        pytest.param(lambda image: shift(image, (0.25, 0.3), order=1, mode="nearest"), id="registered linearly"),
        pytest.param(lambda image: jpeg(image, 60), id="JPEG"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_noise_of_processed_images_is_not_called_white(process, seed):
    clean = scene(seed=seed)
    processed = process(clean + 6 * np.random.default_rng(seed + 9).standard_normal(clean.shape))
    measured = measure_noise([processed])
    dark = clean < 30
    assert measured.correlation.verdict != "white"
    # The part of the noise that is white is less than all of it; all_noise includes the other part.
    left = np.std(processed - clean, where=dark)
    assert measured.sigma(25.0) < 0.35 * left
    assert np.sqrt(measured.all_noise[0] + 25 * measured.all_noise[1]) == pytest.approx(left, rel=0.35)
    cautious = np.sqrt(measured.cautious_noise[0] + 25 * measured.cautious_noise[1])
    assert 0.5 * left < cautious < 1.1 * np.sqrt(measured.all_noise[0] + 25 * measured.all_noise[1])


@pytest.mark.parametrize("seed", range(3))
def test_less_is_subtracted_for_structure_in_larger_images(seed):
    shared = gaussian_filter(np.random.default_rng(seed).standard_normal((64, 64)), 0.8)
    small = 100 + 60 * texture(64, exponent=3.0, blur=2.0, seed=seed) + 4 * shared / shared.std()
    # The same content, nine times.
    first, second = measure_noise([small]), measure_noise([np.pad(small, 64, mode="symmetric")])

    def at_middle(line):
        return line[0] + 100 * line[1]

    assert at_middle(second.all_noise) == pytest.approx(at_middle(first.all_noise), rel=0.3)
    subtracted = [1 - at_middle(one.cautious_noise) / at_middle(one.all_noise) for one in (first, second)]
    assert subtracted[0] > 1.2 * subtracted[1] > 0


def test_noise_of_a_maximum_projection_is_that_of_the_projection():
    clean = scene()
    planes = [clean + 6 * np.random.default_rng(seed).standard_normal(clean.shape) for seed in range(4)]
    projected = np.max(planes, axis=0)
    measured = measure_noise([projected])
    assert measured.correlation.verdict == "white"
    assert measured.sigma(25.0) == pytest.approx(np.std(projected - clean, where=clean < 30), rel=0.1)


def test_without_noise_the_verdict_is_not_white():
    assert measure_noise([scene()]).correlation.verdict == "unclear"


@pytest.mark.parametrize("seed", range(3))
def test_texture_of_uneven_strength_that_fills_an_image_is_not_correlated_noise(seed):
    rng = np.random.default_rng(seed)
    grain, slow, strength = (gaussian_filter(rng.normal(size=(256, 256)), width) for width in (0.8, 12, 24))
    image = 120 + 10 * slow / slow.std()
    even, uneven = (
        measure_noise([np.rint(image + 12 * grain / grain.std() * np.exp(depth * strength / strength.std()))])
        for depth in (0.0, 0.15)
    )
    assert even.correlation.verdict == "correlated"
    # Its distribution alone is that of noise.
    assert uneven.correlation.verdict == "unclear"


@pytest.mark.parametrize("kind", ["walls", "granules", "labyrinth"])
@pytest.mark.parametrize("blur", [0.0, 0.5, 0.8])
def test_even_texture_is_not_given_as_correlated_noise(kind, blur):
    measured = measure_noise([np.rint(40 + 150 * even_texture(kind, 5.0, blur=blur)).astype(np.uint8)])
    assert measured.correlation.verdict != "correlated"
    assert total_noise(measured) == measured


def test_correlated_noise_of_a_stack_is_recognized_in_front_of_texture():
    image = 40 + 150 * even_texture("walls", 5.0, blur=0.5)
    white = np.random.default_rng(8).standard_normal((4, *image.shape))
    planes = [image + 30 * gaussian_filter(one, 0.8) for one in white]
    assert measure_noise(planes[:1]).correlation.verdict != "correlated"
    assert measure_noise(planes).correlation.verdict == "correlated"


@pytest.mark.parametrize("period", [5.5, 7.0])
@pytest.mark.parametrize("fraction", [0.7, 1.0])
def test_spots_on_a_regular_grid_are_not_given_as_correlated_noise(period, fraction):
    """As atoms in an electron micrograph, of a crystal or of a particle."""
    rows, columns = np.mgrid[:128, :128] / period
    spots = np.exp(-4 * (np.sin(np.pi * rows) ** 2 + np.sin(np.pi * (columns + 0.5 * np.round(rows))) ** 2))
    inside = np.abs(rows - rows.mean()) + np.abs(columns - columns.mean()) < fraction * 2 * rows.mean()
    heights = 0.3 + 0.7 * np.exp(-(((columns - columns.mean()) / 4) ** 2))
    image = np.rint(3 + 15000 * heights * spots * inside).astype(np.uint16)
    assert total_noise(measure_noise([image])).white_noise is None


def along_rows(width):
    return lambda noise: gaussian_filter1d(noise, width, axis=1)


def detector(noise):
    """As of a scanning microscope, whose detector is slower than a pixel."""
    return lfilter([1], [1, -0.5], noise, axis=1)


SHARED = [
    pytest.param(lambda noise: gaussian_filter(noise, 0.5), id="Gaussian of 0.5 pixels"),
    pytest.param(along_rows(0.5), id="Gaussian of 0.5 pixels along rows"),
    pytest.param(lambda noise: along_rows(0.7)(noise.T).T, id="Gaussian of 0.7 pixels along columns"),
    pytest.param(lambda noise: (noise + np.roll(noise, 1, axis=1)) / 2, id="mean of two pixels"),
    pytest.param(detector, id="detector of a scanning microscope"),
]


@pytest.mark.parametrize("share", SHARED)
@pytest.mark.parametrize("seed", range(3))
def test_noise_that_is_shared_weakly_or_along_one_axis_is_recognized(share, seed):
    clean = scene(seed=seed)
    noise = share(np.random.default_rng(seed + 20).standard_normal(clean.shape))
    measured = measure_noise([clean + 6 * noise / noise.std()])
    assert measured.correlation.verdict == "correlated"
    assert measured.correlation.fine is True
    assert total_noise(measured).sigma(25.0) == pytest.approx(6, rel=0.25)


@pytest.mark.parametrize("share", SHARED)
def test_recognition_does_not_depend_on_units_inversion_and_direction(share):
    clean = scene(seed=4)
    noise = share(np.random.default_rng(24).standard_normal(clean.shape))
    image = clean + 6 * noise / noise.std()
    expected = measure_noise([image]).correlation
    for changed in (257 * image + 1000, -image, image.T, image[::-1, ::-1]):
        found = measure_noise([changed]).correlation
        assert (found.verdict, found.fine) == (expected.verdict, expected.fine) == ("correlated", True)


@pytest.mark.parametrize("blur", [0.8, 1.2, 1.6])
@pytest.mark.parametrize("seed", range(3))
def test_white_noise_in_front_of_structure_is_not_taken_for_shared_noise(blur, seed):
    image = scene(seed=seed, blur=blur) + 20 * texture(blur=blur, seed=seed)
    white = image + 6 * np.random.default_rng(seed).standard_normal(image.shape)
    assert measure_noise([white]).correlation.verdict != "correlated"
    assert total_noise(measure_noise([white])).white_noise is None


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_told_of_too_few_pixels(seed):
    grain = gaussian_filter(np.random.default_rng(seed).standard_normal((64, 64)), 0.8)
    image = 100 + 12 * grain / grain.std()
    assert measure_noise([image]).correlation.verdict == "correlated"
    assert measure_noise([image[:36, :39]]).correlation.verdict == "unclear"
