"""PSNR and SSIM have the values of the formulas, of scikit-image, and of the papers."""

from functools import partial
from math import inf, log10

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import correlate1d
from skimage.metrics import structural_similarity

from napari_sr.errors import InputError
from napari_sr.evaluation import evaluate, lattice, psnr, ssim


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_psnr_of_a_constant_difference_by_hand():
    reference = np.full((20, 20), 100, np.uint8)
    assert psnr(reference + np.uint8(5), reference, data_range=255) == pytest.approx(20 * log10(255 / 5))


def test_psnr_does_not_wrap_around_in_unsigned_integers():
    low, high = np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)
    assert psnr(low, high, data_range=255) == psnr(high, low, data_range=255) == pytest.approx(0)


def test_psnr_of_identical_images_is_infinite(rng):
    image = rng.random((16, 16))
    assert psnr(image, image, data_range=1) == inf
    fidelity = evaluate(image, image, scale=2, data_range=1)
    assert (fidelity.psnr, fidelity.ssim) == (inf, pytest.approx(1))


@given(border=st.integers(1, 6))
def test_pixels_in_the_border_do_not_count(border):
    reference = np.zeros((32, 32), np.uint8)
    result = reference.copy()
    result[:border] = result[-border:] = result[:, :border] = result[:, -border:] = 200
    assert psnr(result, reference, data_range=255, border=border) == inf
    assert psnr(result, reference, data_range=255, border=border - 1) < inf


