"""Atomic writing of files and folders: either completely or not at all.

A file or folder is written under a temporary name in the same folder and renamed at the end. If the process is killed
at any time, the path has either the old content or the new one. Only a replaced folder is missing between two renames;
`restore_interrupted` restores it.

Beside each temporary file or folder is a record of its process (`napari_sr.owner`). A later process uses it to delete
the files of processes that have ended (`clear_abandoned`), and to leave those of running ones.
"""

from __future__ import annotations

import glob
import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from napari_sr.disk import cause_of, sync
from napari_sr.owner import read_owner, this_process

_log = logging.getLogger(__name__)

#: Endings of temporary names: of new content, of an old folder that is replaced, and of the record of the process.
PART, OLD, OWNER = ".part", ".old", ".owner"

#: Longest name, in bytes, that temporary names repeat as it is. Most file systems allow 255 bytes.
_LONGEST = 200
#: Age in seconds from which a record without content is deleted; a younger one is being written.
_GRACE = 10.0
#: Age in seconds up to which an unfinished folder that a later run may continue is kept.
_KEPT = 14 * 24 * 3600.0
#: Attempts to delete a folder into which another thread still writes, and the seconds between them.
_ATTEMPTS, _PAUSE = 20, 0.05

#: Temporary paths of this process.
_live: set[Path] = set()
#: Folders in which this process has deleted abandoned files.
_cleared: set[Path] = set()


@contextmanager
def atomic_file(path: Path, *, overwrite: bool = True, durable: bool = False) -> Iterator[Path]:
    """Provide a temporary path for a file, and rename the file at the end.

    Parameters
    ----------
    path : Path
        The file, in an existing folder.
    overwrite : bool, default True
        Whether an existing file is replaced, or a link itself. The new file has its permissions.
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
        If the file cannot be written or renamed. The error names `path`, and the cause where the disk is full.
    """
    if path.parent.absolute() not in _cleared:
        clear_abandoned(path.parent)
    with _temporary(path) as temporary:
        yield temporary
        if durable:
            sync(temporary)
        if not overwrite:
            _name_anew(temporary, path)
        else:
            if os.name == "posix" and path.is_file():
                shutil.copymode(path, temporary)
            temporary.replace(path)
        if durable:
            sync(path.parent)


