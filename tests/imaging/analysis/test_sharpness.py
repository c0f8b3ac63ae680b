"""The end of the spectrum, blur, and what was done to an image before."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

from napari_sr.imaging.analysis.sharpness import jpeg_blocks, measure_sharpness, radial_spectrum
from napari_sr.imaging.noise import measure_noise


def field(side=256, blur=0.0, seed=0):
    """Structure whose power falls with the frequency to the power of 2.5, blurred; values about 128."""
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency[None])
    amplitude = np.maximum(radius, 1 / side) ** -1.25 * np.exp(-2 * (np.pi * blur * radius) ** 2)
    spectrum = np.fft.fft2(np.random.default_rng(seed).standard_normal((side, side))) * amplitude
    values = np.fft.ifft2(spectrum).real
    return 128 + 40 * (values - values.mean()) / values.std()


def noisy(image, deviation=3.0, seed=1):
    return image + deviation * np.random.default_rng(seed).standard_normal(image.shape)


def eight_bits(image):
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("blur", [0.8, 1.2, 2.0, 3.0])
@pytest.mark.parametrize("deviation", [0.0, 2.0])
def test_the_width_of_a_blur_is_found(blur, deviation):
    measured = measure_sharpness([noisy(field(blur=blur), deviation)])
    assert measured.width == pytest.approx(blur, rel=0.15)
    assert measured.width_error < 0.5


def test_a_sharp_image_has_no_width_and_no_end():
    measured = measure_sharpness([field()])
    assert measured.width < 0.4
    assert measured.cutoff == 1


def test_the_spectrum_ends_sooner_under_blur_and_noise():
    ends = [measure_sharpness([noisy(field(blur=blur))]).cutoff for blur in (0.8, 1.6, 3.0)]
    assert ends[0] > ends[1] > ends[2] > 0
    less, more = (measure_sharpness([noisy(field(blur=1.2), sigma)]) for sigma in (1, 10))
    assert less.cutoff > more.cutoff


@settings(max_examples=10, deadline=None)
@given(st.floats(1e-3, 1e3), st.booleans(), st.floats(-100, 100))
def test_units_do_not_matter(size, negative, place):
    image = noisy(field(128, blur=1.0))
    gain = -size if negative else size
    first, second = measure_sharpness([image]), measure_sharpness([gain * (image + place)])
    assert second.cutoff == first.cutoff
    assert second.width == pytest.approx(first.width, abs=0.02)


def test_power_of_white_noise_is_its_variance():
    noise = np.random.default_rng(0).normal(0, 3, (300, 300))
    frequency, power, count, mean = radial_spectrum([noise], [np.full(noise.shape, 7.0)])
    assert mean == pytest.approx(7)
    assert power[2:] == pytest.approx(9, rel=0.15)
    assert frequency[-1] < 1
    assert (count > 0).all()


@pytest.mark.parametrize("factor", [2.0, 2.5, 3.0])
def test_enlarged_images_are_recognized(factor):
    image = zoom(noisy(field(128, blur=0.6)), factor, order=3, mode="mirror", grid_mode=factor != 2)
    assert measure_sharpness([eight_bits(image)]).upsampled == pytest.approx(factor, rel=0.05)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_repeated_pixels_are_recognized(factor):
    image = eight_bits(noisy(field(128, blur=0.6)))
    measured = measure_sharpness([np.kron(image, np.ones((factor, factor), np.uint8))])
    assert measured.upsampled == pytest.approx(factor, rel=0.05)
    assert not measured.jpeg


@pytest.mark.parametrize("blur", [0.0, 1.0])
@pytest.mark.parametrize("deviation", [0.0, 4.0])
def test_images_as_taken_are_neither_enlarged_nor_compressed(blur, deviation):
    measured = measure_sharpness([eight_bits(noisy(field(blur=blur), deviation))])
    assert measured.upsampled == 1
    assert not measured.jpeg


@pytest.mark.parametrize("quality", [60, 75, 90])
@pytest.mark.parametrize("corner", [(0, 0), (3, 5)])
def test_jpeg_is_recognized_wherever_it_was_cut(quality, corner):
    file = io.BytesIO()
    Image.fromarray(eight_bits(noisy(field(blur=0.8)))).save(file, "JPEG", quality=quality)
    image = np.asarray(Image.open(file))[corner[0] :, corner[1] :]
    assert measure_sharpness([image]).jpeg
    assert jpeg_blocks(image.astype(np.float64)) > 0.2


@pytest.mark.filterwarnings("error")
def test_an_empty_corner_of_a_large_part_was_not_compressed():
    image = np.full((700, 700), 128.0)
    image[600:, 600:] = noisy(field(128))[:100, :100]
    assert not measure_sharpness([image]).jpeg


@pytest.mark.parametrize(("number", "blur"), [(400, 1.6), (400, 2.4), (800, 1.2)])
def test_spots_without_noise_were_not_compressed(number, blur):
    for seed in range(5):
        generator = np.random.default_rng(seed)
        spots = np.zeros((512, 512))
        spots[tuple(generator.integers(0, 512, (2, number)))] = generator.uniform(0.3, 1, number)
        image = gaussian_filter(spots, blur).reshape(256, 2, 256, 2).mean((1, 3))
        assert not measure_sharpness([image]).jpeg


def compressed(image, seed=1):
    file = io.BytesIO()
    Image.fromarray(eight_bits(noisy(image, 2.0, seed))).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_jpeg_is_recognized_beside_an_empty_side_of_a_large_image(turns):
    image = np.full((1200, 900), 128.0)
    image[400:] = field(1024, blur=0.8)[:800, :900]
    assert measure_sharpness([np.rot90(compressed(image), turns)]).jpeg


def test_jpeg_is_recognized_in_a_stack_with_an_empty_first_plane():
    planes = [np.full((512, 512), 128.0), *(field(512, blur=0.8, seed=seed) for seed in range(4))]
    assert measure_sharpness([compressed(plane, seed) for seed, plane in enumerate(planes)]).jpeg


@pytest.mark.parametrize(
    "image", [np.zeros((64, 64)), np.full((64, 64), np.nan), np.arange(400.0).reshape(20, 20), np.zeros((0, 9))]
)
def test_what_cannot_be_measured(image):
    measured = measure_sharpness([image])
    assert np.isinf(measured.width_error)
    assert (measured.cutoff, measured.upsampled, measured.jpeg) == (1.0, 1.0, False)


@pytest.mark.filterwarnings("error")
def test_integers_that_are_equal_as_floats_cannot_be_measured():
    image = np.uint64(2**64 - 1) - np.random.default_rng(0).integers(0, 20, (96, 96)).astype(np.uint64)
    assert measure_sharpness([image]).width_error == np.inf


def test_gaps_cost_only_their_part():
    image = noisy(field(1100, blur=1.2))
    image[:20, :20] = np.nan
    assert measure_sharpness([image]).width == pytest.approx(1.2, rel=0.2)


def test_noise_measured_before_is_taken():
    image = noisy(field(blur=1.0))
    assert measure_sharpness([image], noise=measure_noise([image], stack=False)) == measure_sharpness([image])


def test_stacks_and_colors():
    planes = [noisy(field(seed=seed, blur=1.2), seed=seed + 50) for seed in range(3)]
    assert measure_sharpness(planes).width == pytest.approx(1.2, rel=0.15)
    assert measure_sharpness([np.stack(planes, axis=-1)]).width == pytest.approx(1.2, rel=0.15)
