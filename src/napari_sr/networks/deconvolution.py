"""Classical deconvolution before bicubic interpolation: the Wiener filter and Richardson-Lucy, without weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import deepcopy
from math import ceil
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sr.networks.receptive import ConvolutionReach, UpsamplingReach, receptive_radius
from napari_sr.networks.upsample import Upsample

#: Radius of the kernels of the Wiener filter, and side of the grid of frequencies on which they are designed.
_RADIUS, _GRID = 20, 128
#: Standard deviations of the noise for which kernels are designed: powers of 2, in fractions of the range.
_EXPONENTS = tuple(range(-10, 1))
#: Weight of the Laplacian's power at unit variance of the noise: the assumed spectrum is 1 / (weight x Laplacian^2).
_SMOOTHNESS = 50.0
#: Smallest value that Richardson-Lucy divides by, in the range from black at 0 to white at 1.
_LEAST = 1e-4
_MOST_ITERATIONS = 100
#: Reach of the Gaussian kernel in standard deviations.
_TRUNCATE = 3.5


class Deconvolution(nn.Module, ABC):
    """A network without weights that removes a Gaussian blur, which is set by `folded`, and interpolates.

    Parameters
    ----------
    scale : int, default 2
        Factor along Y and X.
    channels : int, default 1
        Number of channels; 1.
    """

    noise_plane = False
    #: A pixel of the result depends on the pixels within `receptive_radius` alone, in any block that has them.
    is_local = True

    def __init__(self, *, scale: int = 2, channels: int = 1) -> None:
        if channels != 1:
            raise ValueError("a deconvolution takes one channel")
        super().__init__()
        self.scale = scale
        self.in_channels = self.out_channels = channels
        self.alignment = 1
        self.upsample = Upsample(scale, "bicubic")
        self.blur = 0.0
        self.receptive_radius = 0
        self._set_blur(0.0)

    def folded(self, blur: float) -> Self:
        """Return a copy for one blur.

        Parameters
        ----------
        blur : float
            Standard deviation of the Gaussian blur to remove, in pixels of the input, 0 or more.
        """
        copy = deepcopy(self)
        copy._set_blur(float(blur))
        return copy

    def _set_blur(self, blur: float) -> None:
        self.blur = blur
        self.receptive_radius = receptive_radius(
            [ConvolutionReach(self._reach()), UpsamplingReach(self.scale, "bicubic")]
        )

    @abstractmethod
    def _reach(self) -> int:
        """Return the radius of the deconvolution in pixels."""


class Wiener(Deconvolution):
    """The Wiener filter with a Laplacian as regularization, followed by bicubic interpolation.

    With the transfer function H of the blur, the standard deviation s of the noise at a pixel, and the transfer
    function L of the discrete Laplacian, the filter is

    ``H / (H^2 + 50 s^2 L^2)``

    with s as a fraction of the range of the image. Kernels for eleven values of s are designed, of 41 x 41 pixels and
    the sum 1, and each pixel is interpolated between the results of two of them.

    Parameters
    ----------
    scale : int, default 2
        Factor along Y and X.
    channels : int, default 1
        Number of channels; 1.

    References
    ----------
    B. R. Hunt, "A matrix theory proof of the discrete convolution theorem", IEEE Trans. Audio Electroacoust. 19(4),
    1971 (the Laplacian as regularization); `skimage.restoration.wiener`.
    """

    noise_plane = True
    kernels: Tensor

    def _set_blur(self, blur: float) -> None:
        super()._set_blur(blur)
        kernels = np.stack([_wiener_kernel(blur, 2.0**exponent) for exponent in _EXPONENTS])
        self.register_buffer("kernels", torch.from_numpy(kernels[:, None]), persistent=False)

    def _reach(self) -> int:
        return _RADIUS

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Restore and upscale.

        Parameters
        ----------
        x : Tensor, shape (N, 1, H, W)
            Images.
        noise : Tensor, shape (N, 1, H, W), optional
            Standard deviation of the noise of each pixel, in the range of the images; by default none.

        Returns
        -------
        Tensor, shape (N, 1, scale H, scale W)
            The results.
        """
        padded = functional.pad(x, (_RADIUS,) * 4, mode="replicate")
        bank = functional.conv2d(padded, self.kernels.to(x.dtype))
        noise = torch.zeros_like(x) if noise is None else noise
        exponent = torch.log2(noise.clamp_min(2.0 ** _EXPONENTS[0])).clamp_max(_EXPONENTS[-1])
        centers = torch.tensor(_EXPONENTS, dtype=x.dtype, device=x.device).view(1, -1, 1, 1)
        weights = (1 - (exponent - centers).abs()).clamp_min(0)
        out: Tensor = self.upsample((bank * weights).sum(1, keepdim=True))
        return out


