"""A part in memory is indexed like the whole array."""

import numpy as np
import pytest

from napari_sr.imaging.part import LoadedPart, Part, crop

WHOLE = np.arange(4 * 6 * 8).reshape(4, 6, 8)
PART = LoadedPart(WHOLE[1:3, 2:6, 3:7], (1, 2, 3), WHOLE.shape)


@pytest.mark.parametrize(
    "index",
    [
        (1, slice(2, 6), slice(3, 7)),
        (2, slice(3, 5), 6),
        (slice(1, 3), 2, slice(4, 5)),
        (np.int64(2), slice(2, None), slice(-5, -1)),
    ],
)
def test_values_in_memory_are_those_of_the_whole_array(index):
    assert PART.shape == WHOLE.shape
    assert PART.dtype == WHOLE.dtype
    assert np.array_equal(PART[index], WHOLE[index])


@pytest.mark.parametrize(
    "index",
    [
        (0, slice(2, 6), slice(3, 7)),
        (3, slice(2, 6), slice(3, 7)),
        (1, slice(1, 6), slice(3, 7)),
        (1, slice(2, 6), slice(3, None)),
        (1, slice(2, 6), 2),
    ],
)
def test_values_that_are_not_in_memory_are_an_error(index):
    with pytest.raises(IndexError, match="outside the loaded part"):
        PART[index]


def test_a_part_of_a_loaded_part_is_read_through_a_view():
    assert np.array_equal(crop(PART, ((1, 2), (3, 6), (3, 5)))[0, slice(0, 3), slice(0, 2)], WHOLE[1, 3:6, 3:5])


def test_equal_parts_are_one_key():
    parts = {Part(rows=(0, 4), at={"Z": 1}): 1, Part(rows=(0, 4), at={"Z": 2}): 2}
    assert parts[Part(rows=[0, 4], at={"Z": np.int64(1)})] == 1
    assert len(parts) == 2
