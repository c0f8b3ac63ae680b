"""Exceptions whose message is shown to users as it is.

A message is one sentence: the problem, the layer or file, and the remedy. The window shows it, the command line prints
it and exits with status 2, and the Python API raises it.
"""


class NapariSRError(Exception):
    """Base class of all errors that napari-sr raises itself. The message is one line, also where it quotes others."""

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


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
