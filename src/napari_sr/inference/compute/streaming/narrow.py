"""Convolutions with few output features, computed for several columns at once.

torch's CPU convolutions assign the features of a pixel to the elements of a SIMD vector. With one or three features
most elements are unused. The kernel repeated p times, each time one column farther to the right, is a convolution of
stride p with p times as many features. Its output for one pixel has the same memory layout as the plain convolution's
for p neighbors, and contains the same sums, so no reordering is needed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Columns per output pixel of the widened convolution. Of 2, 4, 5, 8 and 16 the fastest for 1 and for 3 features, on
#: 2 cores with AVX-512 (benchmarks/inference.py, part "narrow").
COLUMNS = 4

#: Number of float32 elements in a SIMD vector of AVX-512.
SIMD_WIDTH = 16


class NarrowConvolution:
    """A convolution with few output features, computed for `COLUMNS` columns at once.

    Parameters
    ----------
    module : nn.Conv2d
        Stride 1, no groups, no dilation. Its padding is not applied.
    """

    def __init__(self, module: nn.Conv2d) -> None:
        weight = module.weight.detach()
        features, channels, height, width = weight.shape
        spread = weight.new_zeros((COLUMNS * features, channels, height, width + COLUMNS - 1))
        for column in range(COLUMNS):
            spread[column * features : (column + 1) * features, :, :, column : column + width] = weight
        self._plain = weight
        self._plain_bias = None if module.bias is None else module.bias.detach()
        self._weight = spread.contiguous(memory_format=torch.channels_last)
        self._bias = None if self._plain_bias is None else self._plain_bias.repeat(COLUMNS)

    @staticmethod
    def pays(module: nn.Conv2d) -> bool:
        """Whether a convolution is faster in this form.

        Returns
        -------
        bool
            True on a CPU in float32, if the features fill at most a fourth of a SIMD vector.

        Notes
        -----
        Not in bfloat16: with AMX, oneDNN's convolutions of stride (1, 4) give sums whose error is as large as the
        range of the image (torch 2.13, kernel of 9 x 12, padding (0, 4)).
        """
        weight = module.weight
        plain = module.groups == 1 and module.dilation == (1, 1) and weight.device.type == "cpu"
        return (
            plain
            and weight.dtype == torch.float32
            and COLUMNS * module.out_channels <= SIMD_WIDTH
            and module.in_channels > 1
        )

    def __call__(self, window: Tensor, padding: int) -> Tensor:
        """Convolve a window.

        Parameters
        ----------
        window : Tensor, shape (N, C, H, W)
            The input.
        padding : int
            Columns of zeros to add on both sides.

        Returns
        -------
        Tensor, shape (N, features, H - height + 1, W + 2 padding - width + 1)
            Channels last.
        """
        features, _, _, width = self._plain.shape
        columns = window.shape[3] + 2 * padding - width + 1
        grouped = columns // COLUMNS * COLUMNS
        if grouped <= padding:
            return functional.conv2d(window, self._plain, self._plain_bias, 1, (0, padding))
        spread = functional.conv2d(window, self._weight, self._bias, (1, COLUMNS), (0, padding))
        n, _, rows, _ = spread.shape
        joined = spread.permute(0, 2, 3, 1).reshape(n, rows, grouped, features).permute(0, 3, 1, 2)
        if grouped == columns:
            return joined
        right = functional.pad(window[..., grouped - padding :], (0, padding))
        rest = functional.conv2d(right, self._plain, self._plain_bias)
        return torch.cat([joined, rest], 3).contiguous(memory_format=torch.channels_last)
