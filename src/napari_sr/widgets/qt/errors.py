"""An error as a sentence: notified of by napari, and given back for the panel."""

from __future__ import annotations

import logging

from napari.utils.notifications import show_error

from napari_sr.errors import NapariSRError

_log = logging.getLogger(__name__)


def notify_of(error: Exception, safe: str) -> str:
    """Notify of an error, and give its sentence.

    Parameters
    ----------
    error : Exception
        One of ours is a sentence already; of another one its kind is told, and the rest is logged.
    safe : str
        What an unexpected error has not touched: "your models are untouched".
    """
    sentence = str(error)
    if not isinstance(error, NapariSRError):
        _log.error("Something failed unexpectedly.", exc_info=error)
        sentence = f"Something unexpected went wrong ({type(error).__name__}: {error}); {safe}."
    show_error(sentence)
    return sentence
