"""Interpolation by a whole factor as a layer: SRCNN's way in, the long skip of MSRResNet and of the compact RRDB."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sr.imaging.resize import Kernel, check_kernel, phase_weights, symmetric_indices


class Upsample(nn.Module):
    """Enlarge by a whole factor, pixel for pixel as `napari_sr.imaging.resize` does (MATLAB's ``imresize``).

    Each of the ``factor ** 2`` outputs above one pixel is a fixed weighted sum of its neighbors, so the layer is a
    convolution without weights to learn, followed by a pixel shuffle.

    Parameters
    ----------
    factor : int
        Whole factor, 1 or more.
    kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}
        Interpolation kernel; the border is reflected with the edge pixel doubled.
    """

    weight: Tensor

    def __init__(self, factor: int, kernel: Kernel = "bicubic") -> None:
        super().__init__()
        check_kernel(kernel)
        self.factor = factor
        self.kernel: Kernel = kernel
        rows = torch.from_numpy(phase_weights(factor, kernel)).float()
        taps = rows.shape[1]
        #: Pixels that are read above, below, left and right of the one that is enlarged.
        self.reach = taps // 2
        phases = torch.einsum("ai,bj->abij", rows, rows).reshape(factor**2, 1, taps, taps)
        # Not persistent: it follows from factor and kernel, and no published file holds it.
        self.register_buffer("weight", phases, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge (N, C, H, W) to (N, C, factor H, factor W)."""
        if self.factor == 1:
            return x
        if self.kernel == "nearest":
            return functional.interpolate(x, scale_factor=float(self.factor), mode="nearest")
        if self.kernel == "bilinear":
            return functional.interpolate(x, scale_factor=float(self.factor), mode="bilinear", align_corners=False)
        return self.interpolate_padded(self._pad(x))

    def interpolate_padded(self, x: Tensor) -> Tensor:
        """Enlarge rows and columns whose `reach` neighbors on each side are already there.

        Parameters
        ----------
        x : Tensor, shape (N, C, H + 2 reach, W + 2 reach)

        Returns
        -------
        Tensor, shape (N, C, factor H, factor W)
        """
        n, channels, height, width = x.shape
        planes = x.reshape(n * channels, 1, height, width)
        out = functional.pixel_shuffle(functional.conv2d(planes, self.weight), self.factor)
        return out.reshape(n, channels, out.shape[-2], out.shape[-1])

    def _pad(self, x: Tensor) -> Tensor:
        """Reflect with the edge doubled, which `torch.nn.functional.pad` does not offer."""
        for axis in (-2, -1):
            length = x.shape[axis]
            indices = symmetric_indices(-self.reach, length + self.reach, length)
            x = x.index_select(axis, torch.from_numpy(indices).to(x.device))
        return x

    def extra_repr(self) -> str:
        """Show factor and kernel when the network is printed."""
        return f"factor={self.factor}, kernel={self.kernel!r}"
