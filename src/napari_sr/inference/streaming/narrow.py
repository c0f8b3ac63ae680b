"""Convolutions with few features, such as a network's last: several columns of their result at once.

A processor works on 16 numbers at a time, and torch's convolutions lay the features of a pixel into them: with one
feature, or three, most of that work is in vain. The same kernel put down p times, each time one column farther right,
is a convolution of stride p with p times the features. What it gives for one pixel is, number by number in memory,
what the plain convolution gives for p neighbors: the very same sums, so nothing has to be put in order afterward.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Columns at once. On 2 cores with AVX-512, of 2, 4, 5, 8 and 16 the fastest for 1 and for 3 features
#: (benchmarks/inference.py, part "narrow").
COLUMNS = 4

#: Numbers that a processor works on at once.
LANES = 16


class NarrowConvolution:
    """A convolution of few features, made ready.

    Parameters
    ----------
    module : nn.Conv2d
        Of stride 1, without groups or dilation; its padding is left to the caller.
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
        """Whether a convolution is faster so: on a processor, when its features fill a fourth of the lanes at most.

        Only in float32: with AMX, oneDNN's bfloat16 convolutions of stride (1, 4) give sums that are wrong by as much
        as the image's range (seen with torch 2.13, a kernel of 9 x 12 and padding (0, 4)).
        """
        weight = module.weight
        plain = module.groups == 1 and module.dilation == (1, 1) and weight.device.type == "cpu"
        return (
            plain
            and weight.dtype == torch.float32
            and COLUMNS * module.out_channels <= LANES
            and module.in_channels > 1
        )

    def __call__(self, window: Tensor, padding: int) -> Tensor:
        """Convolve a window, (N, C, H, W), with `padding` columns of zeros on both sides.

        Returns
        -------
        Tensor, shape (N, features, H - height + 1, W + 2 padding - width + 1), channels last
        """
        features, _, _, width = self._plain.shape
        columns = window.shape[3] + 2 * padding - width + 1
        made = columns // COLUMNS * COLUMNS
        if made <= padding:
            return functional.conv2d(window, self._plain, self._plain_bias, 1, (0, padding))
        spread = functional.conv2d(window, self._weight, self._bias, (1, COLUMNS), (0, padding))
        n, _, rows, _ = spread.shape
        joined = spread.permute(0, 2, 3, 1).reshape(n, rows, made, features).permute(0, 3, 1, 2)
        if made == columns:
            return joined
        right = functional.pad(window[..., made - padding :], (0, padding))
        rest = functional.conv2d(right, self._plain, self._plain_bias)
        return torch.cat([joined, rest], 3).contiguous(memory_format=torch.channels_last)
