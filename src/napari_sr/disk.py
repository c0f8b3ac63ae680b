"""The disk: the causes of errors while it is written, and flushing to it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

#: Errors of a disk that cannot take more, which have no file name.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: Bytes that are written once more after an error that does not name its cause.
_PROBE = 1 << 16


def cause_of(error: OSError | RuntimeError, temporary: Path) -> OSError | None:
    """Find the cause of an error while a temporary path was written.

    Parameters
    ----------
    error : OSError or RuntimeError
        The error.
    temporary : Path
        The file or folder. Names that differ from it in their ending belong to it as well.

    Returns
    -------
    OSError or None
        The cause; None if the error has nothing to do with the path.
    """
    if isinstance(error, OSError) and error.errno is not None:
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        inside = any(name.startswith(str(temporary.with_suffix(""))) for name in names)
        return error if inside or (not names and error.errno in _FULL) else None
    # numpy and torch report only the number of values that were not written. Writing once more gives the cause.
    try:
        with (temporary / "probe" if temporary.is_dir() else temporary).open("ab") as stream:
            stream.write(bytes(_PROBE))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as again:
        return again
    return None


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    if os.name == "nt" and path.is_dir():
        # Folders cannot be opened on Windows.
        return
    # Windows flushes a file only for who may write to it.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
