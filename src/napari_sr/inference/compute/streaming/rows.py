"""Rows of a tensor that are in memory while an image is streamed, and copies of ranges of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from napari_sr.accelerators import memory_layout


class Rows:
    """The rows of one tensor of the network that are in memory.

    Rows are appended in chunks of shape (N, C, rows, W), each of which begins where the last one ended, and are
    released from the top.

    Attributes
    ----------
    start, stop : int
        First row that is in memory, and number of rows that have been appended.
    held : int
        Rows for which memory is allocated: those of the chunks, and the capacity of the tail.

    Notes
    -----
    The few rows that a convolution needs again are copied out of their chunk into the tail, whose memory is allocated
    once. If it were allocated for every strip, small blocks would fragment the memory and keep it from being used for
    large ones (measured: docs/performance.md).
    """

    def __init__(self) -> None:
        self._chunks: deque[tuple[int, Tensor]] = deque()
        self._tail: Tensor | None = None
        self._begins_with_tail = False
        self.start = 0
        self.stop = 0
        self.held = 0

    def append(self, chunk: Tensor) -> None:
        """Append rows.

        Parameters
        ----------
        chunk : Tensor, shape (N, C, rows, W)
            The next rows; kept without a copy.
        """
        if chunk.shape[2]:
            self._chunks.append((self.stop, chunk))
            self.stop += chunk.shape[2]
            self.held += chunk.shape[2]

    def release(self, first: int) -> None:
        """Release the rows above one.

        Parameters
        ----------
        first : int
            First row that is still needed. If most of its chunk is released, the rest is copied into the tail.
        """
        self.start = max(self.start, min(first, self.stop))
        while self._chunks and self._chunks[0][0] + self._chunks[0][1].shape[2] <= self.start:
            _, released = self._chunks.popleft()
            self.held -= 0 if self._begins_with_tail else released.shape[2]
            self._begins_with_tail = False
        if self._chunks and not self._begins_with_tail:
            begin, chunk = self._chunks[0]
            above = self.start - begin
            # A view would hold the memory of the whole strip for the two rows that a convolution needs again.
            if above > chunk.shape[2] // 2:
                self._chunks[0] = (self.start, self._in_tail(chunk[:, :, above:]))
                self._begins_with_tail = True
                self.held -= chunk.shape[2]

    def _in_tail(self, rows: Tensor) -> Tensor:
        """Copy rows into the tail."""
        count, capacity = rows.shape[2], 0 if self._tail is None else self._tail.shape[2]
        if self._tail is not None and count <= capacity:
            return self._tail[:, :, :count].copy_(rows)
        self.held += count - capacity
        self._tail = rows.clone(memory_format=memory_layout(rows.device, rows.dtype))
        return self._tail

    def pieces(self, start: int, stop: int) -> Iterator[tuple[int, Tensor]]:
        """Iterate over a range of rows without copying.

        Yields
        ------
        int
            First row of the piece.
        Tensor, shape (N, C, rows, W)
            A view.
        """
        for begin, chunk in self._chunks:
            low, high = max(start, begin), min(stop, begin + chunk.shape[2])
            if low < high:
                yield low, chunk[:, :, low - begin : high - begin]


class Workspace:
    """Memory for the input window of one step after the other.

    The memory is allocated once, for the largest window. If it were allocated for every step, the system would have to
    provide its pages anew each time (measured: docs/performance.md).
    """

    def __init__(self) -> None:
        self._memory: Tensor | None = None

    def take(self, shape: tuple[int, int, int, int], example: Tensor) -> Tensor:
        """Return an uninitialized tensor; it overwrites the one before.

        Parameters
        ----------
        shape : (int, int, int, int)
            (N, C, H, W).
        example : Tensor
            Its dtype and device are taken.

        Returns
        -------
        Tensor
            In the layout of the device.
        """
        n, channels, rows, columns = shape
        count = n * channels * rows * columns
        if self._memory is None or self._memory.numel() < count:
            self._memory = None
            self._memory = example.new_empty(count)
        if memory_layout(example.device, example.dtype) == torch.contiguous_format:
            return self._memory[:count].view(shape)
        return self._memory[:count].view(n, rows, columns, channels).permute(0, 3, 1, 2)


def gather(
    parts: Sequence[Rows],
    start: int,
    stop: int,
    above: int = 0,
    below: int = 0,
    workspace: Workspace | None = None,
    *,
    beside: int | None = None,
) -> Tensor:
    """Concatenate a range of rows of several tensors in the channels, with at most one copy.

    Parameters
    ----------
    parts : sequence of Rows
        The tensors, in the order of their channels.
    start, stop : int
        First row and one after the last; all of them are in memory.
    above, below : int, default 0
        Rows to add at the two ends: of zeros, or with `beside` copies of the first and the last row.
    workspace : Workspace, optional
        Memory for the result. By default new memory.
    beside : int, optional
        Copies of the first and the last column to add on both sides. By default none, and rows of zeros.

    Returns
    -------
    Tensor, shape (N, C, above + stop - start + below, W + 2 beside)
        Read-only: it may be a view.
    """
    pieces_of = [list(part.pieces(start, stop)) for part in parts]
    if len(pieces_of) == 1 and len(pieces_of[0]) == 1 and not above and not below and not beside:
        return pieces_of[0][0][1]
    first = pieces_of[0][0][1]
    channels = [pieces[0][1].shape[1] for pieces in pieces_of]
    left, width = beside or 0, first.shape[3]
    shape = (first.shape[0], sum(channels), above + stop - start + below, width + 2 * left)
    if workspace is None:
        out = torch.empty(
            shape, dtype=first.dtype, device=first.device, memory_format=memory_layout(first.device, first.dtype)
        )
    else:
        out = workspace.take(shape, first)
    if beside is None:
        out[:, :, :above].zero_()
        out[:, :, shape[2] - below :].zero_()
    channel = 0
    for pieces, count in zip(pieces_of, channels, strict=True):
        for row, piece in pieces:
            offset = above + row - start
            rows = out[:, channel : channel + count, offset : offset + piece.shape[2]]
            rows[..., left : left + width].copy_(piece)
        channel += count
    if beside is not None:
        _replicate(out, above, below, left)
    return out


def _replicate(window: Tensor, above: int, below: int, beside: int) -> None:
    """Fill the border of a window, in place, with copies of the first and last columns and rows within it."""
    if beside:
        window[..., :beside] = window[..., beside : beside + 1]
        window[..., -beside:] = window[..., -beside - 1 : -beside]
    if above:
        window[:, :, :above] = window[:, :, above : above + 1]
    if below:
        window[:, :, -below:] = window[:, :, -below - 1 : -below]
