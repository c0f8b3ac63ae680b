"""Show an error as a notification of napari, and return its sentence for the panel."""

from __future__ import annotations

import logging

from napari.utils.notifications import show_error

from napari_sr.errors import NapariSRError

NOTHING_CHANGED = "nothing was changed"

# Remedies of the Python call, and the same in the panels.
_IN_WINDOW = {'choose missing="fill"': "check “Missing pixels” under “More”"}

_log = logging.getLogger(__name__)


def worded_for_window(sentence: str) -> str:
    """Return the message of an error with the remedy of the panels in place of that of the Python call."""
    for call, row in _IN_WINDOW.items():
        sentence = sentence.replace(call, row)
    return sentence


def notify_error(error: Exception, unaffected: str = NOTHING_CHANGED) -> str:
    """Show an error as a notification of napari.

    Parameters
    ----------
    error : Exception
        The message of a `NapariSRError` is shown as `worded_for_window` returns it. Any other exception is an
        unexpected one: its type and message are shown in one sentence, and its traceback is logged.
    unaffected : str, default "nothing was changed"
        End of the sentence about an unexpected error: what it has not affected, such as "your models are unchanged".
    """
    sentence = worded_for_window(str(error))
    if not isinstance(error, NapariSRError):
        _log.error("An unexpected error occurred.", exc_info=error)
        sentence = f"An unexpected error occurred ({type(error).__name__}: {error}); {unaffected}."
    show_error(sentence)
    return sentence
