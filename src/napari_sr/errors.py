"""The sentences a user reads when something can't be done.

Each message is one sentence: what was wrong, with which layer or file, and what to do. The window shows it, the
command line prints it and exits with status 2, and the Python API raises it.
"""


class NapariSRError(Exception):
    """Base of every error that napari-sr raises on purpose."""


class InputError(NapariSRError, ValueError):
    """An image, a layer or a setting cannot be used as it is."""


class CheckpointError(NapariSRError, ValueError):
    """A weight file cannot be read, or does not hold what was asked of it."""


class Cancelled(NapariSRError):
    """The caller asked for the work to stop; nothing was written."""
