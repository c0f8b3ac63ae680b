"""Records of the finished parts of an unfinished store: JSON lines of whole numbers that are only appended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path


def read_numbers(path: Path) -> Iterator[tuple[int, ...]]:
    """Read a record.

    Parameters
    ----------
    path : Path
        The file. It need not exist, and a line that was cut off by the end of a process is left out.

    Yields
    ------
    tuple of int
        The numbers of a line.
    """
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n"):
        try:
            numbers = tuple(int(number) for number in json.loads(line))
        except (ValueError, TypeError):
            continue
        yield numbers


def append_numbers(path: Path, numbers: Sequence[int]) -> None:
    """Append a line to a record.

    Parameters
    ----------
    path : Path
        The file; it is made if it does not exist.
    numbers : sequence of int
        The numbers of the line.
    """
    with path.open("ab") as file:
        # After a line that was cut off.
        file.write(b"\n" + json.dumps(list(numbers)).encode() + b"\n")
        file.flush()
