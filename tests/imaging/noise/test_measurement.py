"""Noise is found again where it was put, whatever the units, and structure is not taken for it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import convolve, gaussian_filter, shift

from napari_sr import InputError
from napari_sr.imaging.noise import NoiseMeasurement, estimate_noise, measure_noise
from napari_sr.imaging.noise.quantization import quantization_step
from napari_sr.imaging.noise.sampling import BUDGET

BRIGHTNESS = np.array([20.0, 60.0, 120.0, 200.0])


def scene(side=256, seed=0, blur=1.2):
    """Disks on a dark ground that brightens to one side, values from about 10 to 220."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    image = 10 + 60 * columns / side
    for y, x, radius, height in generator.uniform((0, 0, 5, 30), (side, side, 25, 140), (side // 12, 4)):
        image = np.maximum(image, height * (np.hypot(rows - y, columns - x) < radius))
    return gaussian_filter(image, blur)


def noisy(clean, gain=0.4, read=2.0, seed=1):
    deviation = np.sqrt(gain * np.maximum(clean, 0) + read**2)
    return clean + deviation * np.random.default_rng(seed).standard_normal(clean.shape)


def texture(side=256, exponent=2.5, blur=0.6, seed=0):
    """Structure without any flat part: a power law of the frequency, blurred; of standard deviation 1."""
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency[None])
    amplitude = np.maximum(radius, 1 / side) ** (-exponent / 2) * np.exp(-2 * (np.pi * blur * radius) ** 2)
    spectrum = np.fft.fft2(np.random.default_rng(seed).standard_normal((side, side))) * amplitude
    field = np.fft.ifft2(spectrum).real
    return (field - field.mean()) / field.std()


@pytest.mark.parametrize("pedestal", [0, 100, 500, 32768])
@pytest.mark.parametrize("inverted", [False, True])
def test_noise_is_found_above_any_pedestal(pedestal, inverted):
    gain, read = 0.4, 2.0
    image = noisy(scene(), gain, read)
    brightness, expected = BRIGHTNESS, np.sqrt(gain * BRIGHTNESS + read**2)
    if inverted:
        image, brightness = 300 - image, 300 - BRIGHTNESS
    stored = np.clip(np.rint(50 * image + pedestal), 0, 65535).astype(np.uint16)
    measured = measure_noise([stored])
    assert measured.sigma(50 * brightness + pedestal) == pytest.approx(50 * expected, rel=0.1)
    assert np.sign(measured.c1) == (-1 if inverted else 1)
    assert measured.floor == pytest.approx(1 / 12)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 50),
    st.floats(1e-3, 1e3),
    st.booleans(),
    st.floats(-1e3, 1e3),
    st.sampled_from([64, 100, 150]),
)
def test_noise_follows_every_scale_and_offset(seed, size, negative, place, side):
    image = noisy(scene(side, seed), seed=seed)
    gain = -size if negative else size
    offset = gain * place
    first, second = measure_noise([image]), measure_noise([gain * image + offset])
    expected = abs(gain) * first.sigma(BRIGHTNESS)
    assert second.sigma(gain * BRIGHTNESS + offset) == pytest.approx(expected, rel=2e-3)
    assert first.scaled(gain, offset).sigma(gain * BRIGHTNESS + offset) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.floats(-100, 100), st.floats(-5, 5), st.floats(0, 10), st.floats(0.01, 100), st.floats(-1e4, 1e4))
def test_a_measurement_is_scaled_as_the_image(c0, c1, floor, gain, offset):
    measured = NoiseMeasurement(c0, c1, floor, (4.0, 0.1, 0.01), 10.0, 200.0)
    for factor in (gain, -gain):
        scaled = measured.scaled(factor, offset)
        places = factor * BRIGHTNESS + offset
        tolerance = {"rel": 1e-6, "abs": 1e-3 * gain}
        assert scaled.sigma(places) == pytest.approx(gain * measured.sigma(BRIGHTNESS), **tolerance)
        assert scaled.uncertainty(places) == pytest.approx(gain * measured.uncertainty(BRIGHTNESS), **tolerance)
        back = scaled.scaled(1 / factor, -offset / factor)
        assert back.c1 == pytest.approx(measured.c1)
        assert (back.darkest, back.brightest) == pytest.approx((10.0, 200.0), abs=1e-6 * (1 + abs(offset) / gain))


def test_types_of_values_agree():
    eight = np.clip(np.rint(noisy(scene())), 0, 255).astype(np.uint8)
    measured = measure_noise([eight])
    for other, gain in ((eight.astype(np.uint16) * np.uint16(257), 257), ((eight / 255).astype(np.float32), 1 / 255)):
        found = measure_noise([other])
        assert found.sigma(gain * BRIGHTNESS) == pytest.approx(gain * measured.sigma(BRIGHTNESS), rel=1e-3)
        assert found.floor == pytest.approx(gain**2 / 12, rel=1e-3)