def write_file(path: Path, content: str | bytes, *, overwrite: bool = True) -> None:
    """Write a file atomically.

    Parameters
    ----------
    path : Path
        The file, in an existing folder.
    content : str or bytes
        Text is written as UTF-8.
    overwrite : bool, default True
        Whether an existing file is replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    OSError
        If the file cannot be written; an existing file is then unchanged.
    """
    with atomic_file(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def atomic_folder(path: Path, *, overwrite: bool = False, fingerprint: str = "") -> Iterator[Path]:
    """Provide a temporary path for a folder, and rename the folder at the end.

    Parameters
    ----------
    path : Path
        The folder, in an existing folder.
    overwrite : bool, default False
        Whether an existing folder is replaced: it is renamed, the new folder is renamed to `path`, and then the old
        one is deleted.
    fingerprint : str, default ""
        Fingerprint of the work that fills the folder. If a process with the same one was killed, its temporary folder
        is provided again with what is in it; unfinished folders for `path` with others are deleted. Without a
        fingerprint the folder cannot be continued.

    Yields
    ------
    Path
        The temporary path, where the folder is to be created, unless it exists already. After an error it is deleted,
        and `path` is unchanged.

    Raises
    ------
    FileExistsError
        If the folder exists and `overwrite` is False.
    OSError
        If the folder cannot be written or renamed. The error names `path`, and the cause where the disk is full.
    """
    clear_abandoned(path.parent)
    restore_interrupted(path)
    if not overwrite and os.path.lexists(path):
        raise FileExistsError(None, "the folder exists already", str(path))
    unfinished = _take_over(path, fingerprint) if fingerprint else None
    with _temporary(path, fingerprint, unfinished) as temporary:
        yield temporary
        if not overwrite and os.path.lexists(path):
            raise FileExistsError(None, "the folder exists already", str(path))
        _swap(temporary, path)


@contextmanager
def scratch_folder(beside: Path | None = None) -> Iterator[Path]:
    """Provide an empty folder for temporary files, and delete it at the end.

    Parameters
    ----------
    beside : Path, optional
        File or folder beside which the folder is made, for temporary files as large as it; by default it is made in the
        system's folder for temporary files.

    Yields
    ------
    Path
        The folder. If the process is killed, the next one deletes it.
    """
    path = Path(tempfile.gettempdir()) / "napari-sr" if beside is None else beside
    clear_abandoned(path.parent)
    with _temporary(path) as temporary:
        temporary.mkdir()
        yield temporary


def restore_interrupted(path: Path) -> None:
    """Restore a folder whose replacement was interrupted, and delete the old folder of a finished replacement."""
    for old in sorted(path.parent.glob(f".{glob.escape(_stem(path))}.*{OLD}")):
        owner = read_owner(old.with_suffix(OWNER))
        if owner is not None and not owner.is_gone:
            # A running process is replacing the folder.
            continue
        if os.path.lexists(path):
            _delete(old)
        else:
            old.rename(path)
        if not old.with_suffix(PART).exists():
            old.with_suffix(OWNER).unlink(missing_ok=True)


def clear_abandoned(folder: Path) -> list[Path]:
    """Delete the temporary files and folders that processes of this computer have left when they ended.

    Files of running processes, of other computers and without a record are kept, and for 14 days folders that a later
    run may continue. Folders whose replacement was interrupted are restored.

    Parameters
    ----------
    folder : Path
        Folder in which files or folders are written. It need not exist.

    Returns
    -------
    list of Path
        The deleted files and folders.
    """
    _cleared.add(folder.absolute())
    deleted: list[Path] = []
    # A folder that cannot be listed, and files that cannot be deleted, are no reason to stop.
    with suppress(OSError):
        for record in sorted(folder.glob(f".*{OWNER}")):
            with suppress(OSError):
                if _clear(record):
                    deleted.append(record.with_suffix(PART))
    return deleted


def delete_own() -> list[Path]:
    """Delete the temporary files and folders of this process that are left, before it ends by a signal.

    Returns
    -------
    list of Path
        The deleted files and folders.
    """
    left = sorted(path for path in _live if path.exists())
    for path in sorted(_live):
        with suppress(OSError):
            _discard(path)
    return left


def _name_anew(temporary: Path, path: Path) -> None:
    """Give a file a name that no file has; of several processes that do so at once, one succeeds."""
    try:
        # Unlike a renaming, a link replaces no file. The temporary name is deleted afterwards.
        os.link(temporary, path)
    except OSError as error:
        if os.path.lexists(path):
            raise FileExistsError(None, "the file exists already", str(path)) from error
        # The file system has no links, or the disk is faulty, which renaming then tells.
        temporary.rename(path)


def temporary_name(path: Path) -> Path:
    """Return a path in the same folder as a file or folder that no other process uses, with the ending `PART`."""
    return path.with_name(f".{_stem(path)}.{uuid4().hex}{PART}")


@contextmanager
def _temporary(path: Path, fingerprint: str = "", unfinished: Path | None = None) -> Iterator[Path]:
    """Provide a temporary path with a record of this process beside it; both are deleted at the end."""
    temporary = unfinished or temporary_name(path)
    _live.add(temporary)
    try:
        if unfinished is None:
            temporary.with_suffix(OWNER).write_text(this_process(fingerprint).to_json(), encoding="utf-8")
        yield temporary
    except FileExistsError:
        raise
    except (OSError, RuntimeError) as error:
        cause = cause_of(error, temporary)
        if cause is None:
            raise
        raise OSError(cause.errno, cause.strerror, str(path)) from error
    finally:
        with _left_if_undeletable(temporary):
            _discard(temporary)


def _take_over(path: Path, fingerprint: str) -> Path | None:
    """Find the unfinished folder of a killed process with the same fingerprint, and delete those with others."""
    found: Path | None = None
    for record in sorted(path.parent.glob(f".{glob.escape(_stem(path))}.*{OWNER}")):
        guard = record.with_suffix(".guard")
        # Of two processes that start at the same time, one takes the folder over.
        with FileLock(guard):
            owner, temporary = read_owner(record), record.with_suffix(PART)
            if owner is not None and owner.fingerprint and owner.is_gone:
                if found is None and owner.fingerprint == fingerprint and temporary.is_dir():
                    # Replaced at once: with half a record nobody could tell that the folder is abandoned.
                    new = record.with_suffix(f"{OWNER}.new")
                    new.write_text(this_process(fingerprint).to_json(), encoding="utf-8")
                    new.replace(record)
                    found = temporary
                else:
                    if owner.fingerprint != fingerprint:
                        _log.warning(
                            "An interrupted run to %s had another image, model or settings: it is not continued.", path
                        )
                    _delete(temporary)
                    record.unlink(missing_ok=True)
        # Windows deletes no file that another process has open.
        with suppress(PermissionError):
            guard.unlink(missing_ok=True)
    return found


def _discard(temporary: Path) -> None:
    """Delete a temporary path of this process and its record."""
    if temporary.is_dir():
        # An interrupted write of a chunk, in another thread, may make the folder again.
        _delete(temporary)
        time.sleep(_PAUSE)
    _delete(temporary)
    temporary.with_suffix(OWNER).unlink(missing_ok=True)
    _live.discard(temporary)


def _delete(path: Path) -> None:
    """Delete a file, a link, or a folder with its content; it need not exist."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for attempt in range(_ATTEMPTS):
        try:
            shutil.rmtree(path)
            return
        except FileNotFoundError:
            if not path.exists():
                return
        except OSError:
            if attempt == _ATTEMPTS - 1:
                raise
        # Chunks of a store are written by threads, which may outlive the call that was interrupted.
        time.sleep(_PAUSE)


@contextmanager
def _left_if_undeletable(path: Path) -> Iterator[None]:
    """Log that a path cannot be deleted: a complete result, and an error before, are more important than what is left.

    A later process deletes it, by the record of this one or when it writes to the same path.
    """
    try:
        yield
    except OSError as error:
        # A read-only disk refuses to delete also what is not there.
        if path.exists() or path.with_suffix(OWNER).exists():
            _log.warning("%s cannot be deleted now (%s): a later run deletes it.", path, error.strerror or error)


def _clear(record: Path) -> bool:
    """Delete the temporary file or folder of a record if its process has ended; return whether there was one."""
    owner, temporary = read_owner(record), record.with_suffix(PART)
    if owner is None:
        # The process ended, or is, between the creation of the record and that of the file.
        if not temporary.exists() and time.time() - record.stat().st_mtime > _GRACE:
            record.unlink(missing_ok=True)
        return False
    if not owner.is_gone:
        return False
    resumable = owner.fingerprint and temporary.is_dir() and not os.path.lexists(record.with_suffix(OLD))
    if resumable and time.time() - record.stat().st_mtime < _KEPT:
        # A later run may continue.
        return False
    existed = temporary.exists()
    _delete(temporary)
    if os.path.lexists(record.with_suffix(OLD)):
        name = record.name.removeprefix(".").rpartition(".")[0].rpartition(".")[0]
        if len(os.fsencode(name)) <= _LONGEST:
            restore_interrupted(record.with_name(name))
    else:
        record.unlink(missing_ok=True)
    return existed


def _swap(new: Path, path: Path) -> None:
    """Rename a new folder, and delete the folder or link that it replaces, if any."""
    if not os.path.lexists(path):
        new.rename(path)
        return
    old = new.with_suffix(OLD)
    path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        old.rename(path)
        raise
    with _left_if_undeletable(old):
        _delete(old)


def _stem(path: Path) -> str:
    """Return the name of a path; a name that is too long for an addition is shortened, to more than `_LONGEST`."""
    encoded = os.fsencode(path.name)
    if len(encoded) <= _LONGEST:
        return path.name
    start = encoded[: _LONGEST - 28].decode("utf-8", "ignore")
    return f"{start}-{hashlib.sha256(encoded).hexdigest()[:32]}"
