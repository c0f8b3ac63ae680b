"""Missing pixels are found, filled from the nearest ones, and marked in results."""

import dask.array as da
import numpy as np
import pytest

from napari_sr.imaging import missing
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.missing import FilledImage, MarkedResult, fill_nearest, missing_mask


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_nan_infinite_and_huge_values_are_missing(dtype):
    values = np.array([0, np.nan, np.inf, -np.inf, 6e4, -6e4], dtype)
    assert missing_mask(values).tolist() == [False, True, True, True, False, False]
    if dtype != np.float16:
        huge = np.array([9.97e36, -3.4e38, 1e29, -1e29], dtype)
        assert missing_mask(huge).tolist() == [True, True, False, False]
        assert missing_mask(huge, 1e300).tolist() == [False] * 4


def test_integers_are_never_missing():
    assert not missing_mask(np.array([0, 2**64 - 1], np.uint64)).any()


def test_missing_pixels_take_the_value_of_the_nearest_one():
    plane = np.array([[1.0, 0, 0, 0, 0, 2], [1, 0, 0, 3, 3, 2]])
    filled = fill_nearest(plane, plane == 0)
    assert filled.tolist() == [[1, 1, 3, 3, 3, 2], [1, 1, 3, 3, 3, 2]]


def stack():
    image = np.random.default_rng(0).random((2, 3, 12, 15)).astype(np.float32)
    image[0, 1, 2:5, 3:9] = np.nan
    image[1, 2] = np.inf
    return image


def test_a_part_of_a_filled_image_is_the_part_of_its_whole_plane():
    image, axes = stack(), parse_axes("CZYX", (2, 3, 12, 15))
    filled = FilledImage(da.from_array(image, chunks=(1, 1, 4, 4)), axes, {0: 5.0, 1: 7.0})
    whole = filled[0, 1, :, :]
    assert np.array_equal(whole, fill_nearest(image[0, 1], np.isnan(image[0, 1])))
    again = FilledImage(image, axes, {})
    assert np.array_equal(again[0, 1, 3:7, 4:6], whole[3:7, 4:6])
    # Without missing pixels in the part the plane is not changed.
    assert np.array_equal(again[0, 0, 3:7, 4:6], image[0, 0, 3:7, 4:6])
    assert np.array_equal(filled[1, 2, :2, :2], np.full((2, 2), 7, np.float32))


def test_planes_that_leave_the_cache_are_read_again(monkeypatch):
    monkeypatch.setattr(missing, "_CACHE", 1)
    image = stack()
    image[:, :, 0, 0] = np.nan
    filled = FilledImage(image, parse_axes("CZYX", image.shape), {})
    for _ in range(2):
        for position in np.ndindex(2, 3):
            assert np.array_equal(filled.missing(position), ~np.isfinite(image[position]))
            assert np.isfinite(filled[(*position, slice(None), slice(None))]).all()


def test_the_stored_order_of_the_axes_does_not_matter():
    image = stack()
    expected = FilledImage(image, parse_axes("CZYX", image.shape), {})[0, 1, :, :]
    turned = image.transpose(3, 0, 2, 1)
    assert np.array_equal(FilledImage(turned, parse_axes("XCYZ", turned.shape), {})[:, 0, :, 1], expected.T)


def test_a_pixel_is_missing_where_one_color_is_and_opacity_is_filled_by_itself():
    image = np.random.default_rng(0).random((6, 7, 4)).astype(np.float32)
    image[2, 3, 1] = np.nan
    image[4, 4, 3] = np.nan
    filled = FilledImage(image, parse_axes("YXC", image.shape), {})
    values = filled[:, :, :]
    nearby = [tuple(image[2 + y, 3 + x, :3]) for y, x in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    assert tuple(values[2, 3, :3]) in nearby
    assert values[2, 3, 3] == image[2, 3, 3]
    assert values[4, 4, :3].tolist() == image[4, 4, :3].tolist()
    assert values[4, 4, 3] in [image[4 + y, 4 + x, 3] for y, x in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    mask = filled.missing(())
    assert np.argwhere(mask).tolist() == [[2, 3, 0], [2, 3, 1], [2, 3, 2], [4, 4, 3]]
    # One color alone does not show that another one is missing.
    assert FilledImage(image, parse_axes("YXC", image.shape), {})[2, 3:4, 0] == values[2, 3, 0]


def test_results_over_missing_pixels_are_written_as_nan():
    image, axes = stack(), parse_axes("CZYX", (2, 3, 12, 15))
    out = np.zeros((1, 3, 8, 10), np.float32)
    rows, columns = np.arange(8) // 2 + 1, np.arange(10) // 2 + 2
    marked = MarkedResult(out, FilledImage(image, axes, {}), axes, (np.array([0]), np.arange(3), rows, columns))
    values = np.ones((6, 10), np.float32)
    marked[0, 1, 2:8, 0:10] = values
    marked[0, 0, :, :] = np.ones((8, 10))
    assert np.array_equal(np.isnan(out[0, 1, 2:]), np.isnan(image[0, 1])[rows[2:]][:, columns])
    assert np.isnan(out).sum() > 0
    assert out[0, 0].min() == 1
    assert values.min() == 1
