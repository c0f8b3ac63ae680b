import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sr.errors import InputError
from napari_sr.imaging.color import GRAY_WEIGHTS, luma, rgb_to_ycbcr, ycbcr_to_rgb

colors = hnp.arrays(np.float64, hnp.array_shapes(max_dims=2).map(lambda s: (*s, 3)), elements=st.floats(0, 1))


@pytest.mark.parametrize(
    ("rgb", "ycbcr"),
    [
        # rgb2ycbcr([R G B]) of MATLAB, on doubles, times 255: the eight corners of the cube that have a name.
        ((0, 0, 0), (16, 128, 128)),
        ((1, 1, 1), (235, 128, 128)),
        ((1, 0, 0), (81.481, 90.203, 240)),
        ((0, 1, 0), (144.553, 53.797, 34.214)),
        ((0, 0, 1), (40.966, 240, 109.786)),
    ],
)
def test_named_colors_have_matlabs_ycbcr(rgb, ycbcr):
    np.testing.assert_allclose(rgb_to_ycbcr(np.array(rgb, float)) * 255, ycbcr, atol=1e-9)


@given(colors)
def test_ycbcr_is_converted_back_to_the_same_rgb(rgb):
    np.testing.assert_allclose(ycbcr_to_rgb(rgb_to_ycbcr(rgb)), rgb, atol=1e-13)


@given(colors)
def test_luma_is_the_y_of_ycbcr_and_stays_in_studio_swing(rgb):
    y = luma(rgb)
    np.testing.assert_array_equal(y, rgb_to_ycbcr(rgb)[..., 0])
    assert y.min() >= 16 / 255 - 1e-12
    assert y.max() <= 235 / 255 + 1e-12


def test_gray_weights_sum_to_one():
    assert sum(GRAY_WEIGHTS) == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("function", [luma, rgb_to_ycbcr, ycbcr_to_rgb])
def test_float32_and_float64_are_kept_and_float16_becomes_float32(function):
    for dtype, expected in ((np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)):
        assert function(np.zeros((2, 3), dtype)).dtype == expected


@pytest.mark.parametrize("function", [luma, rgb_to_ycbcr, ycbcr_to_rgb])
@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 4)), np.zeros((3, 4, 4)), np.float64(1)]
)
def test_other_images_than_floats_of_three_channels_are_refused(function, bad):
    with pytest.raises(InputError, match=r"convert it|move its 3 channels"):
        function(bad)
