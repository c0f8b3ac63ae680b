"""Checks of the images before a training, on any thread: match of pairs, noise, pixel size."""

from __future__ import annotations

from math import hypot
from typing import Any

import numpy as np

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.napari_layer import layer_pixel_size
from napari_sr.imaging.pixel_size import ratio
from napari_sr.widgets.choices.layer_facts import known_axes
from napari_sr.widgets.finetune.images import Example
from napari_sr.widgets.finetune.layer_snapshot import ImageCopy

#: Largest number of planes from which the noise is estimated, and largest side of the middle part that is read of each.
_MOST_PLANES, _MOST_SIDE = 8, 4096
#: Smallest shift that is mentioned, in pixels.
_NOTICED = 0.5
#: Largest relative difference of pixel sizes that count as equal.
_EQUAL = 0.01


def pair_facts(low: ImageCopy, high: ImageCopy, scale: int) -> str:
    """Match the images of a pair, and describe their shift in a sentence; may be called on any thread.

    The text names the shift that is corrected and the one that remains, in high-resolution pixels, followed by the
    warning if there is one. Of an uncertain match, the remaining shift is left out, and so is a corrected one that is
    smaller than its uncertainty. Raises `InputError` if the images do not fit together at the factor of the model.
    """
    from napari_sr.training.data.images import training_images
    from napari_sr.training.data.pairs import UNCERTAIN

    match = training_images([(low, high)], scale, axes=high.letters)[0].match
    assert match is not None
    rest, moved = hypot(*match.residual), hypot(*match.shift)
    if match.uncertainty > UNCERTAIN:
        corrected = f"A shift of {moved:.1f} pixels is corrected. " if moved > match.uncertainty else ""
        return f"{corrected}{match.warning}"
    sentence = f"“{low.name}” and “{high.name}” fit to {rest:.1f} pixels"
    if moved >= _NOTICED:
        sentence += f", after a shift of {moved:.1f} pixels is corrected"
    return f"{sentence}." if match.warning is None else f"{sentence}. {match.warning}"


def noise_of(data: Any, axes: Axes, offset: float) -> tuple[float, float]:
    """Estimate the noise of an image from some of its planes; may be called on any thread.

    Parameters
    ----------
    data : array
        Finest level of the layer.
    axes : Axes
        The layer's.
    offset : float
        Dark level of the camera, in gray values.

    Returns
    -------
    gain, read : float
        Gray values per photon, and standard deviation of the read noise in gray values.

    Raises
    ------
    InputError
        If the noise cannot be estimated.
    """
    from napari_sr.imaging.noise import estimate_noise

    indices = list(axes.plane_indices())
    chosen = np.unique(np.linspace(0, len(indices) - 1, min(_MOST_PLANES, len(indices))).round().astype(int))
    rows, columns = (_middle(axes.shape[axis]) for axis in (axes.y, axes.x))
    planes = [np.asarray(axes.plane(data, axes.part(indices[n], rows, columns))) for n in chosen]
    return estimate_noise([plane[..., :3] if axes.rgb else plane for plane in planes], offset=offset)


def _middle(length: int) -> slice:
    start = max(0, length - _MOST_SIDE) // 2
    return slice(start, min(length, start + _MOST_SIDE))


def pixel_in_nanometers(examples: list[Example]) -> float | None:
    """Return the pixel size of high-resolution images in nanometers; None if that of one is not known.

    Raises `InputError` if the sizes differ by more than 1 %, or the axes of an image are not known.
    """
    sizes = []
    for example in examples:
        size, unit = layer_pixel_size(example.high, known_axes(example.high))
        if (nanometers := ratio(unit, "nanometer")) is None:
            return None
        sizes.append(size["X"] * nanometers)
    if sizes and max(sizes) > (1 + _EQUAL) * min(sizes):
        raise InputError(
            f"The images have pixels of {min(sizes):.4g} nm to {max(sizes):.4g} nm, but the blur by the optics needs "
            "one pixel size: choose a Gaussian blur, or train on images of one pixel size."
        )
    return sizes[0] if sizes else None
