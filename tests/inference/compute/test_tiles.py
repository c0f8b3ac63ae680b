"""Overlapping tiles cover every pixel, with weights that sum to 1."""

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from napari_sr.errors import InputError
from napari_sr.inference.compute.tiles import axis_tiles
from napari_sr.settings import JobSettings, Overlap

cuts = st.tuples(st.integers(1, 600), st.integers(1, 200), st.integers(0, 40), st.integers(0, 20), st.integers(1, 4))


@settings(max_examples=250)
@given(cut=cuts, scale=st.integers(1, 4))
@example(cut=(15, 10, 0, 3, 4), scale=1)
@example(cut=(45, 33, 8, 8, 1), scale=2)
def test_the_weights_of_all_tiles_sum_to_one(cut: tuple[int, int, int, int, int], scale: int) -> None:
    length, tile, overlap, blend, alignment = cut
    assume(tile >= 2 * overlap + 2 * blend + alignment)
    total = np.zeros(scale * length)
    for part in axis_tiles(length, Overlap(tile=tile, overlap=overlap, blend=blend), alignment):
        total[scale * part.keep_start : scale * part.keep_stop] += part.weights(scale)
    assert np.allclose(total, 1, atol=1e-6)


@settings(max_examples=250)
@given(cut=cuts)
def test_the_overlap_is_discarded_at_inner_ends_only(cut: tuple[int, int, int, int, int]) -> None:
    length, tile, overlap, blend, alignment = cut
    assume(tile >= 2 * overlap + 2 * blend + alignment)
    tiles = axis_tiles(length, Overlap(tile=tile, overlap=overlap, blend=blend), alignment)
    assert tiles[0].keep_start == 0
    assert tiles[-1].keep_stop == length
    for part in tiles:
        assert 0 <= part.start < part.stop <= length
        assert part.start % alignment == 0
        assert part.stop - part.start <= tile + alignment
        assert part.start == 0 or part.keep_start - part.start >= overlap
        assert part.stop == length or part.stop - part.keep_stop >= overlap


@given(length=st.integers(1, 600), tile=st.integers(40, 200))
def test_tiles_are_spread_evenly(length: int, tile: int) -> None:
    tiles = axis_tiles(length, Overlap(tile=tile, overlap=8, blend=4))
    steps = np.diff([part.start for part in tiles])
    assert len(steps) == 0 or steps.max() - steps.min() <= 1


def test_an_axis_shorter_than_the_tile_is_one_tile() -> None:
    (only,) = axis_tiles(50, Overlap(tile=64, overlap=8, blend=4))
    assert (only.start, only.stop, only.keep_start, only.keep_stop) == (0, 50, 0, 50)
    assert np.array_equal(only.weights(2), np.ones(100))


def test_a_tile_without_pixels_besides_the_overlap_is_refused() -> None:
    with pytest.raises(InputError, match="at least 81 pixels"):
        Overlap(tile=80, overlap=32, blend=8)
    with pytest.raises(InputError, match="overlap -1 cannot be used: give a whole number of 0 or more"):
        Overlap(tile=80, overlap=-1)


def test_an_unknown_tiling_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="The tiling 'squares' does not exist"):
        JobSettings(tiling="squares")