@pytest.mark.parametrize("side", [64, 128, 300])
def test_white_noise_alone(side):
    found = [
        float(measure_noise([np.random.default_rng(seed).normal(0, 3, (side, side))]).sigma(0.0)) for seed in range(5)
    ]
    assert np.mean(found) == pytest.approx(3, rel=0.06 if side == 64 else 0.02)


@pytest.mark.parametrize("fraction", [0.2, 0.5, 1.0])
def test_noise_is_found_where_nothing_is_flat(fraction):
    field = 40 * texture()
    image = 128 + field + 40 * fraction * np.random.default_rng(3).standard_normal(field.shape)
    assert measure_noise([image]).sigma(128.0) == pytest.approx(40 * fraction, rel=0.12)


@pytest.mark.parametrize("exponent", [2.0, 3.0])
def test_structure_is_not_noise(exponent):
    assert measure_noise([100 * texture(exponent=exponent)]).sigma(0.0) < 0.1 * 100
    assert measure_noise([scene()]).sigma(BRIGHTNESS).max() < 0.5


def test_a_clean_image_of_integers_has_the_noise_of_rounding():
    rounded = np.rint(10 * scene()).astype(np.uint16)
    assert measure_noise([rounded]).sigma(500.0) == pytest.approx(np.sqrt(1 / 12), rel=0.3)


def test_steps_of_values():
    levels = np.random.default_rng(0).integers(0, 200, (80, 80))
    assert quantization_step([levels.astype(np.uint8)]) == 1
    assert quantization_step([(levels * 257).astype(np.uint16)]) == 257
    assert quantization_step([(levels * 257).astype(np.int64) - 2**40]) == 257
    assert quantization_step([(levels / 255).astype(np.float32)]) == pytest.approx(1 / 255, rel=1e-4)
    deep = np.random.default_rng(1).integers(0, 65536, (600, 600))
    assert quantization_step([(deep / 65535).astype(np.float32)]) == pytest.approx(1 / 65535, rel=1e-3)
    # 8-bit values that were stretched and rounded again: their gaps are 1 and 2.
    assert quantization_step([np.rint(levels * 1.7).astype(np.uint16)]) == pytest.approx(1.7, rel=0.02)
    assert quantization_step([np.random.default_rng(0).random((50, 50))]) == 0
    assert quantization_step([np.where(levels > 100, 255, 0)]) == 0


def test_missing_values_are_left_out():
    image = noisy(scene())
    expected = measure_noise([image]).sigma(BRIGHTNESS)
    gaps = image.copy()
    gaps[np.random.default_rng(0).random(image.shape) < 1e-3] = np.nan
    gaps[:30, :40] = np.inf
    assert measure_noise([gaps]).sigma(BRIGHTNESS) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((40, 40)),
        np.full((64, 64), 7, np.uint8),
        np.full((64, 64), np.nan),
        np.zeros((5, 5)) + np.arange(5),
        np.zeros((0, 5)),
        np.zeros((12, 400), bool),
    ],
)
def test_what_cannot_be_measured_is_not_known(image):
    measured = measure_noise([image])
    assert not measured.known
    assert measured.sigma(10.0) == np.sqrt(measured.floor)
    assert np.isinf(measured.uncertainty(10.0))
    assert not measured.scaled(-2.0, 5.0).known


def test_no_planes():
    assert not measure_noise([]).known


def test_small_and_narrow_images_give_something_sane():
    generator = np.random.default_rng(0)
    for shape in ((12, 12), (13, 40), (12, 500), (24, 24)):
        measured = measure_noise([50 + 4 * generator.standard_normal(shape)])
        assert measured.known
        assert 1.5 < measured.sigma(50.0) < 7


class Counted:
    """An array that is read where it is sliced, and counts what is read."""

    def __init__(self, shape, whole=False):
        self.shape, self.dtype, self.read, self._whole = shape, np.dtype(np.float32), 0, whole

    def __getitem__(self, index):
        rows, columns = (range(*part.indices(size)) for part, size in zip(index, self.shape, strict=True))
        self.read += len(rows) * len(columns)
        generator = np.random.default_rng(rows[0] * 7919 + columns[0])
        return (5 * generator.standard_normal((len(rows), len(columns)))).astype(np.float32)


def test_of_a_huge_plane_little_is_read():
    plane = Counted((200_000, 300_000))
    assert measure_noise([plane]).sigma(0.0) == pytest.approx(5, rel=0.02)
    assert plane.read <= 1.2 * BUDGET


