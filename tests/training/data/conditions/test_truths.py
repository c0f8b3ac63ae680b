"""Planes at several sizes: clean ones are preferred, and nothing that is kept for validation is drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sr.training.data.conditions.truths import Pool, Truth, gray_levels, gray_planes, truth_sizes
from napari_sr.training.data.noise_levels import NoiseLevel


def truth(values, kept=(), **settings):
    values = np.asarray(values, np.float32)
    return Truth(values, NoiseLevel(), 0.0, 255.0, **{"weight": 1.0, "kept": kept, **settings})


@settings(max_examples=60, deadline=None)
@given(
    st.integers(4, 12),
    st.lists(st.tuples(st.integers(-5, 40), st.integers(1, 15), st.integers(-5, 50), st.integers(1, 15)), max_size=4),
    st.integers(0, 1000),
)
def test_no_square_contains_a_pixel_that_is_kept_for_validation(side, boxes, seed):
    kept = tuple((slice(y, y + h), slice(x, x + w)) for y, h, x, w in boxes)
    plane = truth(np.zeros((40, 50)), kept)
    inside = np.zeros((40, 50), bool)
    for rows, columns in kept:
        inside[max(0, rows.start) : max(0, rows.stop), max(0, columns.start) : max(0, columns.stop)] = True
    corners = plane.corners(side)
    expected = [
        [not inside[y : y + side, x : x + side].any() for x in range(50 - side + 1)] for y in range(40 - side + 1)
    ]
    assert np.array_equal(corners, expected)
    if corners.any():
        row, column = plane.corner(side, np.random.default_rng(seed))
        assert corners[row, column]


def test_the_surroundings_of_a_square_are_the_planes_pixels_and_mirrored_beyond_its_border():
    values = np.arange(30 * 20, dtype=np.float32).reshape(30, 20)
    plane = truth(values)
    assert np.array_equal(plane.square((10, 5), 8, 3), values[7:21, 2:16])
    mirrored = np.pad(values, 4, mode="symmetric")
    assert np.array_equal(plane.square((0, 12), 8, 4), mirrored[0:16, 12:28])


def test_planes_of_8_bits_keep_their_values_and_others_are_stretched():
    plane = np.random.default_rng(0).integers(0, 200, (64, 64))
    assert np.array_equal(gray_levels(plane.astype(np.uint8)), plane)
    stretched = gray_levels((100 + 10 * plane).astype(np.uint16))
    assert np.quantile(stretched, [0.001, 0.999]) == pytest.approx([0, 255], abs=0.1)


def test_colors_are_the_strongest_one_or_all_with_their_luminance():
    plane = np.random.default_rng(0).integers(0, 50, (16, 16, 3)).astype(np.uint8)
    plane[..., 1] *= 4
    (strongest,) = gray_planes(plane, "strongest")
    assert np.array_equal(strongest, plane[..., 1])
    *colors, luminance = gray_planes(plane, "separate")
    assert [np.array_equal(color, plane[..., n]) for n, color in enumerate(colors)] == [True] * 3
    assert np.allclose(luminance, plane @ [0.299, 0.587, 0.114])
    assert gray_planes(strongest, "separate") == [strongest]


def test_the_strongest_color_of_float16_is_found_where_squares_overflow():
    plane = 30 * np.random.default_rng(0).integers(0, 50, (16, 16, 3)).astype(np.float16)
    plane[..., 1] *= 4
    assert np.array_equal(gray_planes(plane, "strongest")[0], plane[..., 1])


def noisy_waves(side, deviation):
    rows, columns = np.mgrid[:side, :side]
    waves = 128 + 90 * np.sin(rows / 20) * np.cos(columns / 23)
    return np.clip(waves + deviation * np.random.default_rng(0).standard_normal(waves.shape), 0, 255).astype(np.uint8)


def test_sizes_without_visible_noise_have_more_weight():
    sizes = truth_sizes(noisy_waves(512, 1.5), (1.0, 0.5, 0.25), least=64, clean=0.003, noisy=0.2)
    assert [plane.values.shape[0] for plane in sizes] == [512, 256, 128]
    assert sizes[0].weight == 0.2
    assert sizes[-1].weight == 1.0
    deviations = [float(np.sqrt(plane.noise.variance(128.0))) for plane in sizes]
    assert deviations[0] == pytest.approx(1.5, rel=0.2)
    # White noise decreases as the size does, and texture is not counted.
    assert deviations[1] <= 0.51 * deviations[0]


def test_the_smallest_size_counts_as_clean_if_none_is():
    sizes = truth_sizes(noisy_waves(256, 25), (1.0, 0.7), least=64, clean=0.003, noisy=0.2)
    assert [plane.weight for plane in sizes] == [0.2, 1.0]


def test_sizes_that_are_too_small_or_show_nothing_are_left_out():
    assert len(truth_sizes(noisy_waves(256, 1), (1.0, 0.5, 0.25), least=100, clean=0.003, noisy=0.2)) == 2
    assert truth_sizes(np.full((128, 128), 7, np.uint8), (1.0,), least=64, clean=0.003, noisy=0.2) == ()


def test_squares_are_drawn_with_contrast_by_the_weights_of_the_sizes():
    half_empty = np.zeros((64, 128), np.float32)
    half_empty[:, 96:] = 255 * np.random.default_rng(0).random((64, 32))
    pool = Pool(1.0, ((truth(half_empty, weight=3.0), truth(half_empty + 1, weight=1.0)),))
    generator = np.random.default_rng(0)
    drawn = [pool.draw(16, 0, generator) for _ in range(400)]
    assert np.mean([square.std() > 10 for _, square in drawn]) > 0.9
    assert np.mean([plane is pool.planes[0][0] for plane, _ in drawn]) == pytest.approx(0.75, abs=0.08)
    anything = [pool.draw(16, 0, generator, empty=True)[1] for _ in range(400)]
    assert np.mean([square.std() > 10 for square in anything]) < 0.6
