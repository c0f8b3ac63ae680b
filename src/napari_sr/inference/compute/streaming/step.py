"""The base class of the steps of a streamed network.

A step computes rows of one tensor from rows of one or more others. It defines the number of rows of its output
(`total`), the input rows that a range of output rows depends on (`needs`), and the computation (`compute`). The stream
schedules the steps and holds rows until they are no longer needed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_sr.inference.compute.streaming.rows import Rows, Workspace

Pointwise = Callable[[Tensor], Tensor]

#: Layers whose output is finite for some infinite inputs, so that an overflow of half precision is no longer visible
#: after them.
BOUNDING = (nn.ReLU, nn.Hardtanh, nn.Tanh, nn.Sigmoid, nn.ELU)


@dataclass(kw_only=True)
class Step(ABC):
    """One step of a streamed network.

    Parameters
    ----------
    name : str
        Name of the layer in the network, for messages.
    inputs : tuple of int
        Numbers of the input tensors. Their channels are concatenated, or added by `SumStep`.
    output : int
        Number of the output tensor.
    after : tuple of callable
        Pointwise layers that are applied to the output; they may write into their argument.
    """

    name: str
    inputs: tuple[int, ...]
    output: int
    after: tuple[Pointwise, ...] = ()

    def for_image(self, rows: int, columns: int, workspace: Workspace) -> Step:
        """Return the step for one image.

        Parameters
        ----------
        rows, columns : int
            Size of the image.
        workspace : Workspace
            Memory that the steps of this image share.

        Returns
        -------
        Step
            A copy, or the step itself if it does not depend on the image.
        """
        return self

    def channels(self, inputs: Sequence[int]) -> int:
        """Compute the channels of the output."""
        return sum(inputs)

    def total(self, rows: int) -> int:
        """Compute the height of the whole output."""
        return rows

    def needs(self, start: int, stop: int, rows: int) -> tuple[int, int]:
        """Compute the input rows on which output rows depend.

        Parameters
        ----------
        start, stop : int
            First output row and one after the last.
        rows : int
            Rows of the whole input.

        Returns
        -------
        (int, int)
            First input row and one after the last. Rows below 0 and from `rows` on are border.
        """
        return start, stop

    def keeps(self, next_row: int, rows: int) -> int:
        """Compute the first input row that is still needed.

        Parameters
        ----------
        next_row : int
            First output row that has not been computed.
        rows : int
            Rows of the whole input.

        Returns
        -------
        int
            Input rows above it can be released.
        """
        return max(0, self.needs(next_row, next_row + 1, rows)[0])

    def reach(self, there: int, rows: int) -> int:
        """Compute the number of output rows that can be computed.

        Parameters
        ----------
        there : int
            Input rows that are there, from the top.
        rows : int
            Rows of the whole input.

        Returns
        -------
        int
            Output rows, from the top.
        """
        if there == rows:
            return self.total(rows)
        return there

    def takes(self, start: int, stop: int, rows: int) -> int:
        """Estimate the memory of a computation.

        Parameters
        ----------
        start, stop : int
            First output row and one after the last.
        rows : int
            Rows of the whole input.

        Returns
        -------
        int
            Rows of the width of the output that are in memory at once, besides the input window.
        """
        return 2 * (stop - start)

    @abstractmethod
    def compute(self, inputs: Sequence[Rows], start: int, stop: int, rows: int) -> Tensor:
        """Compute output rows `start` to `stop`, without the pointwise layers.

        Parameters
        ----------
        inputs : sequence of Rows
            The input tensors, with all rows that `needs` returns.
        start, stop : int
            First row and one after the last.
        rows : int
            Rows of the whole input.

        Returns
        -------
        Tensor, shape (N, C, stop - start, W)
            The rows.
        """

    def run(
        self, inputs: Sequence[Rows], start: int, stop: int, rows: int, watch: Callable[[Tensor], None] | None = None
    ) -> Tensor:
        """Compute output rows `start` to `stop`, pointwise layers included; see `compute`.

        Parameters
        ----------
        watch : callable, optional
            Called with the input of each layer whose output is finite for infinite inputs.
        """
        out = self.compute(inputs, start, stop, rows)
        for function in self.after:
            if watch is not None and bounds(function):
                watch(out)
            out = function(out)
        return out


def relu(x: Tensor) -> Tensor:
    """Rectify a tensor in place."""
    return x.relu_()


def bounds(function: Pointwise) -> bool:
    """Return whether the output of a pointwise layer is finite for some infinite inputs.

    Returns
    -------
    bool
        True for those of `BOUNDING` and their functions.
    """
    return function in (relu, Tensor.tanh_, Tensor.sigmoid_) or isinstance(function, BOUNDING)


def reorder_channels(x: Tensor, order: tuple[int, ...] | None) -> Tensor:
    """Permute the channels of every group of ``len(order)``.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        The tensor.
    order : tuple of int or None
        The permutation; None for none.

    Returns
    -------
    Tensor, shape (N, C, H, W)
        A copy, or `x` itself without a permutation.
    """
    if order is None:
        return x
    groups = torch.arange(x.shape[1]).reshape(-1, len(order))[:, list(order)]
    return x.index_select(1, groups.reshape(-1).to(x.device))