def test_of_a_long_stack_few_planes_are_read():
    class Stack(list):
        def __init__(self):
            self.asked = []

        def __len__(self):
            return 5000

        def __getitem__(self, number):
            self.asked.append(number)
            return np.random.default_rng(number).normal(0, 5, (300, 300))

    stack = Stack()
    assert measure_noise(stack).sigma(0.0) == pytest.approx(5, rel=0.02)
    assert len(set(stack.asked)) <= 9


def test_the_same_image_gives_the_same_noise():
    image = noisy(scene(700))
    assert measure_noise([image]) == measure_noise([image.copy()])


def test_colors_are_measured_together():
    image = np.stack([noisy(scene(seed=color), seed=color) for color in range(3)], axis=-1)
    assert measure_noise([image]).sigma(BRIGHTNESS) == pytest.approx(np.sqrt(0.4 * BRIGHTNESS + 4), rel=0.1)


def test_differences_of_planes_tell_fine_texture_from_noise():
    fine = 60 * texture(blur=0.0, exponent=1.6)
    planes = [fine + 6 * np.random.default_rng(seed).standard_normal(fine.shape) for seed in range(4)]
    measured = measure_noise(planes)
    assert measured.sigma(0.0) == pytest.approx(6, rel=0.1)
    assert not measured.planes_share_noise
    assert measure_noise(planes[:1]).uncertainty(0.0) > 5 * measured.uncertainty(0.0)


def test_copies_of_a_plane_are_no_evidence():
    image = noisy(scene())
    expected = measure_noise([image]).sigma(BRIGHTNESS)
    assert measure_noise([image, image, image]).sigma(BRIGHTNESS) == pytest.approx(expected, rel=0.02)


def test_planes_that_share_noise_are_recognized():
    planes = [noisy(scene(), 0.0, 5.0, seed) for seed in range(5)]
    assert not measure_noise(planes).planes_share_noise
    averaged = [(first + second) / 2 for first, second in pairwise(planes)]
    measured = measure_noise(averaged)
    assert measured.planes_share_noise
    assert measured.sigma(50.0) == pytest.approx(5 / np.sqrt(2), rel=0.05)


def test_planes_of_different_shapes_and_fields():
    planes = [noisy(scene(side, side), seed=side) for side in (100, 150, 200)]
    assert measure_noise(planes).sigma(BRIGHTNESS) == pytest.approx(np.sqrt(0.4 * BRIGHTNESS + 4), rel=0.15)


def test_uncertainty_shrinks_with_the_image_and_caution_takes_some_off():
    errors = [float(measure_noise([noisy(scene(side))]).uncertainty(60.0)) for side in (64, 512)]
    assert errors[1] < errors[0] < 2
    doubtful = measure_noise([60 * texture(blur=0.3, exponent=2.0)])
    assert doubtful.sigma(0.0, caution=1) < 0.9 * doubtful.sigma(0.0)
    sure = measure_noise([noisy(scene(512))])
    assert sure.sigma(60.0, caution=1) > 0.95 * sure.sigma(60.0)


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


def test_clipped_parts_are_counted_and_left_out():
    clean = scene() - 35
    image = np.clip(np.rint(noisy(clean, 0, 6)), 0, 100).astype(np.uint8)
    measured = measure_noise([image])
    assert measured.at_ends[0] == pytest.approx(np.mean(image == 0))
    assert measured.at_ends[1] == pytest.approx(np.mean(image == 100))
    assert measured.sigma(50.0) == pytest.approx(6, rel=0.1)


@pytest.mark.parametrize(("gain", "read"), [(2.0, 5.0), (0.5, 20.0), (8.0, 3.0), (0.0, 8.0)])
def test_gain_and_read_noise_of_a_camera(gain, read):
    rows, columns = np.mgrid[:512, :512]
    clean = 500 + 400 * np.sin(rows / 40) * np.cos(columns / 55)
    image = np.rint(noisy(clean, gain, read) + 100)
    found_gain, found_read = estimate_noise([image], offset=100.0)
    assert found_gain * 400 + found_read**2 == pytest.approx(gain * 400 + read**2, rel=0.05)
    assert found_gain == pytest.approx(gain, rel=0.15, abs=0.02)


def test_gain_and_read_noise_are_never_negative():
    darker = 300 - noisy(scene(), 0.5, 1.0)
    gain, read = estimate_noise([darker])
    assert gain == 0
    assert read > 1
    gain, read = estimate_noise([noisy(scene(), 0.5, 0.0)], offset=-50.0)
    assert read == 0
    assert gain > 0


def test_a_camera_that_cannot_be_seen():
    with pytest.raises(InputError, match="give gain and read noise as numbers"):
        estimate_noise([np.zeros((16, 16))])
    with pytest.raises(InputError, match="too uniform"):
        estimate_noise([np.full((256, 256), 7.0)])
