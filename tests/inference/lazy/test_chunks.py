"""The chunks of a lazy result cover it once, and what their margins cost is counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes
from napari_sr.inference import halo_cost
from napari_sr.inference.lazy.chunks import ChunkGrid, Reach
from napari_sr.inference.region import region_of
from napari_sr.settings import Overlap
from tests.inference.small_models import rrdb
from tests.inference.test_parts import unshuffling

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=5)


@given(
    rows=lengths,
    columns=lengths,
    planes=lengths,
    factor=st.sampled_from([None, 0.3, 0.61, 1.0, 1.7, 2.5, 5.0]),
    radius=st.integers(0, 12),
    alignment=st.sampled_from([1, 2, 4]),
)
def test_every_pixel_of_the_result_is_in_one_chunk(rows, columns, planes, factor, radius, alignment):
    axes = Axes("YZX", (sum(rows), sum(planes), sum(columns)))
    if factor is not None and min(sum(rows), sum(columns)) * factor < 0.5:
        return
    region = region_of(axes, 2, None, None if factor is None else (factor, factor))
    grid = ChunkGrid(region, (tuple(rows), tuple(planes), tuple(columns)), Reach(radius, alignment))
    count = np.zeros(region.shape, int)
    starts = [np.cumsum([0, *along]) for along in grid.chunks]
    source = np.arange(np.prod(axes.shape)).reshape(axes.shape)
    bounds = [np.cumsum([0, *along]) for along in (rows, planes, columns)]
    for position, chunk in grid:
        here = tuple(slice(start[n], start[n + 1]) for start, n in zip(starts, position, strict=True))
        count[here] += 1
        inside = tuple(last - first for first, last in chunk.inside)
        assert inside == count[here].shape
        assert all(0 <= first and last <= n for (first, last), n in zip(chunk.inside, chunk.region.shape, strict=True))
        # All that is computed and read is there: the ranges of the network, and those of the image's chunks.
        for (first, last), (low, high) in zip(chunk.region.read(radius, alignment), chunk.read, strict=True):
            assert low <= first and last <= high
        loaded = np.full(axes.shape, -1)
        for place, origin in grid.blocks(chunk.read):
            block = tuple(slice(bound[n], bound[n + 1]) for bound, n in zip(bounds, place, strict=True))
            assert tuple(part.start for part in block) == origin
            loaded[block] = source[block]
        read = tuple(slice(*span) for span in chunk.read)
        assert np.array_equal(loaded[read], source[read])
    assert (count == 1).all()


def test_the_margins_are_counted_to_the_pixel():
    axes = Axes("YX", (10, 12))
    grid = ChunkGrid(region_of(axes, 2), ((5, 5), (4, 4, 4)), Reach(2, 1))
    cost = grid.cost()
    assert cost.factor == pytest.approx((7 + 7) * (6 + 8 + 6) / 120)
    assert (cost.chunk, cost.margin, cost.advised, cost.high) == ((5, 4), 2, (10, 12), True)
    assert cost.sentence() == (
        "Chunks of 5 x 4 pixels are computed with a margin of 2 pixels, so 2.3 times the pixels of the image pass "
        "through the network: rechunk the image first, as image.rechunk({0: 10, 1: 12})."
    )


def test_the_pixels_around_transparent_ones_are_read_and_not_computed():
    axes = Axes("YXC", (400, 300, 4))
    plain, beyond = (ChunkGrid(region_of(axes, 2), ((200, 200), (300,), (4,)), Reach(3, 1, reach)) for reach in (0, 32))
    assert plain.cost() == beyond.cost()
    assert [chunk.read[0] for _, chunk in plain] == [(0, 203), (197, 400)]
    assert [chunk.read[0] for _, chunk in beyond] == [(0, 235), (165, 400)]


@given(radius=st.integers(0, 200))
def test_advised_chunks_cost_about_one_and_a_half(radius):
    side = Reach(radius, 1).advised_side
    grid = ChunkGrid(region_of(Axes("YX", (9 * side, 9 * side)), 2), ((side,) * 9,) * 2, Reach(radius, 1))
    assert grid.cost().factor <= 1.5
    assert not grid.cost().high
    assert "rechunk" not in grid.cost().sentence()


def test_the_cost_of_a_whole_plane_is_one():
    image = np.zeros((3, 40, 30), np.uint8)
    cost = halo_cost(image, rrdb(2, 1), "ZYX")
    assert (cost.factor, cost.chunk, cost.dimensions) == (1.0, (40, 30), (1, 2))


@pytest.mark.parametrize("tiling", ["overlap", Overlap(tile=128)])
def test_overlapping_tiles_are_refused(tiling):
    with pytest.raises(InputError, match="of rrdbnet, because tiles overlap: choose the tiling exact"):
        halo_cost(np.zeros((9, 9)), rrdb(2, 1), tiling=tiling)


def test_a_network_that_cannot_be_streamed_is_refused_unless_chunks_are_not_cut():
    # Gray planes are replicated to three channels before the pixel unshuffle.
    image = np.zeros((30, 20), np.uint8)
    with pytest.raises(InputError, match=r"because the layer .* cannot be streamed: choose the tiling exact, or none"):
        halo_cost(image, unshuffling())
    assert halo_cost(image, unshuffling(), tiling="none").factor == 1
    assert halo_cost(np.zeros((30, 20, 3), np.uint8), unshuffling()).factor == 1
