"""The prepared planes of an image, and the choice of one that shows something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.training.data.blocks import deviation, is_empty
from napari_sr.training.data.images import TrainingImage
from napari_sr.training.data.plane_pairs import PlanePair

#: The whole of a plane.
_WHOLE = (slice(None), slice(None))


@dataclass(frozen=True)
class ImagePlanes:
    """An image with its prepared planes.

    Parameters
    ----------
    image : TrainingImage
        The image.
    pairs : tuple of PlanePair
        Its planes at all sizes, at least one.
    spreads : tuple of float
        The standard deviation of each plane, or of all fields of a channel together, of which some are empty.
    largest : float
        The largest size of the planes.
    """

    image: TrainingImage
    pairs: tuple[PlanePair, ...]
    spreads: tuple[float, ...]
    largest: float

    @property
    def unfiltered(self) -> list[npt.NDArray[Any]]:
        """The high-resolution planes at the largest size, before denoising."""
        return [pair.unfiltered for pair in self.pairs if pair.size == self.largest]

    def middle(self, field: int, empty: float, part: tuple[slice, slice] = _WHOLE) -> tuple[PlanePair, float]:
        """Return the plane at the largest size that is nearest to the middle and not empty.

        Parameters
        ----------
        field : int
            Number of the field.
        empty : float
            A plane is empty in the part if the standard deviation there is below this fraction of the plane's, or 0.
        part : (slice, slice), optional
            Rows and columns in low-resolution pixels; by default the whole plane.

        Returns
        -------
        pair : PlanePair
            The plane; the one in the middle if all are empty.
        spread : float
            Its entry of `spreads`.
        """
        planes = [
            (pair, spread)
            for pair, spread in zip(self.pairs, self.spreads, strict=True)
            if (pair.field, pair.size) == (field, self.largest)
        ]
        middle = len(planes) // 2
        outwards = (planes[n] for n in sorted(range(len(planes)), key=lambda n: abs(n - middle)))
        # On a blank plane, such as the red of a blue stain, every network is as good as any other.
        shown = (entry for entry in outwards if not is_empty(entry[0].gray[part], empty, entry[1]))
        return next(shown, planes[middle])


def planes_by_image(images: Sequence[TrainingImage], plane_pairs: Sequence[PlanePair]) -> list[ImagePlanes]:
    """Group planes by their images, at least one of each; images and planes keep their order."""
    groups: list[list[PlanePair]] = [[] for _ in images]
    for pair in plane_pairs:
        groups[pair.image].append(pair)
    return [
        ImagePlanes(image, tuple(pairs), tuple(_spreads(image, pairs)), max(pair.size for pair in pairs))
        for image, pairs in zip(images, groups, strict=True)
    ]


def _spreads(image: TrainingImage, pairs: Sequence[PlanePair]) -> list[float]:
    """Return the standard deviation of each plane, or of all fields of a channel together."""
    if image.fields == 1:
        return [deviation(pair.gray) for pair in pairs]
    groups: dict[tuple[int | None, float], list[PlanePair]] = {}
    for pair in pairs:
        groups.setdefault((pair.channel, pair.size), []).append(pair)
    spreads = {key: _spread(members) for key, members in groups.items()}
    return [spreads[pair.channel, pair.size] for pair in pairs]


def _spread(pairs: Sequence[PlanePair]) -> float:
    """Return the standard deviation of planes of equal size together."""
    variances, means = zip(
        *((deviation(pair.gray) ** 2, pair.gray.mean(dtype=np.float64)) for pair in pairs), strict=True
    )
    return float(np.sqrt(np.mean(variances) + np.var(means)))
