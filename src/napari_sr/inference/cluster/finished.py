"""The finished blocks of an unfinished store of a cluster."""

from __future__ import annotations

from pathlib import Path

from napari_sr.inference.output.record import append_numbers, read_numbers


class FinishedBlocks:
    """The finished blocks of an unfinished store, in a file of JSON lines.

    Each line has the rows and columns of the blocks and the number of a finished one, so that a run with other workers,
    which would choose another size, continues with the size of the store.

    Parameters
    ----------
    path : Path
        The file. A line that was cut off by the end of a process is ignored.

    Attributes
    ----------
    shape : (int, int) or None
        Rows and columns of a block, in pixels of the image; None if no block is finished.
    numbers : set of int
        Numbers of the finished blocks, in the order of `napari_sr.inference.cluster.blocks.blocks_of`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.shape: tuple[int, int] | None = None
        self.numbers: set[int] = set()
        for rows, columns, number in read_numbers(path):
            self.shape = rows, columns
            self.numbers.add(number)

    def add(self, shape: tuple[int, int], number: int) -> None:
        """Note that a block is on disk.

        Parameters
        ----------
        shape : (int, int)
            Rows and columns of the blocks.
        number : int
            Number of the block.
        """
        self.shape = shape
        self.numbers.add(number)
        append_numbers(self._path, (*shape, number))
