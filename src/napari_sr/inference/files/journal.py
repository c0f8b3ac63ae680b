"""The journal of a folder of results: which files in it are finished, for which input and which job.

The journal is a file of JSON lines. A line is added when a result is complete and still has its temporary name: it has
size and time of the file, which renaming does not change. So a run that is killed at any moment leaves results that the
next one recognizes, and that differ from files that anybody else has written or changed. A line that was cut off by
the end of the process is ignored. Several processes may write results into one folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from napari_sr.disk import sync
from napari_sr.errors import InputError
from napari_sr.inference.files.inputs import JOURNAL
from napari_sr.inference.output.paths import is_store_name
from napari_sr.inference.stamp import Stamp, stamp_of_file, stamp_of_image

_HEADER = {"journal": "napari-sr", "version": 1}
#: Files with the metadata of a store of Zarr 3 or 2. The first that is there is written last.
_OF_STORES = ("zarr.json", ".zattrs", ".zgroup", ".zarray")

#: Whether a result is absent, finished for this input and job, written by an earlier run for others, changed after it
#: was finished, or written by somebody else.
Status = Literal["absent", "finished", "outdated", "changed", "foreign"]


@dataclass(frozen=True)
class Entry:
    """A finished result.

    Parameters
    ----------
    output : str
        The result, relative to the folder, with "/".
    input : str
        The image, for readers of the journal. It is not compared, so that folders may be moved.
    source : Stamp
        Size and time of the image, of all its files.
    job : str
        Fingerprint of model and settings.
    result : Stamp
        Size and time of the result.
    partners : tuple of str
        Paths of the other files of an image in several files, relative to the folder of the image.
    """

    output: str
    input: str
    source: Stamp
    job: str
    result: Stamp
    partners: tuple[str, ...]


class Journal:
    """The journal of a folder.

    Parameters
    ----------
    folder : Path
        The folder of the results, which need not exist.

    Raises
    ------
    InputError
        If a file with the name of the journal is not one, or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / JOURNAL
        self._lock = Lock()
        self.read()

    def read(self) -> None:
        """Read the file, to which other runs may have added results since it was read.

        Raises
        ------
        InputError
            If a file with the name of the journal is not one, or cannot be read.
        """
        with self._lock:
            records = _read(self._path)
            self._begun = _HEADER in records
            entries: dict[str, list[Entry]] = {}
            for entry in map(_entry, records):
                if entry is not None:
                    entries.setdefault(entry.output, []).append(entry)
            self._entries = entries

    def status(self, out: Path, source: Path, job: str) -> Status:
        """Return the status of a result on disk.

        Returns
        -------
        {"absent", "finished", "outdated", "changed", "foreign"}
            See `Status`.
        """
        if not os.path.lexists(out):
            return "absent"
        entries, stamp = self._entries.get(self._key(out), []), stamp_of(out)
        for entry in reversed(entries):
            if entry.result == stamp:
                return "finished" if _is_for(entry, source, job) else "outdated"
        return "changed" if entries and _is_for(entries[-1], source, job) else "foreign"

    def add(
        self, out: Path, complete: Path, source: Path, stamp: Stamp | None, job: str, partners: Sequence[str] = ()
    ) -> None:
        """Add a result that is complete and is renamed next.

        Parameters
        ----------
        out : Path
            The result.
        complete : Path
            Its temporary name.
        source : Path
            The image.
        stamp : Stamp or None
            Size and time of the image before it was read; None if they were not known.
        job : str
            Fingerprint of model and settings.
        partners : sequence of str, optional
            Paths of the other files of an image in several files, relative to the folder of the image.

        Raises
        ------
        OSError
            If the journal cannot be written.
        """
        result = stamp_of(complete)
        if stamp is None or result is None:
            return
        if complete.is_file():
            # After a power failure, a file whose pixels are lost would be listed as finished.
            sync(complete)
        entry = Entry(self._key(out), str(source), stamp, job, result, tuple(partners))
        with self._lock:
            self._append(asdict(entry))
            self._entries.setdefault(entry.output, []).append(entry)

    def _key(self, out: Path) -> str:
        return out.relative_to(self._folder).as_posix()

    def _append(self, record: Mapping[str, Any]) -> None:
        """Add a line with one write, and flush it to the disk before the result gets its name."""
        with self._path.open("a+b") as file:
            start = b""
            if file.seek(0, os.SEEK_END) > 0:
                file.seek(-1, os.SEEK_END)
                # The last line was cut off when its process ended.
                start = b"" if file.read(1) == b"\n" else b"\n"
            file.write(start + (b"" if self._begun else _line(_HEADER)) + _line(record))
            file.flush()
            os.fsync(file.fileno())
        self._begun = True


def stamp_of(path: Path) -> Stamp | None:
    """Return size and time of a result.

    Parameters
    ----------
    path : Path
        A file, or the folder of a Zarr store.

    Returns
    -------
    Stamp or None
        For a store those of its metadata, which are written last; None if the file cannot be found.
    """
    if is_store_name(path) or path.is_dir():
        return next((stamp for name in _OF_STORES if (stamp := stamp_of_file(path / name)) is not None), None)
    return stamp_of_file(path)


def _is_for(entry: Entry, source: Path, job: str) -> bool:
    """Whether a result is that of a job for an image as it is now."""
    return entry.job == job and entry.source == stamp_of_image(source, entry.partners)


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _read(path: Path) -> list[Any]:
    """Read the lines of a journal; none if there is no file, or if it was cut off in its first line."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"The journal {path} cannot be read ({error.strerror}): check its permissions.") from error
    records = [_record(line) for line in content.split(b"\n")]
    if _HEADER not in records and not _line(_HEADER).startswith(content):
        raise InputError(f"{path} is not a journal of this version of napari-sr: give another folder for the results.")
    return records


def _record(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _entry(record: Any) -> Entry | None:
    try:
        return Entry(
            str(record["output"]),
            str(record["input"]),
            Stamp(int(record["source"]["size"]), int(record["source"]["modified"])),
            str(record["job"]),
            Stamp(int(record["result"]["size"]), int(record["result"]["modified"])),
            tuple(map(str, record.get("partners", ()))),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
