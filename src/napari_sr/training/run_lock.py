"""The lock on the folder of a run, in which only one training at a time may write."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from napari_sr.errors import InputError
from napari_sr.imaging.atomic import clear_abandoned
from napari_sr.owner import Owner, read_owner, this_process

_log = logging.getLogger(__name__)

NAME = "lock.json"
#: Seconds for which a lock without content counts as one that is being written.
_GRACE = 2.0
#: File that is locked by the operating system while a stale lock is removed.
_GUARD = ".lock.guard"
#: Locks of this process that could not be removed at the end of their trainings.
_left: set[Path] = set()


@contextmanager
def locked_folder(folder: Path, fingerprint: str = "") -> Iterator[None]:
    """Lock the folder of a run, which is made if it does not exist.

    The lock is a file with the record of this process. That of a process of this computer that has ended is taken over,
    and its temporary files are deleted. A lock that cannot be removed on exit is only a warning in the log.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    fingerprint : str, default ""
        Fingerprint of the images, which the record holds.

    Raises
    ------
    InputError
        If another training uses the folder, or the folder cannot be written.
    """
    path, own = folder / NAME, this_process(fingerprint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while not _lock(path, own):
            holder = read_owner(path)
            if not _is_stale(path, holder):
                raise InputError(_refusal(folder, holder))
            _take_away(path, holder)
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be used for the run ({error.strerror or error}): choose another one."
        ) from error
    try:
        clear_abandoned(folder)
        yield
    finally:
        _release(path, own)


def _lock(path: Path, owner: Owner) -> bool:
    """Create the lock; return False if there is one."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return False
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(owner.to_json())
    except OSError:
        # Without its record, it would count as that of another training for some seconds.
        path.unlink(missing_ok=True)
        raise
    _left.discard(path.absolute())
    return True


def _release(path: Path, own: Owner) -> None:
    """Remove the lock of this process at the end of its training."""
    holder = read_owner(path)
    # A lock that was removed by hand may be that of another process by now.
    if holder is None or not _is_same_process(holder, own):
        return
    try:
        # The guard goes first: while this lock exists, a process that waits for the guard removes nothing.
        # Windows deletes no file that another process has open; that process's training deletes it.
        with suppress(PermissionError):
            path.with_name(_GUARD).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        # The training has its result, or its error, which would be lost; the next one takes the lock over.
        _left.add(path.absolute())
        _log.warning("%s cannot be removed (%s): its training has ended.", path, error.strerror)


def _is_same_process(one: Owner, other: Owner) -> bool:
    return (one.host, one.pid) == (other.host, other.pid)


def _is_stale(path: Path, holder: Owner | None) -> bool:
    """Whether the process of a lock, or its training, has ended."""
    if holder is not None:
        left = path.absolute() in _left and _is_same_process(holder, this_process())
        return left or holder.is_gone
    try:
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return True
    # Of a clock that was set back since, it is negative.
    return abs(age) > _GRACE


def _take_away(path: Path, holder: Owner | None) -> None:
    """Remove a stale lock, unless another process has replaced it by its own."""
    # Between the comparison and the removal, no other process may take the same lock away and create its own.
    with FileLock(path.with_name(_GUARD)):
        if read_owner(path) == holder and _is_stale(path, holder):
            path.unlink(missing_ok=True)
            _left.discard(path.absolute())


def _refusal(folder: Path, holder: Owner | None) -> str:
    if holder is None:
        return f"Another training has just started in {folder}: choose another folder."
    remedy = "wait until it has ended, or choose another folder"
    if not holder.is_here:
        remedy = f"choose another folder, or remove {folder / NAME} if that training has ended"
    return f"The folder {folder} is used by another training ({holder.describe()}): {remedy}."
