"""Averages of 2 x 2 pixels."""

import numpy as np
import pytest

from napari_sr.imaging.pyramid import halved


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, bool])
def test_each_pixel_is_the_average_of_four(dtype: type) -> None:
    block = (np.random.default_rng(0).random((6, 8)) * 2).astype(dtype)
    means = [[block[y : y + 2, x : x + 2].astype(float).mean() for x in range(0, 8, 2)] for y in range(0, 6, 2)]
    expected = np.array(means) if dtype is np.float32 else np.rint(means)
    assert halved(block).dtype == dtype
    assert np.allclose(halved(block).astype(float), expected)


def test_the_last_row_and_column_of_an_odd_number_are_repeated() -> None:
    block = np.arange(15, dtype=np.uint16).reshape(3, 5)
    assert halved(block).tolist() == [[3, 5, 6], [10, 12, 14]]


def test_the_averages_of_large_integers_are_exact() -> None:
    assert halved(np.full((2, 2), 2**63 + 2**12, np.uint64)).item() == 2**63 + 2**12
    assert halved(np.full((2, 2), 255, np.uint8)).item() == 255


def test_colors_are_averaged_one_by_one() -> None:
    block = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
    assert halved(block).shape == (4, 3, 3)
    for color in range(3):
        assert np.array_equal(halved(block)[..., color], halved(block[..., color]))