def test_ssim_is_that_of_scikit_image(rng):
    a, b = rng.random((40, 50)), rng.random((40, 50))
    expected = structural_similarity(
        a[2:-2, 2:-2], b[2:-2, 2:-2], data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(a, b, data_range=1, border=2) == pytest.approx(expected, abs=1e-12)


def test_ssim_is_wangs_formula_on_whole_windows(rng):
    a, b = rng.random((30, 24)) * 255, rng.random((30, 24)) * 255
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(x):
        return correlate1d(correlate1d(x, window, 0), window, 1)[5:-5, 5:-5]

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    expected = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    assert ssim(a, b, data_range=255) == pytest.approx(expected.mean(), abs=1e-9)


def test_ssim_of_colors_is_the_mean_of_the_channels(rng):
    a, b = rng.random((20, 20, 3)), rng.random((20, 20, 3))
    each = [ssim(a[..., c], b[..., c], data_range=1) for c in range(3)]
    assert ssim(a, b, data_range=1) == pytest.approx(np.mean(each))


def test_luma_of_gray_colors_is_their_studio_swing(rng):
    # R = G = B = v gives Y = 16 + 219 v / 255: a difference of 10 becomes one of 8.588.
    reference = np.repeat(rng.integers(50, 200, (32, 32, 1), np.uint8), 3, axis=2)
    fidelity = evaluate(reference + np.uint8(10), reference, scale=2)
    assert fidelity.psnr == pytest.approx(20 * log10(255 / (10 * 219 / 255)))
    assert "Y of BT.601" in fidelity.protocol
    plain = evaluate(reference + np.uint8(10), reference, scale=2, channels="plain")
    assert plain.psnr == pytest.approx(20 * log10(255 / 10))
    assert "R, G and B" in plain.protocol


def test_luma_of_uint16_and_float_colors_is_that_of_uint8(rng):
    a, b = rng.integers(0, 256, (2, 32, 32, 3), np.uint8)
    expected = evaluate(a, b, scale=2)
    for factor, dtype, span in ((257, np.uint16, None), (1 / 255, np.float64, 1.0)):
        one, other = ((x.astype(np.float64) * factor).astype(dtype) for x in (a, b))
        found = evaluate(one, other, scale=2, data_range=span)
        assert (found.psnr, found.ssim) == (pytest.approx(expected.psnr), pytest.approx(expected.ssim))


def test_gray_is_compared_as_it_is(rng):
    reference = rng.integers(0, 60_000, (32, 32), np.uint16)
    fidelity = evaluate(reference + np.uint16(100), reference, scale=4)
    assert fidelity.psnr == pytest.approx(20 * log10(65535 / 100))
    assert "intensities as they are" in fidelity.protocol
    assert "data range 65535" in fidelity.protocol
    assert "border of 4 pixels" in fidelity.protocol


def test_alpha_is_left_out_and_in_the_protocol(rng):
    reference = rng.integers(0, 255, (32, 32, 4), np.uint8)
    result = reference.copy()
    result[..., 3] = 0
    fidelity = evaluate(result, reference, scale=2)
    assert fidelity.psnr == inf
    assert "alpha left out" in fidelity.protocol


def test_the_error_of_a_stack_is_over_all_planes(rng):
    reference = rng.integers(0, 200, (2, 32, 32), np.uint8)
    result = reference.copy()
    result[1] += 10
    fidelity = evaluate(result, reference, scale=2, axes="ZYX")
    assert fidelity.psnr == pytest.approx(10 * log10(255**2 / 50))
    assert fidelity.ssim == pytest.approx((1 + ssim(result[1], reference[1], data_range=255, border=2)) / 2)


@pytest.mark.parametrize("more", [(0, 0), (2, 0), (1, 2)])
def test_a_larger_reference_is_cropped_by_less_than_the_factor(rng, more):
    reference = rng.integers(0, 255, (33 + more[0], 36 + more[1]), np.uint8)
    fidelity = evaluate(reference[:33, :36], reference, scale=3)
    assert fidelity.psnr == inf
    assert fidelity.cut == more
    assert ("reference cut" in fidelity.protocol) == (more != (0, 0))


@pytest.mark.parametrize("shape", [(36, 36), (33, 39), (32, 36), (33, 36, 3)])
def test_other_sizes_are_refused_in_one_sentence(shape):
    with pytest.raises(InputError, match="compare images of one field and size"):
        evaluate(np.zeros((33, 36), np.uint8), np.zeros(shape, np.uint8), scale=3)


@pytest.mark.parametrize(
    ("result", "reference", "settings", "sentence"),
    [
        (np.zeros((20, 20)), np.zeros((20, 20)), {}, "give the data range"),
        (np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint16), {}, "uint8 and the reference uint16"),
        (np.full((20, 20), np.nan), np.zeros((20, 20)), {"data_range": 1}, "The result has NaN"),
        (np.zeros((20, 20)), np.full((20, 20), np.inf), {"data_range": 1}, "The reference has NaN or infinite"),
        (np.zeros((20, 20)), np.zeros((20, 20)), {"data_range": 0}, "data range 0"),
        (np.zeros((20, 20, 3)), np.zeros((20, 20, 3)), {"data_range": 0}, "data range 0"),
        (np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8), {"border": 10}, "leaves nothing"),
        (np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8), {"border": 5}, "at least 11 x 11"),
        (np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8), {"border": -1}, "0 or more"),
        (np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8), {"channels": "cmyk"}, "luma, plain"),
        (np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8), {"scale": 0}, "factor 0 cannot be used"),
        (np.zeros(20, np.uint8), np.zeros(20, np.uint8), {}, "at least the two dimensions"),
        (np.zeros((20, 20), complex), np.zeros((20, 20), complex), {}, "complex128"),
    ],
)
def test_images_that_cannot_be_compared_are_refused_in_one_sentence(result, reference, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        evaluate(result, reference, **{"scale": 2, **settings})


def test_lists_and_lazy_arrays_are_compared_and_paths_are_refused(rng):
    reference = rng.integers(0, 255, (16, 18), np.uint8)
    whole = evaluate(reference // 2, reference, scale=2)
    assert evaluate(da.from_array(reference // 2), reference.tolist(), scale=2, data_range=255) == whole
    with pytest.raises(InputError, match="read it with read_image first"):
        evaluate("result.tif", reference, scale=2)


@pytest.mark.parametrize("figure", [psnr, ssim, partial(lattice, scale=2)])
@pytest.mark.parametrize("data_range", ["wide", None, 0, -1, np.nan, np.inf])
def test_no_figure_has_a_range_that_is_no_number_above_0(figure, data_range):
    images = [np.zeros((40, 40))] * (1 if isinstance(figure, partial) else 2)
    with pytest.raises(InputError, match="data range"):
        figure(*images, data_range=data_range)


@pytest.mark.parametrize("figure", [psnr, ssim])
@pytest.mark.parametrize("border", ["2", 1.5, -1])
def test_no_figure_has_a_border_that_is_no_whole_number(figure, border):
    with pytest.raises(InputError, match="border"):
        figure(np.zeros((40, 40)), np.zeros((40, 40)), data_range=1, border=border)


def test_the_range_of_64_bits_is_taken():
    assert psnr(np.zeros((4, 4)), np.ones((4, 4)), data_range=2**64) == pytest.approx(20 * log10(2**64))


@pytest.mark.parametrize("settings", [{"scale": 2.5}, {"scale": "2"}, {"border": 1.5}, {"channels": 3}])
def test_settings_of_other_types_are_refused_in_one_sentence(rng, settings):
    image = rng.integers(0, 255, (16, 18), np.uint8)
    with pytest.raises(InputError, match="give"):
        evaluate(image, image, **{"scale": 2, **settings})
