"""Pairs: the position of one image on the other, by the world and by the content."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_sr import InputError
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.resize import resize
from napari_sr.training.data.brightness import fit_brightness
from napari_sr.training.data.pairs import match_arrays, match_layers


def layer(data, scale, translate=(0, 0), name="layer", rotate=None):
    ndim = data.ndim
    return SimpleNamespace(
        data=data,
        name=name,
        rgb=False,
        multiscale=False,
        ndim=ndim,
        scale=np.broadcast_to(np.asarray(scale, float), (ndim,)),
        translate=np.asarray(translate, float),
        rotate=np.eye(ndim) if rotate is None else rotate,
        shear=np.zeros(ndim * (ndim - 1) // 2),
        affine=SimpleNamespace(affine_matrix=np.eye(ndim + 1)),
        contrast_limits=(0, 255),
    )


@pytest.fixture
def field(textured):
    return textured(480, 480).astype(np.float64)


def matched(low, high, scale=2):
    return match_layers(low, high, parse_axes(None, low.data.shape), parse_axes(None, high.data.shape), scale)


def test_layers_are_matched_by_their_positions_in_the_world(field):
    # The high image shows rows 40.. and columns 60.. of the field; the low one all of it.
    high = field[40:440, 60:420]
    low = resize(field, (240, 240))
    world = 0.5
    match = matched(
        # Translations are those of pixel centers: the first low pixel's is half a low pixel from the edge.
        layer(low, 2 * world, (world / 2, world / 2), "low"),
        layer(high, world, (40 * world, 60 * world), "high"),
    )
    assert match.low_box == (slice(20, 220), slice(30, 210))
    assert match.high_box == (slice(0, 400), slice(0, 360))
    assert match.shift == pytest.approx((-40, -60), abs=0.1)
    assert match.uncertainty < 0.3
    assert match.warning is None


@pytest.mark.parametrize("shift", [(0, 0), (3, -5), (-2, 4)])
def test_a_shift_that_is_not_in_the_world_is_measured_and_corrected(field, shift):
    low = resize(field, (240, 240))
    high = np.roll(field, shift, axis=(0, 1))
    match = matched(layer(low, 2, (0.5, 0.5)), layer(high, 1))
    assert match.shift == pytest.approx(shift, abs=0.15)
    assert match.residual == pytest.approx((0, 0), abs=0.15)
    cut = high[match.high_box]
    same = resize(cut, low[match.low_box].shape)
    assert np.corrcoef(same[8:-8, 8:-8].ravel(), low[match.low_box][8:-8, 8:-8].ravel())[0, 1] > 0.995
    assert f"{shift[0]:+.0f}" in match.sentence() or shift == (0, 0)


def test_parts_with_different_shifts_give_a_warning_with_the_uncertainty(field):
    low = resize(field, (240, 240))
    torn = field.copy()
    torn[:, 160:320] = np.roll(field, 3, axis=0)[:, 160:320]
    torn[:, 320:] = np.roll(field, -3, axis=0)[:, 320:]
    match = matched(layer(low, 2, (0.5, 0.5), "low"), layer(torn, 1, name="high"))
    assert match.uncertainty > 0.5
    assert f"{match.uncertainty:.2f}" in match.warning


@pytest.mark.parametrize(
    ("low", "high", "sentence"),
    [
        ({"scale": 3}, {"scale": 1}, "3 x 3 times"),
        ({"scale": 2, "translate": (9000, 0)}, {"scale": 1}, "do not overlap in the world"),
        ({"scale": 2, "rotate": np.array([[0, -1.0], [1, 0]])}, {"scale": 1}, "rotated"),
    ],
)
def test_layers_that_do_not_belong_together_are_refused(low, high, sentence):
    plane = np.random.default_rng(0).random((64, 64))
    with pytest.raises(InputError, match=sentence):
        matched(layer(plane, **low), layer(np.kron(plane, np.ones((2, 2))), **high))


@pytest.mark.parametrize(("ratio", "exchanged"), [(2, True), (4, True), (1, False), (2.5, False), (500, False)])
def test_layers_that_are_exchanged_are_told_from_those_of_a_wrong_scale(ratio, exchanged):
    plane = np.zeros((64, 64))
    with pytest.raises(InputError, match="upscales by 2") as caught:
        matched(layer(plane, 1, name="high"), layer(plane, ratio, name="low"))
    assert ("seem to be exchanged, so give the low-resolution image first" in str(caught.value)) is exchanged
    assert ("correct the scale of a layer" in str(caught.value)) is not exchanged


def test_arrays_whose_ratio_is_not_the_factor_are_refused():
    low, high = np.random.default_rng(0).random((64, 64)), np.zeros((128, 190))
    with pytest.raises(InputError, match="upscales by 2: give images of one field"):
        match_arrays(low, high, parse_axes(None, low.shape), parse_axes(None, high.shape), ("low", "high"), 2)


def test_images_with_different_planes_are_refused():
    low, high = np.zeros((3, 32, 32)), np.zeros((4, 64, 64))
    with pytest.raises(InputError, match="same planes"):
        match_arrays(low, high, parse_axes("ZYX", low.shape), parse_axes("ZYX", high.shape), ("low", "high"), 2)


def test_brightness_is_fitted_by_a_line_despite_noise(field):
    low = resize(field, (240, 240))
    noisy = low + 30 * np.random.default_rng(0).standard_normal(low.shape)
    gain, offset = fit_brightness([(noisy, 2.5 * field + 100)])
    assert gain == pytest.approx(2.5, rel=0.02)
    assert offset == pytest.approx(100, abs=6)
    with pytest.raises(InputError, match="brighter together"):
        fit_brightness([(low, -field)])
    with pytest.raises(InputError, match="low-resolution image is constant"):
        fit_brightness([(np.ones((16, 16)), field)])
    with pytest.raises(InputError, match="high-resolution image is constant"):
        fit_brightness([(low, np.full_like(field, 0.1))])


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pair_with_missing_values_is_refused_by_the_name_of_the_image(field, which, value):
    planes = [resize(field, (240, 240)), field.copy()]
    planes[which][3, 4:6] = value
    axes = [parse_axes(None, plane.shape) for plane in planes]
    with pytest.raises(InputError, match=rf"^{('low', 'high')[which]}: The image has 2 (NaN|infinite) values"):
        match_arrays(*planes, *axes, ("low", "high"), 2)


def test_black_and_white_images_are_matched(field):
    low, high = resize(field, (240, 240)) > 127, np.roll(field, (2, -4), axis=(0, 1)) > 127
    match = match_arrays(low, high, parse_axes(None, low.shape), parse_axes(None, high.shape), ("low", "high"), 2)
    assert match.shift == pytest.approx((2, -4), abs=0.3)
    assert np.isfinite(match.uncertainty)


@pytest.mark.parametrize(
    ("low", "high", "sentence"),
    [
        ((40, 40), (80, 80, 3), "high is an RGB image and low is not: give two images of the same kind."),
        ((40, 40, 3), (80, 80), "low is an RGB image and high is not: give two images of the same kind."),
        (
            (40, 40),
            (3, 5, 80, 80),
            "low and high have different numbers of planes, 1 and 3 x 5: give images with the same planes.",
        ),
    ],
)
def test_a_pair_of_different_kinds_is_refused_with_the_difference(low, high, sentence):
    images = np.zeros(low, np.uint8), np.zeros(high, np.uint8)
    with pytest.raises(InputError) as refused:
        match_arrays(*images, *(parse_axes(None, image.shape) for image in images), ("low", "high"), 2)
    assert str(refused.value) == sentence
