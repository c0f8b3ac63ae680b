"""Blocks cover an image once, and their results fill whole chunks."""

from math import gcd

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_sr.imaging.axes import parse_axes
from napari_sr.inference.cluster.blocks import SIDE, block_shape, blocks_of


@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 3), st.integers(1, 90), st.integers(1, 90))
def test_blocks_cover_each_pixel_once(height, width, planes, rows, columns):
    axes = parse_axes("ZYX", (planes, height, width))
    count = np.zeros(axes.shape, int)
    for part in blocks_of(axes, (rows, columns)):
        count[tuple(slice(*span) for span in part.ranges(axes))] += 1
    assert (count == 1).all()


def test_blocks_of_separate_channels_and_colors():
    axes = parse_axes("TCZYX", (2, 3, 4, 10, 10))
    parts = list(blocks_of(axes, (10, 10)))
    assert len(parts) == 24
    assert parts[5].at == {"T": 0, "C": 1, "Z": 1}
    assert [part.at for part in blocks_of(parse_axes("YXC", (10, 10, 3)), (10, 10))] == [{}]


@given(st.integers(1, 8), st.integers(1, 2048), st.integers(1, 64), st.integers(1, 30_000), st.integers(1, 30_000))
def test_results_of_blocks_are_whole_chunks(scale, chunk, threads, height, width):
    shape = block_shape(parse_axes("YX", (height, width)), scale, (chunk, chunk), threads)
    assert all(side * scale % chunk == 0 for side in shape)


def test_a_large_image_has_large_blocks_and_a_small_one_has_work_for_all():
    large = parse_axes("YX", (100_000, 100_000))
    assert block_shape(large, 2, (1024, 1024), 64) == (SIDE, SIDE)
    small = parse_axes("YX", (8192, 8192))
    assert block_shape(small, 2, (1024, 1024), 8) == (1024, 1024)
    smallest = 1024 // gcd(1024, 3)
    assert block_shape(parse_axes("YX", (2000, 2000)), 3, (1024, 1024), 8) == (smallest, smallest)
