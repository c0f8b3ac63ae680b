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
        Rows that memory is held for: those from `start` to `stop`, and what is left of a chunk above them.
    """

    def __init__(self) -> None:
        self._chunks: deque[tuple[int, Tensor]] = deque()
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
        """Forget the rows above `first`; what is left of a chunk is copied when most of the chunk has gone."""
        self.start = max(self.start, min(first, self.stop))
        while self._chunks and self._chunks[0][0] + self._chunks[0][1].shape[2] <= self.start:
            self.held -= self._chunks.popleft()[1].shape[2]
        if self._chunks:
            begin, chunk = self._chunks[0]
            gone = self.start - begin
            # A view would hold the memory of the whole strip for the sake of the two rows that a convolution keeps.
            if gone > chunk.shape[2] // 2:
                self._chunks[0] = (self.start, chunk[:, :, gone:].clone(memory_format=torch.channels_last))
                self.held -= gone

    def pieces(self, start: int, stop: int) -> Iterator[tuple[int, Tensor]]:
        """Go through rows `start` to `stop` as (first row, view) without copying."""
        for begin, chunk in self._chunks:
            low, high = max(start, begin), min(stop, begin + chunk.shape[2])
            if low < high:
                yield low, chunk[:, :, low - begin : high - begin]


def gather(parts: Sequence[Rows], start: int, stop: int, above: int = 0, below: int = 0) -> Tensor:
    """Rows `start` to `stop` of several tensors side by side in the channels: a concatenation in one copy, or in none.

    Parameters
    ----------
    parts : sequence of Rows
        The tensors whose channels follow each other.
    start, stop : int
        Rows, all of them there.
    above, below : int
        Rows of zeros to add at the two ends.

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
    out = torch.empty(shape, dtype=first.dtype, device=first.device, memory_format=torch.channels_last)
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
