"""Records of the finished parts of an unfinished store: JSON lines of whole numbers that are only appended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

#: Position of a plane along the plane axes.
Plane = tuple[int, ...]


class FinishedLines:
    """The finished lines of each plane of an unfinished store, in a file of JSON lines.

    It is extended when a band is on disk, so that a process that is killed at any moment leaves a record of no more
    than what is there.

    Parameters
    ----------
    path : Path
        The file. A line that was cut off by the end of a process is ignored.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[Plane, int] = {}
        for *plane, lines in _read(path):
            self._lines[tuple(plane)] = lines

    def __getitem__(self, plane: Plane) -> int:
        return self._lines.get(plane, 0)

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, plane: Plane, lines: int) -> None:
        """Note that the first lines of a plane are on disk.

        Parameters
        ----------
        plane : tuple of int
            Position of the plane along the plane axes.
        lines : int
            Number of lines from the first one on.
        """
        self._lines[plane] = lines
        _append(self._path, (*plane, lines))


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
        for rows, columns, number in _read(path):
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
        _append(self._path, (*shape, number))


def _read(path: Path) -> Iterator[tuple[int, ...]]:
    """Yield the numbers of each line that is whole; none if there is no file."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n"):
        try:
            numbers = tuple(int(number) for number in json.loads(line))
        except (ValueError, TypeError):
            continue
        yield numbers


def _append(path: Path, numbers: Sequence[int]) -> None:
    with path.open("ab") as file:
        # After a line that was cut off.
        file.write(b"\n" + json.dumps(list(numbers)).encode() + b"\n")
        file.flush()
