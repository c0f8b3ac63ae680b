"""Steps that keep the size of the image: convolutions, padding, sums and pointwise layers."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sr.accelerators import memory_layout
from napari_sr.inference.compute.streaming.border import bordered
from napari_sr.inference.compute.streaming.narrow import NarrowConvolution
from napari_sr.inference.compute.streaming.rows import Rows, Workspace, gather
from napari_sr.inference.compute.streaming.step import Step


@dataclass(kw_only=True)
class ConvolveStep(Step):
    """A convolution of stride 1, with its padding at the borders of the image only.

    Parameters
    ----------
    name, inputs, output, after : str, tuple of int, int, tuple of callable
        As for `Step`.
    module : nn.Conv2d
        The layer.
    workspace : Workspace or None
        Memory for the rows that the kernel covers; set by `for_image`.
    """

    module: nn.Conv2d
    workspace: Workspace | None = None

    def __post_init__(self) -> None:
        """Read the sizes once."""
        kernel, dilation = self.module.kernel_size, self.module.dilation
        self.extent = (kernel[0] - 1) * dilation[0]
        padding = self.module.padding
        assert not isinstance(padding, str)
        self.padding = padding
        self.narrow = NarrowConvolution(self.module) if NarrowConvolution.pays(self.module) else None

    def for_image(self, rows: int, columns: int, workspace: Workspace) -> ConvolveStep:
        """Return the step with the memory for its windows."""
        # dataclasses.replace would prepare the weights of `narrow` again.
        step = copy(self)
        step.workspace = workspace
        return step

    def channels(self, inputs: Sequence[int]) -> int:
        """Features of the convolution."""
        return self.module.out_channels

    def total(self, rows: int) -> int:
        """Rows of the whole output."""
        return rows + 2 * self.padding[0] - self.extent

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The height of the kernel around each row."""
        return start - self.padding[0], stop - self.padding[0] + self.extent

    def reach(self, there: int, rows: int) -> int:
        """Rows whose kernel covers only rows that are there."""
        if there == rows:
            return self.total(rows)
        if self.module.padding_mode == "reflect" and there <= self.padding[0]:
            return 0
        return max(0, there + self.padding[0] - self.extent)

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Convolve the rows that the kernels cover."""
        low, high = self.needs(start, stop, rows)
        mode, m = self.module.padding_mode, self.module
        width = self.padding[1]
        if mode == "zeros" and self.narrow is None and start == 0 and stop == self.total(rows):
            # The whole image: torch adds the border, and no copy is made for it.
            window = gather(inputs, 0, rows, workspace=self.workspace)
            return functional.conv2d(window, m.weight, m.bias, 1, self.padding, m.dilation, m.groups)
        if mode == "replicate":
            # In one copy, which concatenated inputs need anyway.
            above, below = max(-low, 0), max(high - rows, 0)
            window = gather(inputs, low + above, high - below, above, below, self.workspace, beside=width)
            width = 0
        else:
            window = bordered(inputs, low, high, rows, mode, self.workspace)
        if mode == "reflect" and width:
            window = functional.pad(window, (width, width, 0, 0), mode=mode)
            width = 0
        if self.narrow is not None:
            return self.narrow(window, width)
        return functional.conv2d(window, m.weight, m.bias, 1, (0, width), m.dilation, m.groups)


@dataclass(kw_only=True)
class PadStep(Step):
    """A padding layer, such as SRCNN's before its unpadded convolutions.

    Parameters
    ----------
    name, inputs, output, after : str, tuple of int, int, tuple of callable
        As for `Step`.
    left, right, top, bottom : int
        Width of the border on each side, in pixels.
    mode : {"zeros", "replicate", "reflect"}
        Border rule.
    """

    left: int
    right: int
    top: int
    bottom: int
    mode: str

    def total(self, rows: int) -> int:
        """Rows of the whole output."""
        return rows + self.top + self.bottom

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The same rows, counted from the first row of the image."""
        return start - self.top, stop - self.top

    def keeps(self, next_row: int, rows: int) -> int:
        """First row that is needed, the rows of which the lower border is made included."""
        # A border of zeros depends on no row, but its width and type are taken from one.
        depth = self.bottom + 1 if self.mode == "reflect" else 1
        return max(0, min(next_row - self.top, rows - depth))

    def reach(self, there: int, rows: int) -> int:
        """Rows above those that are missing."""
        if there == rows:
            return self.total(rows)
        if there == 0 or (self.mode == "reflect" and there <= self.top):
            return 0
        return there + self.top

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Add the border at the ends of the image."""
        window = bordered(inputs, *self.needs(start, stop, rows), rows, self.mode)
        mode = "constant" if self.mode == "zeros" else self.mode
        return functional.pad(window, (self.left, self.right, 0, 0), mode=mode)


@dataclass(kw_only=True)
class SumStep(Step):
    """The sum of two tensors, each times a number.

    Parameters
    ----------
    name, inputs, output, after : str, tuple of int, int, tuple of callable
        As for `Step`.
    factors : (float, float)
        The numbers.
    """

    factors: tuple[float, float]

    def channels(self, inputs: Sequence[int]) -> int:
        """Channels of the tensor that has more: one channel is added to several."""
        return max(inputs)

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Add piece by piece, without a copy of either tensor."""
        first, second = inputs
        pieces = list(first.pieces(start, stop))
        example = pieces[0][1]
        channels = max(example.shape[1], next(second.pieces(start, stop))[1].shape[1])
        shape = (example.shape[0], channels, stop - start, example.shape[3])
        out = torch.empty(
            shape,
            dtype=example.dtype,
            device=example.device,
            memory_format=memory_layout(example.device, example.dtype),
        )
        a, b = self.factors
        for row, left in pieces:
            for below, right in second.pieces(row, row + left.shape[2]):
                part = left[:, :, below - row : below - row + right.shape[2]]
                target = out[:, :, below - start : below - start + right.shape[2]]
                if a == 1:
                    add_scaled(part, right, b, target)
                elif b == 1:
                    add_scaled(right, part, a, target)
                else:
                    add_scaled(part * a, right, b, target)
        return out


@dataclass(kw_only=True)
class PointwiseStep(Step):
    """Pointwise layers that cannot be appended to the step before them, because it has other readers.

    Parameters
    ----------
    name, inputs, output, after : str, tuple of int, int, tuple of callable
        As for `Step`.
    """

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Copy the rows, because the layers may write into them."""
        window = gather(inputs, start, stop)
        return window.clone(memory_format=memory_layout(window.device, window.dtype))


def add_scaled(x: Tensor, y: Tensor, factor: float, out: Tensor) -> None:
    """Add a tensor times a number to another one.

    Parameters
    ----------
    x, y : Tensor
        The tensors; may be broadcast against each other.
    factor : float
        Factor of `y`.
    out : Tensor
        Where ``x + factor * y`` is written.
    """
    if x.device.type == "cpu" and x.dtype in (torch.bfloat16, torch.float16):
        # On the CPU torch.add rounds alpha to half precision: 0.2 becomes 0.2002, the same error everywhere.
        torch.add(x, y * factor, out=out)
    else:
        torch.add(x, y, alpha=factor, out=out)
