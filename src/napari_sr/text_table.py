"""Tables as plain text."""

from __future__ import annotations

from collections.abc import Sequence


def as_columns(rows: Sequence[Sequence[str]], *, numbers_from: int | None = None) -> str:
    """Lay out rows of cells in columns of equal width.

    Parameters
    ----------
    rows : sequence of sequence of str
        The rows, all with the same number of cells. An empty cell, for an unknown value, is shown as "-", and a
        character that cannot be printed as a space.
    numbers_from : int, optional
        Index of the first column that is aligned to the right; by default none is.

    Returns
    -------
    str
        One line for each row, without a line break at the end.

    Examples
    --------
    >>> print(as_columns([["NAME", "FACTOR"], ["srcnn-x2", "2"]], numbers_from=1))
    NAME      FACTOR
    srcnn-x2       2
    """
    # Names and licenses of files can have any characters: control characters would change the terminal.
    filled = [["".join(c if c.isprintable() else " " for c in cell) or "-" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*filled, strict=True)]
    first_number = len(widths) if numbers_from is None else numbers_from
    lines = []
    for row in filled:
        cells = [
            cell.rjust(width) if column >= first_number else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
