"""Interpolation in a network gives the pixels of `imaging.resize`."""

import numpy as np
import pytest
import torch

from napari_sr.imaging.resize import KERNELS, Kernel, resize
from napari_sr.networks.upsample import Interpolation, Upsample


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("shape", [(11, 6), (1, 9), (2, 3)])
def test_equals_resize_of_the_same_image(kernel: Kernel, factor: int, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((2, 3, *shape))
    layer = Upsample(factor, kernel)
    out = layer(torch.from_numpy(image).float()).numpy()
    assert np.abs(out - resize(image, factor=factor, kernel=kernel)).max() < 1e-6


def test_the_kernel_is_not_in_the_weight_file() -> None:
    assert not Upsample(3, "bicubic").state_dict()


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic", "lanczos3"])
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_interpolation_as_a_network_is_that_of_resize(kernel, scale):
    image = np.random.default_rng(0).random((2, 9, 11)).astype(np.float32)
    network = Interpolation(scale=scale, channels=2, kernel=kernel)
    found = network(torch.from_numpy(image[None]))[0].numpy()
    assert np.allclose(found, resize(image, factor=scale, kernel=kernel), atol=1e-5)
    assert not list(network.parameters())
