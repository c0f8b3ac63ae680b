"""Exceptions whose message is shown to users as it is, and the line of the user to which a warning points.

A message is one sentence: the problem, the layer or file, and the remedy. The window shows it, the command line prints
it and exits with status 2, and the Python API raises it.
"""

from __future__ import annotations

import errno
from inspect import currentframe

#: Remedies for errors of the system.
_REMEDIES = {
    errno.ENOSPC: "make room, or choose another place",
    errno.EDQUOT: "make room, or choose another place",
    errno.EROFS: "choose another place",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def one_line(text: object) -> str:
    """Return a text, such as the message of an error, on one line."""
    return " ".join(str(text).split())


def outside_level() -> int:
    """Return the ``stacklevel`` with which a warning of the calling function points to the line outside of the package.

    Frames of other modules between those of the package, such as those of decorators, are passed over.
    """
    package, frame = __name__.partition(".")[0], currentframe()
    level = outside = 0
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] == package:
            outside = level + 1
        frame, level = frame.f_back, level + 1
    return outside


class NapariSRError(Exception):
    """Base class of all errors that napari-sr raises itself. The message is one line, also where it quotes others."""

    def __str__(self) -> str:
        return one_line(super().__str__())


class InputError(NapariSRError, ValueError):
    """An image, a layer or a setting cannot be used.

    Examples
    --------
    >>> import napari_sr as sr
    >>> try:
    ...     sr.JobSettings(batch=0)
    ... except sr.InputError as error:
    ...     print(error)
    The batch 0 cannot be used: give a whole number of 1 or more or "auto".
    """


class CheckpointError(NapariSRError, ValueError):
    """A weight file cannot be read, or its weights are not those of the requested model.

    Examples
    --------
    >>> import napari_sr as sr
    >>> try:
    ...     sr.load_model("missing.pth")
    ... except sr.CheckpointError as error:
    ...     print(error)
    There is no file missing.pth: give the path of a weight file.
    """


class Cancelled(NapariSRError):
    """The work was stopped by its `cancel` callable, and nothing was written.

    Parameters
    ----------
    sentence : str, optional
        The message; by default that nothing was changed.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> try:
    ...     sr.upscale(np.zeros((16, 16), np.uint8), "srcnn-x2", device="cpu", cancel=lambda: True)
    ... except sr.Cancelled:
    ...     print("stopped")
    stopped
    """

    def __init__(self, sentence: str = "The work was cancelled; nothing was changed.") -> None:
        super().__init__(sentence)


def describe_error(error: BaseException) -> str | None:
    """Describe an error that a user can cause or remedy: one of napari-sr, of the system, or a lack of memory.

    Returns
    -------
    str or None
        One sentence; None for any other error.
    """
    if isinstance(error, NapariSRError):
        return str(error)
    if isinstance(error, OSError):
        return describe_system_error(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory: choose a smaller image or model, or close other programs."
    return None


def disk_remedy(error: Exception) -> str:
    """Return the first remedy for a file that could not be written: room on a full disk, or else the disk itself."""
    full = not isinstance(error, OSError) or error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "make room" if full else "check the disk and its permissions"


def describe_system_error(error: OSError) -> str:
    """Describe an error of the system by file, cause and remedy."""
    where = f"{error.filename}: " if error.filename else ""
    cause = one_line(error.strerror or str(error) or type(error).__name__).rstrip(".")
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{where}{cause}{f': {remedy}' if remedy else ''}."
