from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, parse_axes

da = pytest.importorskip("dask.array")
zarr = pytest.importorskip("zarr")

ALL_LETTERS = [
    "".join(order) for extra in ("", "T", "C", "Z", "TC", "CZ", "TZ", "TCZ") for order in permutations("YX" + extra)
]


@st.composite
def images(draw):
    letters = draw(st.sampled_from(ALL_LETTERS))
    shape = tuple(draw(st.integers(1, 4)) for _ in letters)
    return np.arange(np.prod(shape), dtype=np.int32).reshape(shape), letters


@pytest.mark.parametrize(
    ("shape", "letters", "rgb"),
    [
        ((8, 9), "YX", False),
        ((8, 3), "YX", False),
        ((8, 9, 3), "YXC", True),
        ((8, 9, 4), "YXC", True),
        ((5, 8, 9, 3), "ZYXC", True),
        ((2, 5, 8, 9, 4), "TZYXC", True),
        ((5, 8, 9), "ZYX", False),
        ((2, 5, 8, 9), "CZYX", False),
        ((6, 2, 5, 8, 9), "TCZYX", False),
    ],
)
def test_axes_without_letters_follow_from_the_shape(shape, letters, rgb):
    axes = parse_axes(None, shape)
    assert (axes.letters, axes.rgb, axes.rgba) == (letters, rgb, rgb and shape[-1] == 4)


def test_only_a_last_channel_axis_of_three_or_four_is_color():
    assert parse_axes("YXC", (8, 9, 3)).rgb
    assert parse_axes("xyc", (8, 9, 4)).rgba
    for letters, shape in (("YXC", (8, 9, 2)), ("YXC", (8, 9, 5)), ("CYX", (3, 8, 9)), ("YCX", (8, 3, 4))):
        axes = parse_axes(letters, shape)
        assert not axes.rgb
        assert axes.channel == letters.index("C")


@given(images())
def test_every_pixel_is_in_exactly_one_plane_and_is_written_back_to_its_position(drawn):
    image, letters = drawn
    axes = parse_axes(letters, image.shape)
    out, seen = np.full_like(image, -1), []
    for index in axes.plane_indices():
        plane = axes.plane(image, index)
        colors = (image.shape[-1],) if axes.rgb else ()
        assert plane.shape == (image.shape[axes.y], image.shape[axes.x], *colors)
        seen.append(plane.ravel())
        axes.place(out, index, plane)
    assert len(seen) == axes.plane_count
    assert sorted(np.concatenate(seen)) == list(range(image.size))
    np.testing.assert_array_equal(out, image)


@given(images())
def test_a_plane_has_y_before_x_whatever_the_stored_order(drawn):
    image, letters = drawn
    axes = parse_axes(letters, image.shape)
    index = next(axes.plane_indices())
    plane = axes.plane(image, index)
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            pixel = list(index)
            pixel[axes.y], pixel[axes.x] = y, x
            np.testing.assert_array_equal(plane[y, x], image[tuple(pixel)])


@given(images())
def test_each_plane_has_its_separate_channel(drawn):
    image, letters = drawn
    axes = parse_axes(letters, image.shape)
    channels = [axes.channel_of(index) for index in axes.plane_indices()]
    if axes.channel is None:
        assert channels == [None] * axes.plane_count
    else:
        each = axes.plane_count // image.shape[axes.channel]
        assert sorted(channels) == sorted(list(range(image.shape[axes.channel])) * each)


@given(images())
def test_the_planes_of_a_channel_are_those_of_all_planes_with_its_number(drawn):
    image, letters = drawn
    axes = parse_axes(letters, image.shape)
    for channel in axes.channels:
        expected = [index for index in axes.plane_indices() if axes.channel_of(index) == channel]
        assert list(axes.plane_indices(channel)) == expected


def test_the_planes_of_a_channel_are_found_without_those_of_all_others():
    axes = parse_axes("TCYX", (2, 10**12, 4, 4))
    rows = slice(None)
    assert list(axes.plane_indices(5)) == [(0, 5, rows, rows), (1, 5, rows, rows)]


