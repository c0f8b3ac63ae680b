"""Patches under random conditions depend on the seed and the position in the training only."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sr.training.data.conditions.patches import ConditionedPatches
from napari_sr.training.data.conditions.truths import Pool, Truth
from napari_sr.training.data.noise_levels import NoiseLevel
from napari_sr.training.recipe import BlurConditions, Conditions, NoiseConditions

QUIET = NoiseConditions(gain=1.0, read=1.0, absent=1.0)


def pool_of(values, share=1.0, noise=None):
    values = np.asarray(values, np.float32)
    low, high = float(values.min()), float(values.max())
    return Pool(share, ((Truth(values, noise or NoiseLevel(), low, high, 1.0),),))


def ramp(height=64, width=80):
    """An image in which each value occurs once."""
    rows, columns = np.mgrid[:height, :width]
    return rows * 2.0 + columns / 50


def patches_of(*pools, scale=2, size=8, seed=4, flips=True, turns=True, **settings):
    conditions = Conditions(**{"noise": QUIET, "halo": 4, **settings})
    return ConditionedPatches(pools, conditions, scale=scale, size=size, seed=seed, flips=flips, turns=turns)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3), st.integers(0, 10**6), st.integers(0, 10**4), st.sampled_from([2, 4]))
def test_low_and_high_show_the_same_field(stage, step, number, scale):
    patches = patches_of(pool_of(ramp()), scale=scale, inverted=0.5, stretched=0.5)
    patch = patches.patch(stage, step, number)
    assert patch.low.shape == patch.noise.shape == (1, 8, 8)
    assert patch.high.shape == (1, 8 * scale, 8 * scale)
    means = patch.high.reshape(8, scale, 8, scale).mean(axis=(1, 3))
    assert np.abs(means - patch.low[0]).max() < 1e-5
    assert not patch.artificial


def test_a_patch_does_not_depend_on_those_drawn_before():
    busy = {"noise": NoiseConditions(gain=(0.1, 5), read=(0.1, 5), correlated=0.3, texture=0.5, jitter=0.1)}
    settings = {**busy, "flats": 0.3, "rounded": 0.5, "blur": BlurConditions(result=(0.5, 2), jitter=0.1)}
    one, two = (patches_of(pool_of(ramp()), **settings) for _ in range(2))
    for number in range(7):
        one.patch(0, 0, number)
    a, b = one.patch(1, 7, 3), two.patch(1, 7, 3)
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not np.array_equal(a.high, one.patch(1, 8, 3).high)
    batch = two.batch(1, 7, [2, 3])
    assert np.array_equal(batch.low[1], a.low)
    assert np.array_equal(batch.noise[1], a.noise)
    assert float(batch.blur[1]) == pytest.approx(a.blur)
    assert batch.inputs[0] is batch.low
    assert len(batch.inputs) == 3


def test_sets_have_their_shares_and_artificial_patches_their_fraction():
    bright, dark = ramp() + 100, ramp()
    patches = patches_of(pool_of(bright, 0.75), pool_of(dark, 0.25), flats=0.2)
    drawn = [patches.patch(0, step, 0) for step in range(800)]
    assert np.mean([patch.artificial for patch in drawn]) == pytest.approx(0.2, abs=0.05)
    shown = [patch for patch in drawn if not patch.artificial]
    assert np.mean([patch.high.min() * 255 >= 100 for patch in shown]) == pytest.approx(0.75, abs=0.06)
    assert len(patches) == 2 * (64 - 15) * (80 - 15)


def test_patches_have_all_eight_orientations_or_only_those_that_are_allowed():
    # The gradient of the ramp points down and, less steeply, to the right.
    def directions(**allowed):
        patches = patches_of(pool_of(ramp() + np.arange(80)), **allowed)
        found = set()
        for step in range(120):
            high = patches.patch(0, step, 0).high[0]
            down, right = high[-1, 0] - high[0, 0], high[0, -1] - high[0, 0]
            found.add((bool(down > 0), bool(right > 0), bool(abs(down) > abs(right))))
        return len(found)

    assert directions() == 8
    assert directions(turns=False) == 2
    assert directions(flips=False) == 4
    assert directions(flips=False, turns=False) == 1


def test_stretched_and_inverted_patches_have_the_noise_of_their_truth():
    noise = NoiseLevel(4.0, 0.05)
    pool = pool_of(100 + ramp(), noise=noise)
    low, high = pool.planes[0][0].low, pool.planes[0][0].high
    settings = {"flips": False, "turns": False}
    plain, stretched, inverted = (
        patches_of(pool, **settings, **more).patch(0, 0, 0) for more in ({}, {"stretched": 1.0}, {"inverted": 1.0})
    )
    factor = 255 / (high - low)
    middle = slice(2, 6)
    expected = plain.noise[0, middle, middle]
    np.testing.assert_allclose(stretched.noise[0, middle, middle], factor * expected, rtol=1e-4)
    np.testing.assert_allclose(inverted.noise[0, middle, middle], expected, rtol=1e-4)
    np.testing.assert_allclose(inverted.high * 255, low + high - plain.high * 255, atol=1e-3)


def test_a_scene_is_always_the_same_and_can_be_larger_than_a_patch():
    patches = patches_of(pool_of(ramp()), noise=NoiseConditions(gain=1.0, read=2.0))
    pool = patches.pools[0]
    one, two, other = patches.scene(pool, 24, 0), patches.scene(pool, 24, 0), patches.scene(pool, 24, 1)
    assert one.low.shape == (1, 24, 24)
    assert np.array_equal(one.low, two.low)
    assert not np.array_equal(one.low, other.low)


@pytest.mark.parametrize(
    ("blur", "expected"),
    [
        (None, (0.0, 0.0)),
        (BlurConditions(result=1.0), (0.5, 0.5)),
        (BlurConditions(result=(0.4, 1.8), absent=0.1), (0.0, 0.9)),
        (BlurConditions(result=(0.4, 1.8), source=(0.5, 1.6), result_fraction=0.5), (0.2, 1.6)),
    ],
)
def test_the_range_of_the_blur_is_in_low_resolution_pixels(blur, expected):
    assert patches_of(pool_of(ramp()), blur=blur).blur_range == pytest.approx(expected)
