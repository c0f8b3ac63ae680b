"""Computed values in a data type: those beyond its ends become the ends."""

import numpy as np
import pytest

from napari_sr.imaging.resize import resize
from napari_sr.imaging.rounding import round_to


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int32, np.uint32, np.uint8])
@pytest.mark.parametrize("floats", [np.float32, np.float64])
def test_values_beyond_the_ends_of_integers_become_the_ends(dtype: type, floats: type) -> None:
    ends = np.iinfo(dtype)
    beyond = np.array([-1e30, float(ends.max), 1e30, np.inf], floats)
    assert round_to(beyond, dtype).tolist() == [ends.min, ends.max, ends.max, ends.max]
    constant = np.full((5, 6), ends.max, dtype)
    assert resize(constant, factor=2).tolist() == np.full((10, 12), ends.max, dtype).tolist()


def test_the_overshoot_of_half_precision_does_not_become_infinite() -> None:
    image = np.zeros((12, 12), np.float16)
    image[4:8, 4:8] = 65504
    out = resize(image, factor=2)
    assert out.dtype == np.float16
    assert out.max() == 65504
    assert round_to(np.array([np.inf, -7e4]), np.float16).tolist() == [np.inf, -65504]


def test_a_bool_is_true_above_one_half() -> None:
    assert round_to(np.array([-1.0, 0.2, 0.5, 0.6]), bool).tolist() == [False, False, False, True]
    mask = np.zeros((8, 8), bool)
    mask[2:6, 2:6] = True
    assert resize(mask, factor=2).sum() == 64
