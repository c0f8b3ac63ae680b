"""The kinds of step a streamed network is made of: which rows each needs, and what it makes of them.

Every step says three things: how many rows it gives in all (`total`), which input rows a range of its rows needs
(`needs`, where rows beyond the image stand for the border), and what these rows become (`compute`). The stream does the
rest, so that no step knows of strips, of waiting or of memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sr.inference.streaming.narrow import NarrowConvolution
from napari_sr.inference.streaming.rows import Rows, Workspace, gather
from napari_sr.networks.upsample import Upsample

Pointwise = Callable[[Tensor], Tensor]

#: Layers that make a finite number of an infinite one, so that nobody sees afterward that half precision ran over.
BOUNDING = (nn.ReLU, nn.ReLU6, nn.Tanh, nn.Sigmoid, nn.ELU)


@dataclass
class Step(ABC):
    """One step: it reads `inputs` (concatenated in the channels, or summed) and writes `output`.

    Parameters
    ----------
    name : str
        The layer's name in the network, for messages.
    inputs : list of int
        Numbers of the tensors it reads.
    output : int
        Number of the tensor it writes.
    after : list of callable
        Pointwise layers that follow at once; they may write into their argument.
    """

    name: str
    inputs: list[int]
    output: int
    after: list[Pointwise] = field(default_factory=list)

    def channels(self, inputs: Sequence[int]) -> int:
        """Channels it gives for the channels of its inputs."""
        return sum(inputs)

    def total(self, rows: int) -> int:
        """Rows it gives in all for `rows` rows of input."""
        return rows

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """Input rows that output rows `start` to `stop` are made of; below 0 and beyond `rows` lies the border."""
        return start, stop

    def reads(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """Rows that must be there for `needs`: the border is made of rows too, or of nothing."""
        low, high = self.needs(start, stop, rows)
        return max(low, 0), min(high, rows)

    def keeps(self, next_row: int, rows: int) -> int:
        """First input row that output rows from `next_row` on still need."""
        return max(0, self.needs(next_row, next_row + 1, rows)[0])

    def reach(self, there: int, rows: int) -> int:
        """Output rows that can be made when the first `there` of `rows` input rows are there."""
        if there == rows:
            return self.total(rows)
        return there

    def takes(self, start: int, stop: int, rows: int) -> int:
        """Rows as wide as its output that there are memory for at once while output rows `start` to `stop` are made."""
        return 2 * (stop - start)

    @abstractmethod
    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Make output rows `start` to `stop`."""

    def run(
        self, inputs: Sequence[Rows], start: int, stop: int, rows: int, watch: Callable[[Tensor], None] | None = None
    ) -> Tensor:
        """Make output rows `start` to `stop`, the pointwise layers that follow included.

        `watch` sees what goes into a layer that would make finite numbers of infinite ones.
        """
        out = self.compute(inputs, start, stop, rows)
        for function in self.after:
            if watch is not None and bounds(function):
                watch(out)
            out = function(out)
        return out


