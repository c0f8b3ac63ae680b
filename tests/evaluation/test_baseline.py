"""Interpolation without a network."""

import numpy as np
import pytest

from napari_sr.errors import InputError
from napari_sr.evaluation import BASELINES, bicubic, interpolate
from napari_sr.imaging.resize import resize


@pytest.mark.parametrize("kernel", BASELINES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_constant_image_stays_constant_in_its_dtype(kernel, dtype):
    result = interpolate(np.full((5, 7), 93, dtype), 3, kernel)
    assert result.dtype == dtype
    assert result.shape == (15, 21)
    assert np.allclose(result, 93)


def test_colors_are_interpolated_separately():
    image = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
    result = bicubic(image, 2)
    assert np.array_equal(result, np.stack([resize(image[..., c], factor=2) for c in range(3)], axis=-1))


def test_y_and_x_are_those_of_the_axes():
    image = np.random.default_rng(0).random((4, 2, 5))
    result = bicubic(image, 2, axes="XZY")
    assert result.shape == (8, 2, 10)
    assert np.allclose(result[:, 1], resize(image[:, 1], factor=2))


@pytest.mark.parametrize(("scale", "kernel"), [(0, "bicubic"), (2, "quintic")])
def test_unknown_factors_and_kernels_are_refused(scale, kernel):
    with pytest.raises(InputError):
        interpolate(np.zeros((4, 4)), scale, kernel)
