"""The results of a run over several images, as a table and as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, SupportsIndex, get_args, overload

from napari_sr.conversion import printable
from napari_sr.text_table import as_columns

#: What became of a file: "running" only while it is computed, "waiting" only before.
State = Literal["done", "skipped", "failed", "running", "waiting"]
_COLUMNS = ("input", "output", "state", "reason", "seconds", "model")


@dataclass(frozen=True)
class FileResult:
    """The result of one of several images.

    Parameters
    ----------
    input : Path
        The image.
    output : Path
        Its result.
    state : {"done", "skipped", "failed", "running", "waiting"}
        Whether the result was written, was finished before, or could not be made. The last two states occur only while
        other images are computed.
    reason : str, default ""
        Why the image was skipped or failed; the warnings of the report if it is done.
    seconds : float, default 0.0
        Time for reading, computing and writing, in seconds.
    model : str, default ""
        Name of the model if it is done.

    Examples
    --------
    >>> import napari_sr as sr
    >>> from pathlib import Path
    >>> result = sr.FileResult(Path("cells.tif"), Path("large/cells.tif"), "done", seconds=0.5, model="srcnn-x2")
    >>> result.state, result.seconds
    ('done', 0.5)
    """

    input: Path
    output: Path
    state: State
    reason: str = ""
    seconds: float = 0.0
    model: str = ""


class FileResults(list[FileResult]):
    """The results of several images, displayed as a table.

    Parameters
    ----------
    results : iterable of FileResult
        One for each image.

    Examples
    --------
    >>> import napari_sr as sr
    >>> from pathlib import Path
    >>> results = sr.FileResults([sr.FileResult(Path("a.tif"), Path("large/a.tif"), "done", model="srcnn-x2")])
    >>> print(results.as_csv(), end="")
    input,output,state,reason,seconds,model
    a.tif,large/a.tif,done,,0.000,srcnn-x2
    >>> results.failed, results.summary()
    ([], '1 done')
    """

    def __init__(self, results: Iterable[FileResult] = ()) -> None:
        super().__init__(results)

    @overload
    def __getitem__(self, index: SupportsIndex) -> FileResult: ...

    @overload
    def __getitem__(self, index: slice) -> FileResults: ...

    def __getitem__(self, index: SupportsIndex | slice) -> FileResult | FileResults:
        """Return a result, or the list of some results."""
        if isinstance(index, slice):
            return FileResults(super().__getitem__(index))
        return super().__getitem__(index)

    def __repr__(self) -> str:
        return as_columns([[name.upper() for name in _SHOWN], *(_row(result) for result in self)])

    @property
    def failed(self) -> list[FileResult]:
        """The results of the images that failed."""
        return [result for result in self if result.state == "failed"]

    def summary(self) -> str:
        """Return the number of images in each state.

        Returns
        -------
        str
            Such as "18 done, 1 skipped, 1 failed".
        """
        counts = Counter(result.state for result in self)
        return ", ".join(f"{counts[state]} {state}" for state in get_args(State) if counts[state])

    def as_csv(self) -> str:
        """Return CSV with the columns input, output, state, reason, seconds and model.

        Returns
        -------
        str
            The text, with a line for each image.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for one in self:
            fields = (str(one.input), str(one.output), one.state, one.reason, f"{one.seconds:.3f}", one.model)
            writer.writerow([_encodable(field) for field in fields])
        return text.getvalue()


_SHOWN = ("input", "state", "seconds", "model", "reason")


def _row(result: FileResult) -> list[str]:
    seconds = f"{result.seconds:.1f}" if result.seconds else ""
    cells = (str(result.input), result.state, seconds, result.model, result.reason)
    return [printable(cell) for cell in cells]


def _encodable(text: str) -> str:
    """Escape the bytes of a name that is not text."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