@dataclass
class Convolve(Step):
    """A convolution of stride 1: it keeps its last k - 1 input rows, and pads only where the image really ends."""

    module: nn.Conv2d = field(kw_only=True)
    #: Where its window is laid out: the stream's, known when a stream begins.
    workspace: Workspace | None = field(kw_only=True, default=None)

    def __post_init__(self) -> None:
        """Read the sizes once."""
        kernel, dilation = self.module.kernel_size, self.module.dilation
        self.extent = (kernel[0] - 1) * dilation[0]
        padding = self.module.padding
        assert not isinstance(padding, str)
        self.padding = padding
        self.narrow = NarrowConvolution(self.module) if NarrowConvolution.pays(self.module) else None

    def channels(self, inputs: Sequence[int]) -> int:
        """Its features."""
        return self.module.out_channels

    def total(self, rows: int) -> int:
        """Rows it gives in all."""
        return rows + 2 * self.padding[0] - self.extent

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """A kernel's height around each row."""
        return start - self.padding[0], stop - self.padding[0] + self.extent

    def reads(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The image's own rows among them; reflected rows may lie farther in."""
        return border_reads(*self.needs(start, stop, rows), rows, self.module.padding_mode)

    def reach(self, there: int, rows: int) -> int:
        """All rows whose kernel does not go beyond what is there."""
        if there == rows:
            return self.total(rows)
        if self.module.padding_mode == "reflect" and there <= self.padding[0]:
            return 0
        return max(0, there + self.padding[0] - self.extent)

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Convolve the rows and what they see above and below."""
        low, high = self.needs(start, stop, rows)
        mode, m = self.module.padding_mode, self.module
        width = self.padding[1]
        if mode == "zeros" and self.narrow is None and start == 0 and stop == self.total(rows):
            # All rows at once: the convolution adds its border itself, and nothing has to be copied for it.
            window = gather(inputs, 0, rows, workspace=self.workspace)
            return functional.conv2d(window, m.weight, m.bias, 1, self.padding, m.dilation, m.groups)
        window = bordered(inputs, low, high, rows, mode, self.workspace)
        if mode != "zeros" and width:
            window = functional.pad(window, (width, width, 0, 0), mode=mode)
            width = 0
        if self.narrow is not None:
            return self.narrow(window, width)
        return functional.conv2d(window, m.weight, m.bias, 1, (0, width), m.dilation, m.groups)


@dataclass
class Pad(Step):
    """Padding that stands alone, as SRCNN's before its unpadded convolutions."""

    left: int = field(kw_only=True)
    right: int = field(kw_only=True)
    top: int = field(kw_only=True)
    bottom: int = field(kw_only=True)
    mode: str = field(kw_only=True)

    def total(self, rows: int) -> int:
        """Rows it gives in all."""
        return rows + self.top + self.bottom

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The same rows, counted from the image's own first one."""
        return start - self.top, stop - self.top

    def reads(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The image's own rows that the border is made of."""
        return border_reads(*self.needs(start, stop, rows), rows, self.mode)

    def keeps(self, next_row: int, rows: int) -> int:
        """As many rows as the lower border will be made of stay."""
        # Zeros are made of no row, but one tells how wide and of what kind they are.
        depth = self.bottom + 1 if self.mode == "reflect" else 1
        return max(0, min(next_row - self.top, rows - depth))

    def reach(self, there: int, rows: int) -> int:
        """All rows above those that are not there yet."""
        if there == rows:
            return self.total(rows)
        if there == 0 or (self.mode == "reflect" and there <= self.top):
            return 0
        return there + self.top

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Add the border where the image ends."""
        window = bordered(inputs, *self.needs(start, stop, rows), rows, self.mode)
        mode = "constant" if self.mode == "zeros" else self.mode
        return functional.pad(window, (self.left, self.right, 0, 0), mode=mode)


@dataclass
class EnlargeStep(Step):
    """Interpolation by a whole factor."""

    module: Upsample = field(kw_only=True)

    def total(self, rows: int) -> int:
        """Rows it gives in all."""
        return rows * self.module.factor

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The rows below the new ones, and the kernel's reach on both sides."""
        factor, reach = self.module.factor, self.module.reach
        return start // factor - reach, -(-stop // factor) + reach

    def reads(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The image's own rows among them."""
        return border_reads(*self.needs(start, stop, rows), rows, "symmetric")

    def reach(self, there: int, rows: int) -> int:
        """All rows whose kernel does not go beyond what is there."""
        if there == rows:
            return self.total(rows)
        return self.module.factor * max(0, there - self.module.reach)

    def takes(self, start: int, stop: int, rows: int) -> int:
        """What whole input rows become, and what is cut from it."""
        low, high = self.needs(start, stop, rows)
        return self.module.factor * (high - low) + stop - start

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Interpolate whole input rows, and cut the new rows that were asked for."""
        factor, reach = self.module.factor, self.module.reach
        low, high = self.needs(start, stop, rows)
        window = bordered(inputs, low, high, rows, "symmetric")
        first = start - (low + reach) * factor
        if self.module.kernel == "nearest":
            out = functional.interpolate(window, scale_factor=float(factor), mode="nearest")
        elif self.module.kernel == "bilinear":
            # As the layer itself does; its weights are rounded to float32, and nn.Upsample has none.
            out = functional.interpolate(window, scale_factor=float(factor), mode="bilinear", align_corners=False)
            first += reach * factor
        else:
            columns = fold(-reach, window.shape[3] + reach, window.shape[3], "symmetric").to(window.device)
            out = self.module.interpolate_padded(window.index_select(3, columns))
        # A copy, since a view would hold the memory of the rows that are cut off.
        return out[:, :, first : first + stop - start].clone(memory_format=torch.channels_last)


@dataclass
class Shuffle(Step):
    """A pixel shuffle: channels become pixels."""

    factor: int = field(kw_only=True)
    #: Which input channel each of the `factor` ** 2 pixels takes, for a network that is turned.
    order: tuple[int, ...] | None = field(kw_only=True, default=None)

    def channels(self, inputs: Sequence[int]) -> int:
        """Channels that are left."""
        return sum(inputs) // self.factor**2

    def total(self, rows: int) -> int:
        """Rows it gives in all."""
        return rows * self.factor

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The rows below the new ones."""
        return start // self.factor, -(-stop // self.factor)

    def reach(self, there: int, rows: int) -> int:
        """All rows above those that are not there yet."""
        return there * self.factor

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Shuffle whole input rows, and cut the new rows that were asked for."""
        low, high = self.needs(start, stop, rows)
        out = functional.pixel_shuffle(reordered(gather(inputs, low, high), self.order), self.factor)
        first = start - low * self.factor
        return out[:, :, first : first + stop - start].contiguous(memory_format=torch.channels_last)


@dataclass
class UnshuffleStep(Step):
    """Padding to whole groups, then a pixel unshuffle: groups of pixels become channels."""

    factor: int = field(kw_only=True)
    #: Where each of the `factor` ** 2 pixels goes, for a network that is turned.
    order: tuple[int, ...] | None = field(kw_only=True, default=None)
    #: Whether the first group of rows, and of columns, is filled up and not the last, for a network that is turned.
    flipped: tuple[bool, bool] = field(kw_only=True, default=(False, False))
    #: By how many rows and columns it is filled up then; known when a stream begins.
    before: tuple[int, int] = field(kw_only=True, default=(0, 0))

    def channels(self, inputs: Sequence[int]) -> int:
        """All pixels of a group side by side."""
        return sum(inputs) * self.factor**2

    def total(self, rows: int) -> int:
        """Rows it gives in all, the last group filled up."""
        return -(-rows // self.factor)

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The rows of the groups."""
        return start * self.factor - self.before[0], stop * self.factor - self.before[0]

    def reads(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The image's own rows; the last one fills the last group."""
        return border_reads(*self.needs(start, stop, rows), rows, "replicate")

    def reach(self, there: int, rows: int) -> int:
        """All whole groups."""
        return self.total(rows) if there == rows else (there + self.before[0] * (there > 0)) // self.factor

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Fill up to whole groups, and gather them."""
        window = bordered(inputs, *self.needs(start, stop, rows), rows, "replicate")
        added = -window.shape[3] % self.factor
        if added:
            left = self.before[1]
            window = functional.pad(window, (left, added - left, 0, 0), mode="replicate")
        out = reordered(functional.pixel_unshuffle(window, self.factor), self.order)
        return out.contiguous(memory_format=torch.channels_last)


@dataclass
class CropStep(Step):
    """Cutting off what filling up to whole groups had added; the size is the image's, known when a stream begins."""

    scale: int = field(kw_only=True)
    image: tuple[int, int] = field(kw_only=True, default=(0, 0))
    group: int = field(kw_only=True)
    flipped: tuple[bool, bool] = field(kw_only=True, default=(False, False))
    before: tuple[int, int] = field(kw_only=True, default=(0, 0))

    def total(self, rows: int) -> int:
        """Rows it gives in all."""
        return self.image[0] * self.scale

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The same rows, counted from the first that was added."""
        return start + self.before[0] * self.scale, stop + self.before[0] * self.scale

    def reach(self, there: int, rows: int) -> int:
        """What is there, but for what is cut off."""
        return max(0, min(there - self.before[0] * self.scale, self.total(rows)))

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Cut off the columns that were added."""
        left = self.before[1] * self.scale
        window = gather(inputs, *self.needs(start, stop, rows))[..., left : left + self.image[1] * self.scale]
        return window.clone(memory_format=torch.channels_last)


@dataclass
class Sum(Step):
    """A sum of two tensors, each times a number: where branches join, the one that is ahead waits in its rows."""

    factors: tuple[float, float] = field(kw_only=True)

    def channels(self, inputs: Sequence[int]) -> int:
        """As many as either branch has."""
        return max(inputs)

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Add piece by piece, so that neither branch is copied first."""
        first, second = inputs
        pieces = list(first.pieces(start, stop))
        example = pieces[0][1]
        channels = max(example.shape[1], next(second.pieces(start, stop))[1].shape[1])
        shape = (example.shape[0], channels, stop - start, example.shape[3])
        out = torch.empty(shape, dtype=example.dtype, device=example.device, memory_format=torch.channels_last)
        a, b = self.factors
        for row, left in pieces:
            for below, right in second.pieces(row, row + left.shape[2]):
                part = left[:, :, below - row : below - row + right.shape[2]]
                target = out[:, :, below - start : below - start + right.shape[2]]
                if a == 1:
                    add(part, right, b, target)
                elif b == 1:
                    add(right, part, a, target)
                else:
                    add(part * a, right, b, target)
        return out


@dataclass
class Apply(Step):
    """Pointwise layers that no step before them could take along."""

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Copy the rows: the layers that follow may write into them."""
        return gather(inputs, start, stop).clone(memory_format=torch.channels_last)


def add(x: Tensor, y: Tensor, factor: float, out: Tensor) -> None:
    """Write ``x + factor * y`` into `out`."""
    if x.device.type == "cpu" and x.dtype in (torch.bfloat16, torch.float16):
        # Here torch.add rounds alpha itself to half precision: 0.2 becomes 0.2002, the same error everywhere.
        torch.add(x, y * factor, out=out)
    else:
        torch.add(x, y, alpha=factor, out=out)


def relu(x: Tensor) -> Tensor:
    """Rectify in place."""
    return x.relu_()


def bounds(function: Pointwise) -> bool:
    """Whether a pointwise layer can make a finite number of an infinite one."""
    return function in (relu, Tensor.tanh_, Tensor.sigmoid_) or isinstance(function, BOUNDING)


def reordered(x: Tensor, order: tuple[int, ...] | None) -> Tensor:
    """Put the channels of every group of ``len(order)`` into another order."""
    if order is None:
        return x
    groups = torch.arange(x.shape[1]).reshape(-1, len(order))[:, list(order)]
    return x.index_select(1, groups.reshape(-1).to(x.device))


def fold(start: int, stop: int, length: int, mode: str) -> Tensor:
    """Rows of an image of `length` that stand for rows `start` to `stop`, beyond its ends by the rule `mode`."""
    rows = torch.arange(start, stop)
    if mode == "replicate":
        return rows.clamp(0, length - 1)
    if mode == "reflect":
        if start <= -length or stop >= 2 * length:
            raise ValueError(f"An image of {length} rows or columns is too small to be reflected so far.")
        rows = rows.abs()
        return torch.where(rows < length, rows, 2 * (length - 1) - rows)
    if mode == "symmetric":
        rows = rows % (2 * length)
        return torch.where(rows < length, rows, 2 * length - 1 - rows)
    raise ValueError(f"There is no border rule {mode!r}.")


def border_reads(low: int, high: int, rows: int, mode: str) -> tuple[int, int]:
    """Rows that must be there for a window that may go beyond the image."""
    if 0 <= low and high <= rows:
        return low, high
    if mode == "zeros":
        return max(low, 0), max(min(high, rows), 0)
    folded = fold(low, high, rows, mode)
    return int(folded.min()), int(folded.max()) + 1


def bordered(
    parts: Sequence[Rows], low: int, high: int, rows: int, mode: str, workspace: Workspace | None = None
) -> Tensor:
    """Rows `low` to `high`, beyond the image by the rule `mode`."""
    if 0 <= low and high <= rows:
        return gather(parts, low, high, workspace=workspace)
    if mode == "zeros":
        first, last = max(low, 0), min(high, rows)
        if first >= last:
            example = gather(parts, min(first, rows - 1), min(first, rows - 1) + 1)
            return torch.zeros_like(example).expand(-1, -1, high - low, -1)
        return gather(parts, first, last, max(-low, 0), max(high - rows, 0), workspace)
    first, last = border_reads(low, high, rows, mode)
    window = gather(parts, first, last)
    return window.index_select(2, fold(low, high, rows, mode).to(window.device) - first).contiguous(
        memory_format=torch.channels_last
    )
