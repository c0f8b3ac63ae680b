"""Limits of weight files, which are checked before memory is allocated, and errors of missing memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

from napari_sr.conversion import shorten
from napari_sr.errors import CheckpointError

#: Largest number of tensors of one network; ESRGAN has 702.
MOST_TENSORS = 10_000
#: Largest number of characters in the name of a tensor.
_LONGEST_KEY = 256
#: Largest number of dimensions of a tensor.
_MOST_DIMENSIONS = 8


def check_key(key: str, name: str) -> None:
    """Check that the name of a tensor is not empty, printable and of at most 256 characters; `name` is the file."""
    if len(key) > _LONGEST_KEY:
        raise CheckpointError(
            f"{name} has a tensor with a name of {len(key)} characters, which no network has: get the file again."
        )
    if not key or not key.isprintable():
        raise CheckpointError(f"{name} has a tensor called {shorten(key)}, which no network has: get the file again.")


def check_count(count: int, name: str) -> None:
    """Check that there are no more tensors than a network can have; `name` is the file."""
    if count > MOST_TENSORS:
        raise CheckpointError(
            f"{name} has {count} tensors, and the networks of napari-sr have at most {MOST_TENSORS}: "
            "choose the weights of a super-resolution network."
        )


def is_shape(shape: object) -> bool:
    """Return whether a value is a shape: up to 8 whole numbers of 0 or more, and fewer than 2^62 values."""
    return (
        isinstance(shape, list | tuple) and len(shape) <= _MOST_DIMENSIONS and are_whole(shape) and prod(shape) < 2**62
    )


def are_whole(values: object) -> bool:
    """Return whether a value is a list or tuple of whole numbers from 0 to 2^62, such as offsets in a file."""
    return isinstance(values, list | tuple) and all(type(n) is int and 0 <= n < 2**62 for n in values)


def check_memory(needed: int, name: str) -> None:
    """Check that so many bytes of memory are free; `name` is the model or the file."""
    # psutil is imported when weights are read, not when models are listed.
    import psutil

    free = int(psutil.virtual_memory().available)
    if needed > free:
        raise CheckpointError(
            f"The model {name} needs {needed / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB are free: "
            "close other programs, or use a smaller model."
        )


@contextmanager
def memory_of(name: str) -> Iterator[None]:
    """Convert an error of missing memory to a `CheckpointError` that names the model or the file."""
    try:
        yield
    except MemoryError as error:
        raise CheckpointError(_no_memory(name)) from error
    except RuntimeError as error:
        # torch has no exception of its own for the memory of the CPU.
        if "allocate memory" not in str(error) and "not enough memory" not in str(error):
            raise
        raise CheckpointError(_no_memory(name)) from error


def _no_memory(name: str) -> str:
    return f"The model {name} does not fit into memory: close other programs, or use a smaller model."
