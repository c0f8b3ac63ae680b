"""Gain and read noise of a camera, from images with known noise."""

import numpy as np
import pytest

from napari_sr import InputError
from napari_sr.imaging.noise import estimate_noise
from tests.imaging.noise.synthetic import noisy, scene


@pytest.mark.parametrize(("gain", "read"), [(2.0, 5.0), (0.5, 20.0), (8.0, 3.0), (0.0, 8.0)])
def test_gain_and_read_noise_of_a_camera(gain, read):
    rows, columns = np.mgrid[:512, :512]
    clean = 500 + 400 * np.sin(rows / 40) * np.cos(columns / 55)
    image = np.rint(noisy(clean, gain, read) + 100)
    found_gain, found_read = estimate_noise([image], offset=100.0)
    assert found_gain * 400 + found_read**2 == pytest.approx(gain * 400 + read**2, rel=0.05)
    assert found_gain == pytest.approx(gain, rel=0.15, abs=0.02)


def test_gain_and_read_noise_are_never_negative():
    darker = 300 - noisy(scene(), 0.5, 1.0)
    gain, read = estimate_noise([darker])
    assert gain == 0
    assert read > 1
    gain, read = estimate_noise([noisy(scene(), 0.5, 0.0)], offset=-50.0)
    assert read == 0
    assert gain > 0


def test_a_camera_that_cannot_be_seen():
    with pytest.raises(InputError, match="give gain and read noise as numbers"):
        estimate_noise([np.zeros((16, 16))])
    with pytest.raises(InputError, match="too uniform"):
        estimate_noise([np.full((256, 256), 7.0)])
