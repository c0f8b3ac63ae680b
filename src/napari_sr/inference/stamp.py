"""Size and time of the files of an image, which tell whether it was changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Hidden files of a store that are a part of it: those with the metadata of Zarr 2. File managers write others.
_HIDDEN = (".zarray", ".zattrs", ".zgroup", ".zmetadata")


@dataclass(frozen=True)
class Stamp:
    """Size and time of an image.

    Parameters
    ----------
    size : int
        Bytes; of an image in several files, the sum of all.
    modified : int
        Time of the last modification, in nanoseconds since 1970; of an image in several files, the sum of all, which
        also changes if one of them is replaced by an older one.
    """

    size: int
    modified: int


def stamp_of_file(path: Path) -> Stamp | None:
    """Return size and time of a file.

    Returns
    -------
    Stamp or None
        Size and time; None if it cannot be found.
    """
    try:
        return _stamp(path.stat())
    except OSError:
        return None


def stamp_of_image(path: Path, partners: Sequence[str] = ()) -> Stamp | None:
    """Return size and time of an image, of all its files.

    Parameters
    ----------
    path : Path
        A file, or the folder of a Zarr store.
    partners : sequence of str, optional
        Paths of the other files of an image in several files, relative to the folder of `path`.

    Returns
    -------
    Stamp or None
        Size and time; None if a file cannot be found, or not all folders of a store can be listed.
    """
    try:
        if path.is_dir():
            return _sum(stamp for _, stamp in stamps_in(path))
        return _sum(_stamp(one.stat()) for one in (path, *(path.parent / name for name in partners)))
    except OSError:
        return None


def stamps_in(folder: Path) -> Iterator[tuple[str, Stamp]]:
    """Return size and time of each file in a folder and its folders, such as the chunks of a store.

    Yields
    ------
    name : str
        Path of a file relative to the folder.
    stamp : Stamp
        Its size and time. Hidden files other than those of Zarr 2 are left out, and files that are deleted meanwhile.

    Raises
    ------
    OSError
        If a folder cannot be listed.
    """
    # A store can have millions of chunks: no Path of each is made.
    return _walk(os.fspath(folder), "")


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, Stamp]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{prefix}{entry.name}/")
            elif not entry.name.startswith(".") or entry.name in _HIDDEN:
                try:
                    stamp = _stamp(entry.stat())
                except FileNotFoundError:
                    continue
                yield f"{prefix}{entry.name}", stamp


def _stamp(found: os.stat_result) -> Stamp:
    return Stamp(found.st_size, found.st_mtime_ns)


def _sum(stamps: Iterable[Stamp]) -> Stamp:
    size = modified = 0
    for stamp in stamps:
        size, modified = size + stamp.size, modified + stamp.modified
    return Stamp(size, modified)
