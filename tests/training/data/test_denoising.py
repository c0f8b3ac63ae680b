"""Denoising of high-resolution targets."""

import numpy as np
import pytest
from scipy import ndimage

from napari_sr.training.data.denoising import without_noise


@pytest.mark.parametrize("noise", [3.0, 15.0])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_noise_of_any_strength_is_removed_and_edges_and_brightness_stay(noise, dtype):
    clean = np.full((64, 64), 80.0)
    clean[:, 32:] = 160
    noisy = (clean + np.random.default_rng(0).normal(0, noise, clean.shape)).astype(dtype)
    denoised = without_noise(noisy, 0.8)
    assert denoised.dtype == dtype
    assert denoised.shape == noisy.shape
    assert np.std(denoised - clean) < 0.3 * noise
    assert denoised.mean(dtype=float) == pytest.approx(noisy.mean(dtype=float), abs=0.5)
    # The edge is one pixel wide, as before.
    assert np.diff(denoised.astype(float), axis=1)[:, 31].mean() == pytest.approx(80, abs=8)


def test_a_plane_without_noise_is_unchanged():
    plane = np.zeros((20, 20), np.uint8)
    plane[5:15, 5:15] = 200
    assert np.array_equal(without_noise(plane, 0.8), plane)


def test_values_stay_in_their_dtype():
    plane = np.where(np.random.default_rng(0).random((32, 32)) < 0.5, 0, 255).astype(np.uint8)
    denoised = without_noise(plane, 2.0)
    assert denoised.dtype == np.uint8
    assert 100 < denoised.mean() < 155


def test_colors_are_denoised_together():
    plane = np.random.default_rng(0).normal(100, 10, (40, 40, 3)).astype(np.float32)
    assert without_noise(plane, 0.8).std() < 0.3 * plane.std()


def test_denoising_shifts_nothing():
    noisy = np.random.default_rng(0).normal(100, 10, (64, 64)).astype(np.float32)
    noisy[20:44, 16:40] += 80
    for axes in ((0,), (1,), (0, 1)):
        mirrored = np.flip(without_noise(np.flip(noisy, axes), 0.8), axes)
        both = [f[16:48, 12:44] - 100 for f in (without_noise(noisy, 0.8), mirrored)]
        assert ndimage.center_of_mass(both[0]) == pytest.approx(ndimage.center_of_mass(both[1]), abs=0.01)
