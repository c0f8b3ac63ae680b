"""A displayed array is exact for everyone but the one that displays it."""

import copy
import threading

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

import napari_sr as sr
from napari_sr.imaging.as_image import as_image
from napari_sr.imaging.axes import parse_axes
from napari_sr.inference.lazy.dask_array import lazy_result
from napari_sr.inference.lazy.displayed import DisplayedResult
from napari_sr.inference.lazy.displayed_array import DisplayedArray, displaying
from tests.inference.small_models import rrdb

pytestmark = pytest.mark.filterwarnings("ignore:Chunks of")
IMAGE = np.random.default_rng(0).integers(0, 4000, (3, 20, 24), np.uint16)
COLORS = np.random.default_rng(0).integers(0, 255, (20, 24, 3), np.uint8)


def array_of(image, axes, model):
    job = sr.Job(model, sr.JobSettings(device="cpu"))
    parsed = parse_axes(axes, image.shape)
    calibration = job.calibrate(image, parsed)
    exact = lazy_result(job, as_image(image, axes), calibration=calibration)
    return DisplayedArray.of(exact, DisplayedResult(job, calibration, image, job.region(parsed)))


def enlarged(image, axes):
    for letter in "YX":
        image = image.repeat(2, axes.index(letter))
    return image


STACK, PHOTO = array_of(IMAGE, "ZYX", rrdb(2, 1)), array_of(COLORS, "YXC", rrdb(2))


@given(basic_indices((3, 40, 48), allow_newaxis=False))
def test_any_part_of_a_stack_is_displayed(index):
    with displaying():
        np.testing.assert_array_equal(np.asarray(STACK[index]), enlarged(IMAGE, "ZYX")[index])


@given(basic_indices((40, 48, 3), allow_newaxis=False))
def test_any_part_of_a_color_image_is_displayed(index):
    with displaying():
        np.testing.assert_array_equal(np.asarray(PHOTO[index]), enlarged(COLORS, "YXC")[index])


@given(st.integers(0, 2), st.integers(0, 30), st.integers(0, 30))
def test_a_part_of_a_part_is_displayed(plane, top, left):
    with displaying():
        part = STACK[:, top : top + 9, left : left + 7]
        assert part.shape == (3, 9, 7)
        np.testing.assert_array_equal(
            np.asarray(part[plane]), enlarged(IMAGE, "ZYX")[plane, top : top + 9, left : left + 7]
        )


def test_others_get_the_pixels_of_the_network():
    whole = sr.upscale(IMAGE, rrdb(2, 1), "ZYX", device="cpu")
    part = STACK[1, 3:30]
    assert type(part) is da.Array
    assert np.abs(part.compute().astype(int) - whole[1, 3:30]).max() <= 1
    assert np.abs(np.asarray(STACK).astype(int) - whole).max() <= 1


def test_other_threads_get_the_pixels_of_the_network_meanwhile():
    types = []
    with displaying():
        thread = threading.Thread(target=lambda: types.append(type(STACK[0])))
        thread.start()
        thread.join()
    assert types == [da.Array]


def test_copies_and_other_results_are_dask_arrays():
    assert type(copy.deepcopy(STACK)) is da.Array
    assert type(STACK + 1) is da.Array
    assert type(STACK.rechunk(10)) is da.Array


def test_large_chunks_are_divided_because_napari_reads_whole_ones():
    image = np.zeros((700, 30), np.uint8)
    image[0, 0] = 9
    array = array_of(da.from_array(image, chunks=(700, 30)), "YX", rrdb(2, 1))
    assert array.chunks == ((1024, 376), (60,))
