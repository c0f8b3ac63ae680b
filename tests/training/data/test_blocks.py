"""Validation blocks and training patches are apart, and empty patches are left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sr import InputError
from napari_sr.training.data.blocks import cells, choose_blocks, permitted_corners, trainable_pixels
from napari_sr.training.recipe import Validation


@given(st.integers(1, 300), st.integers(1, 300), st.integers(16, 96))
def test_cells_cover_a_plane_once(height, width, side):
    counts = np.zeros((height, width), int)
    for rows, columns in cells(height, width, side):
        counts[rows, columns] += 1
    assert (counts == 1).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(60, 140), st.integers(60, 140), st.integers(4, 16), st.integers(0, 10), st.integers(0, 2**32))
def test_no_patch_is_nearer_to_validation_than_the_gap(height, width, side, gap, seed):
    plane = np.random.default_rng(seed).random((height, width))
    blocks = choose_blocks([plane], [None], Validation(block=24, gap=gap), 0.0, seed)
    trainable = trainable_pixels(plane.shape, [(b.rows, b.columns) for b in blocks], gap, None, None)
    corners = permitted_corners(plane, trainable, side, 0.0)
    for y, x in np.argwhere(corners)[:: max(1, corners.sum() // 50)]:
        for block in blocks:
            apart_y = max(block.rows.start - (y + side), y - block.rows.stop)
            apart_x = max(block.columns.start - (x + side), x - block.columns.stop)
            assert max(apart_y, apart_x) >= gap


def test_permitted_corners_equal_those_of_a_loop():
    rng = np.random.default_rng(0)
    plane, trainable = rng.random((20, 17)), rng.random((20, 17)) > 0.02
    plane[:, :8] = 0.5 + 0.001 * rng.random((20, 8))
    corners = permitted_corners(plane, trainable, 5, 0.2)
    expected = np.zeros((16, 13), bool)
    for y, x in np.ndindex(16, 13):
        patch = np.s_[y : y + 5, x : x + 5]
        expected[y, x] = trainable[patch].all() and plane[patch].std() > 0.2 * plane.std()
    assert np.array_equal(corners, expected)
    assert 0 < corners.sum() < corners.size


def test_constant_patches_are_empty_for_any_threshold():
    plane = np.zeros((30, 30))
    plane[20:, 20:] = np.random.default_rng(0).random((10, 10))
    corners = permitted_corners(plane, np.ones((30, 30), bool), 4, 0.0)
    assert not corners[:16, :16].any()
    assert corners[20:, 20:].all()


def test_the_seed_determines_the_blocks_and_empty_ones_are_last():
    plane = np.zeros((96, 96))
    plane[:, 48:] = np.random.default_rng(0).random((96, 48))
    validation = Validation(block=24, share=0.5)
    blocks = choose_blocks([plane], [None], validation, 0.5, 1)
    assert blocks == choose_blocks([plane], [None], validation, 0.5, 1)
    assert blocks != choose_blocks([plane], [None], validation, 0.5, 2)
    assert all(block.columns.start >= 48 for block in blocks)


def test_blocks_are_in_regions_only_if_there_are_any():
    region = np.zeros((96, 96), bool)
    region[10:50, 40:90] = True
    plane = np.random.default_rng(0).random((96, 96))
    blocks = choose_blocks([plane, plane], [None, region], Validation(block=24), 0.0, 0)
    assert blocks
    assert all(block.image == 1 and region[block.rows, block.columns].all() for block in blocks)
    region[:] = False
    region[:5, :5] = True
    with pytest.raises(InputError, match="draw a larger one"):
        choose_blocks([plane], [region], Validation(), 0.0, 0)
