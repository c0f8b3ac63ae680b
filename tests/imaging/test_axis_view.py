"""Views of arrays with their axes in another order read and write like transposed arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sr.imaging.axis_view import AxisView


def entries(length: int) -> st.SearchStrategy[Any]:
    """Integers and slices into an axis of this length."""
    bounds = st.none() | st.integers(-length - 1, length + 1)
    return st.integers(-length, length - 1) | st.builds(slice, bounds, bounds, st.none() | st.integers(1, 3))


@st.composite
def views(draw: Callable[[st.SearchStrategy[Any]], Any]) -> tuple[np.ndarray, tuple[int, ...], Any]:
    """An array, an order of its axes, and an index into the reordered array."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    order = tuple(draw(st.permutations(range(len(shape)))))
    given = [draw(entries(shape[axis])) for axis in order]
    first = draw(st.integers(0, len(given)))
    last = draw(st.integers(first, len(given)))
    index = (*given[:first], ..., *given[last:]) if draw(st.booleans()) else tuple(given[:first])
    return np.arange(np.prod(shape)).reshape(shape), order, index[0] if len(index) == 1 else index


@settings(max_examples=100)
@given(views())
def test_reading_a_view_equals_a_transposed_array(drawn: tuple[np.ndarray, tuple[int, ...], Any]) -> None:
    array, order, index = drawn
    view, transposed = AxisView(array, order), array.transpose(order)
    assert (view.shape, view.ndim, view.size, view.dtype) == (transposed.shape, array.ndim, array.size, array.dtype)
    assert len(view) == len(transposed)
    assert np.array_equal(np.asarray(view), transposed)
    values = view[index]
    assert values.shape == transposed[index].shape
    assert np.array_equal(values, transposed[index])


@settings(max_examples=100)
@given(views(), st.booleans())
def test_writing_to_a_view_equals_writing_to_a_transposed_array(
    drawn: tuple[np.ndarray, tuple[int, ...], Any], scalar: bool
) -> None:
    array, order, index = drawn
    expected = array.copy()
    values: Any = -1 if scalar else -1 - np.arange(expected.transpose(order)[index].size)
    if not scalar:
        values = values.reshape(expected.transpose(order)[index].shape)
    expected.transpose(order)[index] = values
    written = array.copy()
    AxisView(written, order)[index] = values
    assert np.array_equal(written, expected)


@settings(max_examples=30, deadline=None)
@given(views())
def test_a_view_of_a_zarr_array_reads_and_writes_the_same(drawn: tuple[np.ndarray, tuple[int, ...], Any]) -> None:
    array, order, index = drawn
    stored = zarr.create_array(zarr.storage.MemoryStore(), data=array, chunks=(2,) * array.ndim)
    view = AxisView(stored, order)
    assert view.chunks == (2,) * array.ndim
    assert np.array_equal(view[index], array.transpose(order)[index])
    expected = array.copy()
    expected.transpose(order)[index] = 77
    view[index] = 77
    assert np.array_equal(stored[...], expected)


def test_only_the_indexed_region_is_read() -> None:
    requested: list[Any] = []

    class Watched:
        shape, dtype = (2, 30, 40), np.dtype(np.uint8)

        def __getitem__(self, index: Any) -> np.ndarray:
            requested.append(index)
            return np.zeros(self.shape, self.dtype)[index]

    view = AxisView(Watched(), (1, 2, 0))
    assert view[3:5, 7].shape == (2, 2)
    assert requested == [(slice(None), slice(3, 5), 7)]


def test_too_many_indices_are_an_error() -> None:
    view = AxisView(np.zeros((2, 3)), (1, 0))
    with pytest.raises(IndexError, match="3 indices for 2 axes"):
        view[0, 0, 0]
    assert "shape (3, 2)" in repr(view)
    assert np.asarray(view, dtype=np.uint8).dtype == np.uint8


@settings(max_examples=100)
@given(views(), st.data())
def test_a_view_with_further_axes_reads_like_an_array_with_them(
    drawn: tuple[np.ndarray, tuple[int, ...], Any], data: st.DataObject
) -> None:
    array, order, _ = drawn
    place = data.draw(st.integers(0, len(order)))
    view = AxisView(array, (*order[:place], -1, *order[place:]))
    expected = np.expand_dims(array.transpose(order), place)
    index = tuple(data.draw(entries(length)) for length in expected.shape)
    assert view.shape == expected.shape
    assert view[index].shape == expected[index].shape
    assert np.array_equal(view[index], expected[index])
    with pytest.raises(IndexError):
        view[(*(0,) * place, 1)]
    with pytest.raises(TypeError, match="read only"):
        view[index] = 0
