"""Writing of files and folders whole or not at all.

A file or folder is written under a temporary name beside its own and renamed at the end. Whenever the process dies, the
name holds either the old content or the new one. Only a replaced folder is missing for the moment between two renames;
`restore_interrupted` puts the old one back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

#: Endings of temporary names: of content that is being written, and of a folder that is being replaced.
PART, OLD = ".part", ".old"


@contextmanager
def atomic_file(path: Path, *, overwrite: bool = True, durable: bool = False) -> Iterator[Path]:
    """Give a temporary name for a file that gets its own name at the end.

    Parameters
    ----------
    path : Path
        The file, in a folder that exists.
    overwrite : bool, default True
        Whether an existing file is replaced.
    durable : bool, default False
        Whether the content is brought to the disk before the file gets its name, so that it survives a power failure.

    Yields
    ------
    Path
        Where to write. After an error nothing is left there and `path` is as it was.

    Raises
    ------
    FileExistsError
        If the file exists and is not to be replaced.
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
    """Write a file, whole or not at all.

    Parameters
    ----------
    path : Path
        The file, in a folder that exists.
    content : str or bytes
        Text is written as UTF-8.
    overwrite, durable : bool
        As for `atomic_file`.

    Raises
    ------
    OSError
        If it cannot be written; the file is then as it was.
    """
    with atomic_file(path, overwrite=overwrite, durable=durable) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def atomic_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary name for a folder that gets its own name at the end.

    Parameters
    ----------
    path : Path
        The folder, whose parent exists.
    overwrite : bool, default False
        Whether an existing folder is replaced: the old one is renamed, the new one gets its name, and then the old one
        is deleted.

    Yields
    ------
    Path
        Where to make the folder. After an error nothing is left there and `path` is as it was.

    Raises
    ------
    FileExistsError
        If the folder exists and is not to be replaced.
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
    """Put back the folder whose replacement was interrupted, and delete what a finished replacement left.

    Parameters
    ----------
    path : Path
        Name of the folder.
    """
    for old in sorted(path.parent.glob(f".{_escaped(path.name)}.*{OLD}")):
        if path.exists():
            shutil.rmtree(old)
        else:
            old.rename(path)


def temporary_name(path: Path, ending: str = PART) -> Path:
    """Return a name beside a file or folder that no other process uses.

    Parameters
    ----------
    path : Path
        The file or folder.
    ending : str, default ".part"
        Ending of the name.

    Returns
    -------
    Path
        A hidden name, such as ``.result.zarr.0f3a....part``.
    """
    return path.with_name(f".{path.name}.{uuid4().hex}{ending}")


def _swap(new: Path, path: Path) -> None:
    """Give a folder its name, in place of one that may be there."""
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
    """Escape the characters of a name that have a meaning in a glob pattern."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _sync(path: Path) -> None:
    """Bring a file or the names in a folder to the disk."""
    if os.name == "nt" and path.is_dir():
        # Windows does not open folders.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
