"""The parts of an image that are read for a measurement: always the same, and few of a large image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item")

#: Largest number of pixels that are used.
BUDGET = 3 << 18
# Largest number of pairs of neighboring planes of a stack; of other sequences, twice as many planes.
_PAIRS = 3
# Distance at which planes share no noise, even if planes were interpolated.
_DISTANCE = 4
# Side in pixels of the windows of a plane that is too large for its part of the budget.
_WINDOW = 256
# Largest number of pixels of a lazy plane that is read at once, since its windows may lie in one chunk.
_AT_ONCE = 1 << 24


class PlaneLike(Protocol):
    """A plane that is read where it is sliced: numpy, dask or zarr, shape (Y, X) or (Y, X, C)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns and, if there are any, colors."""

    def __getitem__(self, index: Any, /) -> Any:
        """Read a part."""


@dataclass(frozen=True)
class Window:
    """A part of a plane.

    Parameters
    ----------
    values : array, shape (Y, X)
        Values in the data type of the plane.
    following, distant : array, shape (Y, X), or None
        The same part of the next plane of a stack, and of a plane a few planes away.
    """

    values: npt.NDArray[Any]
    following: npt.NDArray[Any] | None = None
    distant: npt.NDArray[Any] | None = None


def windows(planes: Sequence[PlaneLike], *, stack: bool) -> Iterator[Window]:
    """Yield parts of the planes, evenly spread over planes, rows and columns.

    Parameters
    ----------
    planes : sequence of array, shape (Y, X) or (Y, X, C)
        Planes of one channel; each color is a part of its own.
    stack : bool
        Whether neighbors in the sequence are planes of the same field; they are read in pairs then.

    Yields
    ------
    Window
        A part of at most 512 x 512 pixels.
    """
    chosen = _chosen(len(planes), stack)
    for number in chosen:
        plane = _read(planes[number])
        others = [_like(planes, other, plane) if stack else None for other in _others(number, len(planes))]
        colors: Sequence[int | None] = range(plane.shape[2]) if len(plane.shape) == 3 else [None]
        for part in _parts(plane.shape[0], plane.shape[1], BUDGET // len(chosen) // max(1, len(colors))):
            values = [None if other is None else np.asarray(other[part]) for other in (plane, *others)]
            for color in colors:
                first, *rest = (None if array is None else _color(array, color) for array in values)
                if first is not None:
                    yield Window(first, *rest)


def spread(parts: Sequence[Item], most: int) -> list[Item]:
    """Return a number of parts, evenly spread over all of them.

    Parameters
    ----------
    parts : sequence
        Parts of an image, in their order. The first ones alone would be the top of a large plane, or the first plane
        of a stack.
    most : int
        Largest number of parts that are returned, 1 or more.
    """
    count = min(most, len(parts))
    return [parts[(2 * number + 1) * len(parts) // (2 * count)] for number in range(count)]


def _others(number: int, count: int) -> tuple[int, int]:
    """Return the numbers of the next plane and of a plane farther away, on either side; -1 for none."""
    distance = min(_DISTANCE, max(number, count - 1 - number))
    distant = number + distance if number + distance < count else number - distance
    return number + 1, distant if distance > 1 else -1


def _like(planes: Sequence[PlaneLike], number: int, plane: PlaneLike) -> PlaneLike | None:
    return _read(planes[number]) if 0 <= number < len(planes) and planes[number].shape == plane.shape else None


def _color(values: npt.NDArray[Any], color: int | None) -> npt.NDArray[Any]:
    return values if color is None else values[..., color]


def _chosen(count: int, stack: bool) -> list[int]:
    last = count - 2 if stack and count > 1 else count - 1
    most = _PAIRS if stack else 2 * _PAIRS
    return sorted({round(place) for place in np.linspace(0, last, min(most, last + 1))})


def _read(plane: PlaneLike) -> PlaneLike:
    lazy = not isinstance(plane, np.ndarray)
    return np.asarray(plane[:]) if lazy and plane.shape[0] * plane.shape[1] <= _AT_ONCE else plane


def _parts(height: int, width: int, budget: int) -> list[tuple[slice, slice]]:
    """Return windows of a plane: all of it if the budget allows, else a grid from border to border."""
    if height * width <= budget:
        rows, columns = -(-height // (2 * _WINDOW)), -(-width // (2 * _WINDOW))
        down, right = -(-height // max(1, rows)), -(-width // max(1, columns))
    else:
        down, right = min(height, _WINDOW), min(width, _WINDOW)
        rows, columns = -(-height // down), -(-width // right)
        fraction = min(1.0, (budget / (down * right * rows * columns)) ** 0.5)
        rows, columns = max(1, round(rows * fraction)), max(1, round(columns * fraction))
    return [
        (slice(top, top + down), slice(left, left + right))
        for top in _starts(height, down, rows)
        for left in _starts(width, right, columns)
    ]


def _starts(size: int, side: int, count: int) -> list[int]:
    if count <= 1:
        return [(size - side) // 2]
    return [round(place) for place in np.linspace(0, size - side, count)]
