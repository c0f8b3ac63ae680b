"""Rows on their way through a network: kept as long as something below still needs them, and no longer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


class Rows:
    """The rows of one tensor of the network that are there now.

    Rows come in chunks of shape (N, C, rows, W), each beginning where the last one ended, and are let go from the top.

    Attributes
    ----------
    start, stop : int
        First row still there, and first row not there yet.
    held : int
        Rows that memory is held for: those of the chunks, and those that the tail has room for.

    Notes
    -----
    The few rows that a convolution keeps are copied out of their chunk into the tail, memory that is taken once and
    stays in its place: taken anew for every strip, such small pieces would come to lie all over the memory and keep it
    from being used for large ones (measured: docs/performance.md).
    """

    def __init__(self) -> None:
        self._chunks: deque[tuple[int, Tensor]] = deque()
        self._tail: Tensor | None = None
        self._begins_with_tail = False
        self.start = 0
        self.stop = 0
        self.held = 0

    def append(self, chunk: Tensor) -> None:
        """Take in the next rows."""
        if chunk.shape[2]:
            self._chunks.append((self.stop, chunk))
            self.stop += chunk.shape[2]
            self.held += chunk.shape[2]

    def let_go(self, first: int) -> None:
        """Forget the rows above `first`; what is left of a chunk goes into the tail when most of it has gone."""
        self.start = max(self.start, min(first, self.stop))
        while self._chunks and self._chunks[0][0] + self._chunks[0][1].shape[2] <= self.start:
            _, gone = self._chunks.popleft()
            self.held -= 0 if self._begins_with_tail else gone.shape[2]
            self._begins_with_tail = False
        if self._chunks and not self._begins_with_tail:
            begin, chunk = self._chunks[0]
            above = self.start - begin
            # A view would hold the memory of the whole strip for the sake of the two rows that a convolution keeps.
            if above > chunk.shape[2] // 2:
                self._chunks[0] = (self.start, self._kept(chunk[:, :, above:]))
                self._begins_with_tail = True
                self.held -= chunk.shape[2]

    def _kept(self, rows: Tensor) -> Tensor:
        """Rows copied into the tail."""
        count, room = rows.shape[2], 0 if self._tail is None else self._tail.shape[2]
        if self._tail is not None and count <= room:
            return self._tail[:, :, :count].copy_(rows)
        self.held += count - room
        self._tail = rows.clone(memory_format=torch.channels_last)
        return self._tail

    def pieces(self, start: int, stop: int) -> Iterator[tuple[int, Tensor]]:
        """Go through rows `start` to `stop` as (first row, view) without copying."""
        for begin, chunk in self._chunks:
            low, high = max(start, begin), min(stop, begin + chunk.shape[2])
            if low < high:
                yield low, chunk[:, :, low - begin : high - begin]


class Workspace:
    """Memory in which the steps of a stream, one after the other, lay out what they read.

    It is taken once, as large as the largest needs it: taken anew for every step, pieces of this size come from the
    system page by page each time (measured: docs/performance.md).
    """

    def __init__(self) -> None:
        self._memory: Tensor | None = None

    def take(self, shape: tuple[int, int, int, int], example: Tensor) -> Tensor:
        """An empty tensor, channels last, of the kind of `example`; what was taken before is written over."""
        n, channels, rows, columns = shape
        count = n * channels * rows * columns
        if self._memory is None or self._memory.numel() < count:
            self._memory = None
            self._memory = example.new_empty(count)
        return self._memory[:count].view(n, rows, columns, channels).permute(0, 3, 1, 2)


def gather(
    parts: Sequence[Rows], start: int, stop: int, above: int = 0, below: int = 0, workspace: Workspace | None = None
) -> Tensor:
    """Rows `start` to `stop` of several tensors side by side in the channels: a concatenation in one copy, or in none.

    Parameters
    ----------
    parts : sequence of Rows
        The tensors whose channels follow each other.
    start, stop : int
        Rows, all of them there.
    above, below : int
        Rows of zeros to add at the two ends.
    workspace : Workspace, optional
        Where to put them, for a result that nobody needs once the next one is gathered.

    Returns
    -------
    Tensor, shape (N, C, above + stop - start + below, W)
        Not to be written to: it may be a view.
    """
    found = [list(part.pieces(start, stop)) for part in parts]
    if len(found) == 1 and len(found[0]) == 1 and not above and not below:
        return found[0][0][1]
    first = found[0][0][1]
    channels = [pieces[0][1].shape[1] for pieces in found]
    shape = (first.shape[0], sum(channels), above + stop - start + below, first.shape[3])
    if workspace is None:
        out = torch.empty(shape, dtype=first.dtype, device=first.device, memory_format=torch.channels_last)
    else:
        out = workspace.take(shape, first)
    if above:
        out[:, :, :above].zero_()
    if below:
        out[:, :, shape[2] - below :].zero_()
    channel = 0
    for pieces, count in zip(found, channels, strict=True):
        for row, piece in pieces:
            offset = above + row - start
            out[:, channel : channel + count, offset : offset + piece.shape[2]].copy_(piece)
        channel += count
    return out
