"""Upsampling in networks: interpolation by a whole factor as a layer, and the factors of successive steps."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sr.imaging.resize import Kernel, check_kernel, phase_weights, symmetric_indices
from napari_sr.networks.receptive import UpsamplingReach, receptive_radius


def upsampling_factors(scale: int) -> tuple[int, ...]:
    """Return the factors of the successive upsampling steps of a network.

    Parameters
    ----------
    scale : {1, 2, 3, 4, 8}
        Upsampling factor of the whole network.

    Returns
    -------
    tuple of int
        () for 1, (2,) for 2, (3,) for 3, (2, 2) for 4, (2, 2, 2) for 8.

    Raises
    ------
    ValueError
        For any other factor.
    """
    steps = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}
    if scale not in steps:
        raise ValueError(f"A network upscales by 1, 2, 3, 4 or 8, not by {scale}.")
    return steps[scale]


class Upsample(nn.Module):
    """Interpolation by a whole factor, with the pixels of `napari_sr.imaging.resize` (MATLAB's ``imresize``).

    Each of the ``factor**2`` outputs of one pixel is a fixed weighted sum of its neighbors, so the layer is a
    convolution without trained weights, followed by a pixel shuffle.

    Parameters
    ----------
    factor : int
        Whole factor, 1 or more.
    kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}, default "bicubic"
        Interpolation kernel. The image is reflected at its border, with the edge pixel repeated.

    Raises
    ------
    InputError
        If there is no such kernel.
    """

    weight: Tensor

    def __init__(self, factor: int, kernel: Kernel = "bicubic") -> None:
        super().__init__()
        check_kernel(kernel)
        self.factor = factor
        self.kernel: Kernel = kernel
        rows = torch.from_numpy(phase_weights(factor, kernel)).float()
        taps = rows.shape[1]
        #: Number of pixels on each side of a pixel on which its outputs depend.
        self.reach = taps // 2
        phases = torch.einsum("ai,bj->abij", rows, rows).reshape(factor**2, 1, taps, taps)
        # Not persistent: it follows from factor and kernel, and published files do not contain it.
        self.register_buffer("weight", phases, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, factor H, factor W)."""
        if self.factor == 1:
            return x
        if self.kernel == "nearest":
            return functional.interpolate(x, scale_factor=float(self.factor), mode="nearest")
        if self.kernel == "bilinear":
            return functional.interpolate(x, scale_factor=float(self.factor), mode="bilinear", align_corners=False)
        return self.interpolate_padded(self._pad(x))

    def interpolate_padded(self, x: Tensor) -> Tensor:
        """Interpolate an image that is padded already.

        Parameters
        ----------
        x : Tensor, shape (N, C, H + 2 reach, W + 2 reach)
            The image with `reach` further pixels on each side.

        Returns
        -------
        Tensor, shape (N, C, factor H, factor W)
            The interpolated image.
        """
        n, channels, height, width = x.shape
        planes = x.reshape(n * channels, 1, height, width)
        out = functional.pixel_shuffle(functional.conv2d(planes, self.weight), self.factor)
        return out.reshape(n, channels, out.shape[-2], out.shape[-1])

    def _pad(self, x: Tensor) -> Tensor:
        """Reflect at the border with the edge pixel repeated, a mode that `torch.nn.functional.pad` does not have."""
        for axis in (-2, -1):
            length = x.shape[axis]
            indices = symmetric_indices(np.arange(-self.reach, length + self.reach), length)
            x = x.index_select(axis, torch.from_numpy(indices).to(x.device))
        return x

    def extra_repr(self) -> str:
        """Return factor and kernel for the printed network."""
        return f"factor={self.factor}, kernel={self.kernel!r}"


class Interpolation(nn.Module):
    """Interpolation by a whole factor, without weights.

    Parameters
    ----------
    scale : int, default 2
        Factor along Y and X.
    channels : int, default 1
        Number of channels of the images.
    kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}, default "bicubic"
        Interpolation kernel, as in MATLAB's ``imresize``.
    """

    def __init__(self, *, scale: int = 2, channels: int = 1, kernel: Kernel = "bicubic") -> None:
        super().__init__()
        self.scale = scale
        self.in_channels = self.out_channels = channels
        self.alignment = 1
        self.receptive_radius = receptive_radius([UpsamplingReach(scale, kernel)])
        self.upsample = Upsample(scale, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to (N, channels, scale H, scale W)."""
        out: Tensor = self.upsample(x)
        return out
