"""Atomic writing of files and folders: either completely or not at all.

A file or folder is written under a temporary name in the same folder and renamed at the end. If the process is killed
at any time, the path has either the old content or the new one. Only a replaced folder is missing between two renames;
`restore_interrupted` restores it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

#: Endings of temporary names: of new content, and of an old folder that is replaced.
PART, OLD = ".part", ".old"
# Bytes of the name in a temporary name of new content: file systems allow 255 for all of it.
_LONGEST_NAME = 200


@contextmanager
def atomic_file(path: Path, *, overwrite: bool = True, durable: bool = False) -> Iterator[Path]:
    """Provide a temporary path for a file, and rename the file at the end.

    Parameters
    ----------
    path : Path
        The file, in an existing folder.
    overwrite : bool, default True
        Whether an existing file is replaced.
    durable : bool, default False
        Whether the content is flushed to the disk before the file is renamed, so that it survives a power failure.

    Yields
    ------
    Path
        The temporary path. After an error it is deleted, and `path` is unchanged.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    OSError
        If the file cannot be renamed.
    """
    temporary = temporary_name(path)
    try:
        yield temporary
        if durable:
            _sync(temporary)
        if not overwrite and path.exists():
            raise FileExistsError(None, "the file exists already", str(path))
        temporary.replace(path)
        if durable:
            _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_file(path: Path, content: str | bytes, *, overwrite: bool = True, durable: bool = False) -> None:
    """Write a file atomically.

    Parameters
    ----------
    path : Path
        The file, in an existing folder.
    content : str or bytes
        Text is written as UTF-8.
    overwrite : bool, default True
        Whether an existing file is replaced.
    durable : bool, default False
        Whether the content is flushed to the disk before the file is renamed, so that it survives a power failure.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    OSError
        If the file cannot be written; an existing file is then unchanged.
    """
    with atomic_file(path, overwrite=overwrite, durable=durable) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def atomic_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Provide a temporary path for a folder, and rename the folder at the end.

    Parameters
    ----------
    path : Path
        The folder, in an existing folder.
    overwrite : bool, default False
        Whether an existing folder is replaced: it is renamed, the new folder is renamed to `path`, and then the old
        one is deleted.

    Yields
    ------
    Path
        The temporary path, where the folder is to be created. After an error it is deleted, and `path` is unchanged.

    Raises
    ------
    FileExistsError
        If the folder exists and `overwrite` is False.
    OSError
        If the folder cannot be renamed.
    """
    restore_interrupted(path)
    if not overwrite and path.exists():
        raise FileExistsError(None, "the folder exists already", str(path))
    temporary = temporary_name(path)
    try:
        yield temporary
        _swap(temporary, path)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


def restore_interrupted(path: Path) -> None:
    """Restore a folder whose replacement was interrupted, and delete the old folder of a finished replacement.

    Parameters
    ----------
    path : Path
        The folder.
    """
    for old in sorted(path.parent.glob(f".{_escaped(path.name)}.*{OLD}")):
        if path.exists():
            shutil.rmtree(old)
        else:
            old.rename(path)


def temporary_name(path: Path, ending: str = PART) -> Path:
    """Return a path in the same folder as a file or folder that no other process uses.

    Parameters
    ----------
    path : Path
        The file or folder.
    ending : str, default ".part"
        Ending of the path.

    Returns
    -------
    Path
        A hidden path, such as ``.result.zarr.0f3a....part``. A long name is shortened for new content. An old folder
        keeps its whole name, by which it is found again.
    """
    name = path.name
    while ending == PART and len(os.fsencode(name)) > _LONGEST_NAME:
        name = name[:-1]
    return path.with_name(f".{name}.{uuid4().hex}{ending}")


def _swap(new: Path, path: Path) -> None:
    """Rename a new folder, and delete the one that it replaces, if any."""
    if not path.exists():
        new.rename(path)
        return
    old = temporary_name(path, OLD)
    path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old)


def _escaped(name: str) -> str:
    """Escape the characters of a name that are special in a glob pattern."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    if os.name == "nt" and path.is_dir():
        # Folders cannot be opened on Windows.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
