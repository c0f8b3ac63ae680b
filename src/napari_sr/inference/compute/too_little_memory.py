"""One sentence for the many errors that torch and its libraries raise where the memory is too small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_sr.accelerators import is_out_of_memory
from napari_sr.errors import InputError


@contextmanager
def sentence_for_too_little_memory(sentence: str) -> Iterator[None]:
    """Raise an error with a sentence in place of those that state that there is too little memory.

    Raises
    ------
    InputError
        If a device, or the computer, has too little memory.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(sentence) from error
