"""Correlated noise, lines, single pixels and mosaics are recognized."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import convolve, gaussian_filter, median_filter, shift, uniform_filter

from napari_sr.imaging.noise import measure_noise
from napari_sr.inference.facts.given_noise import total_noise
from tests.imaging.noise.synthetic import BRIGHTNESS, even_texture, noisy, scene, texture


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


def test_filled_mosaics_are_recognized():
    image = noisy(scene(), 0, 5)
    rows, columns = np.indices(image.shape)
    kept = (rows + columns) % 2 == 0
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4
    filled = np.where(kept, image, convolve(np.where(kept, image, 0), cross, mode="mirror"))
    assert measure_noise([filled]).mosaic
    assert not measure_noise([image]).mosaic


@pytest.mark.parametrize("axis", [0, 1])
def test_offsets_of_lines_are_found(axis):
    image = noisy(scene(), 0, 5)
    offsets = 3 * np.random.default_rng(9).standard_normal((256, 1))
    measured = measure_noise([image + (offsets if axis == 0 else offsets.T)])
    found = (measured.row_offsets, measured.column_offsets)
    assert found[axis] == pytest.approx(3, rel=0.3)
    assert found[1 - axis] == 0
    assert measure_noise([image]).row_offsets == 0


def test_hot_pixels_are_counted_and_do_not_matter():
    image = noisy(scene())
    expected = measure_noise([image]).sigma(BRIGHTNESS)
    generator = np.random.default_rng(2)
    image[generator.integers(0, 256, 60), generator.integers(0, 256, 60)] += 400
    measured = measure_noise([image])
    assert measured.hot == pytest.approx(60 / 256**2, rel=0.15)
    assert measured.sigma(BRIGHTNESS) == pytest.approx(expected, rel=0.1)
    assert measure_noise([noisy(scene())]).hot == 0


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
