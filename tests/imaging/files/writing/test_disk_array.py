"""An array in a temporary file has the values that were written, and no more of them in memory than are indexed."""

import errno

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.files.writing.disk_array import DiskArray, disk_array

SHAPES = {"YX": ((7, 9), 0), "ZYX": ((3, 7, 9), 1), "TCYX": ((2, 3, 5, 4), 2), "YXC": ((6, 5, 4), 0)}


def entry(length):
    """An index of an axis: an integer, or a slice with the step 1."""
    ends = st.tuples(st.integers(-length, length), st.integers(-length, length))
    return st.integers(-length, length - 1) | st.just(slice(None)) | ends.map(lambda pair: slice(*pair))


@settings(deadline=None)
@given(st.data())
def test_parts_that_are_written_and_read_are_those_of_an_array_in_memory(tmp_path_factory, data):
    shape, planes = data.draw(st.sampled_from(list(SHAPES.values())))
    dtype = data.draw(st.sampled_from([np.uint8, np.dtype(">u2"), np.float32, bool]))
    expected = np.zeros(shape, dtype)
    with DiskArray(tmp_path_factory.mktemp("disk") / "pixels", shape, dtype, planes) as array:
        assert not array[...].any()
        for seed in range(data.draw(st.integers(1, 4))):
            index = tuple(data.draw(entry(length)) for length in shape)
            values = np.random.default_rng(seed).integers(0, 200, expected[index].shape).astype(dtype)
            expected[index] = values
            array[index] = values
            assert np.array_equal(array[...], expected)
        index = tuple(data.draw(entry(length)) for length in shape)
        assert np.array_equal(array[index], expected[index])


def test_a_single_value_fills_a_part(tmp_path):
    with DiskArray(tmp_path / "pixels", (4, 5), np.uint8, 0) as array:
        array[1:3] = 7
        assert np.asarray(array).tolist() == [[0] * 5, [7] * 5, [7] * 5, [0] * 5]


def test_other_steps_are_refused(tmp_path):
    with DiskArray(tmp_path / "pixels", (4, 5), np.uint8, 0) as array, pytest.raises(IndexError, match="step 1"):
        array[::2] = 1


def test_an_image_with_axes_in_any_order_is_stored_plane_by_plane(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (5, 2, 4, 3), np.uint8)
    array, view = disk_array(tmp_path / "pixels", parse_axes("XTYC", image.shape), image.dtype)
    with array:
        assert array.shape == (2, 4, 5, 3)
        view[...] = image
        assert np.array_equal(view[...], image)
        assert np.array_equal(array[1], image[:, 1].swapaxes(0, 1))


def test_a_full_disk_is_an_error_with_its_cause(tmp_path):
    resource = pytest.importorskip("resource", reason="limits of a process are Unix's")
    with DiskArray(tmp_path / "pixels", (1 << 10, 1 << 10), np.uint8, 0) as array:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
        try:
            with pytest.raises(OSError, match="large") as caught:
                array[...] = np.ones((1 << 10, 1 << 10), np.uint8)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert caught.value.errno == errno.EFBIG