def test_dask_and_zarr_arrays_have_the_planes_of_a_numpy_array():
    image = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    axes = parse_axes("TXYC", image.shape)
    lazy = da.from_array(image, chunks=(1, 2, 2, 5))
    stored = zarr.array(image, chunks=(1, 2, 2, 5))
    target = zarr.zeros(image.shape, chunks=(1, 3, 4, 5), dtype=image.dtype)
    for index in axes.plane_indices():
        expected = axes.plane(image, index)
        np.testing.assert_array_equal(axes.plane(lazy, index), expected)
        np.testing.assert_array_equal(axes.plane(stored, index), expected)
        axes.place(target, index, expected)
    np.testing.assert_array_equal(target[:], image)


def test_only_the_requested_plane_of_a_lazy_array_is_read():
    read = []

    class Recorder:
        shape, dtype = (7, 8, 9), np.dtype(np.uint8)

        def __getitem__(self, index):
            read.append(index)
            return np.zeros(self.shape, self.dtype)[index]

    axes = parse_axes("ZYX", Recorder.shape)
    axes.plane(Recorder(), list(axes.plane_indices())[3])
    assert read == [(3, slice(None), slice(None))]


@given(images(), st.sampled_from([1, 2, 3, 4, 8]))
def test_only_y_and_x_are_upscaled(drawn, factor):
    image, letters = drawn
    grown = parse_axes(letters, image.shape).upscaled_shape(factor)
    for letter, before, after in zip(letters, image.shape, grown, strict=True):
        assert after == before * (factor if letter in "YX" else 1)


def test_lengths_are_rounded_to_the_nearest_whole_number_and_halves_up():
    assert parse_axes("YX", (30, 36)).upscaled_shape(0.1) == (3, 4)
    assert parse_axes("YX", (31, 34)).upscaled_shape(0.1) == (3, 3)
    assert parse_axes("YX", (10, 7)).upscaled_shape(1.5) == (15, 11)
    assert parse_axes("XZY", (7, 9, 10)).upscaled_shape((1.5, 0.5)) == (4, 9, 15)


def test_a_factor_that_leaves_no_pixel_is_refused():
    with pytest.raises(InputError, match=r"The factor 0\.05 leaves no pixel of 8: give a larger factor"):
        parse_axes("YX", (30, 8)).upscaled_shape(0.05)


@pytest.mark.parametrize(
    ("letters", "shape", "message"),
    [
        ("YQ", (8, 9), 'unknown letter "Q"'),
        ("YYX", (8, 8, 9), "have Y twice"),
        ("ZYX", (8, 9), "one letter for each"),
        ("YX", (5, 8, 9), "one letter for each"),
        ("TZX", (5, 8, 9), "have no Y"),
        ("TZY", (5, 8, 9), "have no X"),
        ("X", (9,), "two dimensions"),
        (None, (9,), "two dimensions"),
        (None, (), "two dimensions"),
        ("YX", (0, 9), "empty"),
        (None, (5, 0, 9), "empty"),
        (None, (2, 2, 2, 2, 8, 9), "at most 5"),
        (["Z", "Y", "X"], (5, 8, 9), "not text"),
        (3, (5, 8, 9), "not text"),
    ],
)
def test_axes_that_do_not_fit_the_image_are_refused_in_one_sentence(letters, shape, message):
    with pytest.raises(InputError) as caught:
        parse_axes(letters, shape)
    assert message in str(caught.value)
    assert ": " in str(caught.value), "the message must end with the remedy"


@pytest.mark.parametrize("factor", [0, -2, float("nan"), float("inf")])
def test_a_factor_of_zero_or_less_is_refused(factor):
    with pytest.raises(InputError, match="more than 0"):
        Axes("YX", (8, 9)).upscaled_shape(factor)


@pytest.mark.parametrize("factor", [1e300, 1e9, np.float64(1e12)])
def test_a_factor_that_makes_more_pixels_than_files_can_have_is_refused(factor):
    with pytest.raises(InputError, match="pixels in a row"):
        Axes("YX", (10, 10)).upscaled_shape((factor, 2.0))
