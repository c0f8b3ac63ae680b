"""Steps that change the size of the image: interpolation, pixel shuffles, pixel unshuffles and their crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor
from torch.nn import functional

from napari_sr.accelerators import memory_layout
from napari_sr.inference.compute.streaming.border import bordered, fold_on
from napari_sr.inference.compute.streaming.rows import Rows, Workspace, gather
from napari_sr.inference.compute.streaming.step import Step, reorder_channels
from napari_sr.networks.upsample import Upsample


@dataclass(kw_only=True)
class UpsampleStep(Step):
    """Interpolation by a whole factor.

    Parameters
    ----------
    name, inputs, output, after : str, tuple of int, int, tuple of callable
        As for `Step`.
    module : Upsample
        The layer.
    """

    module: Upsample

    def total(self, rows: int) -> int:
        """Rows of the whole output."""
        return rows * self.module.factor

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The rows that are interpolated, and the reach of the kernel on both sides."""
        factor, reach = self.module.factor, self.module.reach
        return start // factor - reach, -(-stop // factor) + reach

    def reach(self, there: int, rows: int) -> int:
        """Rows whose kernel covers only rows that are there."""
        if there == rows:
            return self.total(rows)
        return self.module.factor * max(0, there - self.module.reach)

    def takes(self, start: int, stop: int, rows: int) -> int:
        """The interpolated rows of whole input rows, and the part that is cut from them."""
        low, high = self.needs(start, stop, rows)
        return self.module.factor * (high - low) + stop - start

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Interpolate whole input rows, and cut out the output rows."""
        factor, reach = self.module.factor, self.module.reach
        low, high = self.needs(start, stop, rows)
        window = bordered(inputs, low, high, rows, "symmetric")
        first = start - (low + reach) * factor
        if self.module.kernel == "nearest":
            out = functional.interpolate(window, scale_factor=float(factor), mode="nearest")
        elif self.module.kernel == "bilinear":
            # As in the layer itself, whose own weights are rounded to float32; nn.Upsample has none.
            out = functional.interpolate(window, scale_factor=float(factor), mode="bilinear", align_corners=False)
            first += reach * factor
        else:
            columns = fold_on(window.device, -reach, window.shape[3] + reach, window.shape[3], "symmetric")
            out = self.module.interpolate_padded(window.index_select(3, columns))
        # A view would hold the memory of the rows that are cut off.
        return out[:, :, first : first + stop - start].clone(memory_format=memory_layout(out.device, out.dtype))


@dataclass(kw_only=True)
class ShuffleStep(Step):
    """A pixel shuffle: groups of channels become pixels.

    Parameters
    ----------
    name, inputs, output, after : str, tuple of int, int, tuple of callable
        As for `Step`.
    factor : int
        Factor of the shuffle.
    order : tuple of int or None
        Input channel of each of the ``factor ** 2`` pixels, for a transformed network; None for the usual order.
    """

    factor: int
    order: tuple[int, ...] | None = None

    def channels(self, inputs: Sequence[int]) -> int:
        """Channels of the output."""
        return sum(inputs) // self.factor**2

    def total(self, rows: int) -> int:
        """Rows of the whole output."""
        return rows * self.factor

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The rows that are shuffled."""
        return start // self.factor, -(-stop // self.factor)

    def reach(self, there: int, rows: int) -> int:
        """Rows of the input rows that are there."""
        return there * self.factor

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Shuffle whole input rows, and cut out the output rows."""
        low, high = self.needs(start, stop, rows)
        out = functional.pixel_shuffle(reorder_channels(gather(inputs, low, high), self.order), self.factor)
        first = start - low * self.factor
        return out[:, :, first : first + stop - start].contiguous(memory_format=memory_layout(out.device, out.dtype))


@dataclass(kw_only=True)
class UnshuffleStep(Step):
    """A pixel unshuffle, after the image is padded to whole groups: the pixels of a group become channels.

    Parameters
    ----------
    name, inputs, output, after : str, tuple of int, int, tuple of callable
        As for `Step`.
    factor : int
        Side of a group, in pixels.
    order : tuple of int or None
        Output channel of each of the ``factor ** 2`` pixels, for a transformed network; None for the usual order.
    flipped : (bool, bool)
        Whether rows, and columns, are padded before the first one instead of after the last, for a transformed network.
    before : (int, int)
        Rows and columns of padding before the first; set by `for_image`.
    """

    factor: int
    order: tuple[int, ...] | None = None
    flipped: tuple[bool, bool] = (False, False)
    before: tuple[int, int] = (0, 0)

    def for_image(self, rows: int, columns: int, workspace: Workspace) -> UnshuffleStep:
        """Return the step with its padding."""
        return replace(self, before=_padding_before(rows, columns, self.factor, self.flipped))

    def channels(self, inputs: Sequence[int]) -> int:
        """Channels of the output."""
        return sum(inputs) * self.factor**2

    def total(self, rows: int) -> int:
        """Rows of the whole output."""
        return -(-rows // self.factor)

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The rows of the groups."""
        return start * self.factor - self.before[0], stop * self.factor - self.before[0]

    def reach(self, there: int, rows: int) -> int:
        """Whole groups among the rows that are there."""
        return self.total(rows) if there == rows else (there + self.before[0] * (there > 0)) // self.factor

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Pad to whole groups, and unshuffle them."""
        window = bordered(inputs, *self.needs(start, stop, rows), rows, "replicate")
        added = -window.shape[3] % self.factor
        if added:
            left = self.before[1]
            window = functional.pad(window, (left, added - left, 0, 0), mode="replicate")
        out = reorder_channels(functional.pixel_unshuffle(window, self.factor), self.order)
        return out.contiguous(memory_format=memory_layout(out.device, out.dtype))


@dataclass(kw_only=True)
class CropStep(Step):
    """A crop that removes the padding of an `UnshuffleStep` from the result.

    Parameters
    ----------
    name, inputs, output, after : str, tuple of int, int, tuple of callable
        As for `Step`.
    scale : int
        Factor of the network.
    group : int
        Side of a group, in pixels of the image.
    flipped : (bool, bool)
        As for `UnshuffleStep`.
    image : (int, int)
        Rows and columns of the image; set by `for_image`.
    before : (int, int)
        Rows and columns of padding before the first, in pixels of the image; set by `for_image`.
    """

    scale: int
    group: int
    flipped: tuple[bool, bool] = (False, False)
    image: tuple[int, int] = (0, 0)
    before: tuple[int, int] = (0, 0)

    def for_image(self, rows: int, columns: int, workspace: Workspace) -> CropStep:
        """Return the step with the size of the image."""
        before = _padding_before(rows, columns, self.group, self.flipped)
        return replace(self, image=(rows, columns), before=before)

    def total(self, rows: int) -> int:
        """Rows of the whole output."""
        return self.image[0] * self.scale

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """The same rows, counted from the first row of the padding."""
        return start + self.before[0] * self.scale, stop + self.before[0] * self.scale

    def reach(self, there: int, rows: int) -> int:
        """Rows that are there, without the padding."""
        return max(0, min(there - self.before[0] * self.scale, self.total(rows)))

    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Cut off the columns of the padding."""
        left = self.before[1] * self.scale
        window = gather(inputs, *self.needs(start, stop, rows))[..., left : left + self.image[1] * self.scale]
        return window.clone(memory_format=memory_layout(window.device, window.dtype))


def _padding_before(rows: int, columns: int, group: int, flipped: tuple[bool, bool]) -> tuple[int, int]:
    """Rows and columns of padding before the first pixel, for an image that is padded to whole groups."""
    return (-rows % group if flipped[0] else 0, -columns % group if flipped[1] else 0)