class RichardsonLucy(Deconvolution):
    """Richardson-Lucy deconvolution, followed by bicubic interpolation.

    Parameters
    ----------
    scale : int, default 2
        Factor along Y and X.
    channels : int, default 1
        Number of channels; 1.
    iterations : int, default 10
        Number of iterations, up to 100. More remove more of the blur, and amplify noise more.

    References
    ----------
    W. H. Richardson, "Bayesian-based iterative method of image restoration", JOSA 62(1), 1972; L. B. Lucy, "An
    iterative technique for the rectification of observed distributions", AJ 79, 1974.
    """

    line: Tensor

    def __init__(self, *, scale: int = 2, channels: int = 1, iterations: int = 10) -> None:
        if iterations > _MOST_ITERATIONS:
            raise ValueError(f"{iterations} iterations are too many: choose at most {_MOST_ITERATIONS}")
        self._iterations = iterations
        super().__init__(scale=scale, channels=channels)

    def _set_blur(self, blur: float) -> None:
        super()._set_blur(blur)
        self.register_buffer("line", torch.from_numpy(_gaussian_line(blur)), persistent=False)

    def _reach(self) -> int:
        return 2 * self._iterations * ceil(_TRUNCATE * self.blur)

    def forward(self, x: Tensor) -> Tensor:
        """Restore and upscale.

        Parameters
        ----------
        x : Tensor, shape (N, 1, H, W)
            Images, black at 0; values below count as black.

        Returns
        -------
        Tensor, shape (N, 1, scale H, scale W)
            The results.
        """
        if not self.blur:
            out: Tensor = self.upsample(x)
            return out
        observed = x.clamp_min(0) + _LEAST
        estimate = observed
        for _ in range(self._iterations):
            estimate = estimate * self._blurred(observed / self._blurred(estimate).clamp_min(_LEAST))
        out = self.upsample(estimate - _LEAST)
        return out

    def _blurred(self, x: Tensor) -> Tensor:
        line = self.line.to(x.dtype)
        radius = len(line) // 2
        padded = functional.pad(x, (radius,) * 4, mode="replicate")
        return functional.conv2d(functional.conv2d(padded, line.view(1, 1, 1, -1)), line.view(1, 1, -1, 1))


# By numpy, so that the kernels have values on the device "meta" too, on which networks are built before loading.
def _wiener_kernel(blur: float, noise: float) -> npt.NDArray[np.float32]:
    """Return the kernel of the Wiener filter for a blur and a standard deviation of the noise, with the sum 1."""
    frequency = np.fft.fftfreq(_GRID)
    squared = frequency[:, None] ** 2 + frequency[None] ** 2
    transfer = np.exp(-2 * (np.pi * blur) ** 2 * squared)
    cosine = np.cos(2 * np.pi * frequency)
    laplacian = 4 - 2 * cosine[:, None] - 2 * cosine[None]
    response = transfer / (transfer**2 + _SMOOTHNESS * noise**2 * laplacian**2)
    kernel = np.fft.fftshift(np.fft.ifft2(response).real)
    middle = _GRID // 2
    inner = kernel[middle - _RADIUS : middle + _RADIUS + 1, middle - _RADIUS : middle + _RADIUS + 1]
    # Tapered at the border, where a kernel that is cut off would ring.
    taper = np.hanning(2 * _RADIUS + 3)[1:-1] ** 0.25
    tapered = inner * taper[:, None] * taper[None]
    return np.asarray(tapered / tapered.sum(), np.float32)


def _gaussian_line(blur: float) -> npt.NDArray[np.float32]:
    radius = ceil(_TRUNCATE * blur)
    line = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(blur, 1e-6)) ** 2)
    return np.asarray(line / line.sum(), np.float32)
