"""What is worked out in the background while a training is being set up: how pairs lie, and how noisy images are."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.geometry import layer_pixel_size
from napari_sr.imaging.pixel_size import METERS
from napari_sr.widgets.finetune_images import Example
from napari_sr.widgets.finetune_layers import ImageCopy
from napari_sr.widgets.layer_facts import known_axes

#: At most so many planes tell the noise of a camera.
_MOST_PLANES = 8
_NANOMETRE = "nanometer"
#: Images are taken to have pixels of one size if they agree to this share.
_AGREED = 0.01


def pair_facts(low: ImageCopy, high: ImageCopy, scale: int) -> str:
    """Say how the images of a pair lie on each other; on any thread.

    Raises
    ------
    InputError
        If they do not fit together.
    """
    from napari_sr.training.images import training_images

    match = training_images([(low, high)], scale, axes=high.letters)[0].match
    assert match is not None
    return match.sentence() if match.warning is None else f"{match.sentence()} {match.warning}"


def noise_of(data: Any, axes: Axes, offset: float) -> tuple[float, float]:
    """Gain and read noise of an image, from some of its planes; on any thread.

    Parameters
    ----------
    data : array
        The layer's finest level.
    axes : Axes
        Of it.
    offset : float
        The camera's dark level.

    Raises
    ------
    InputError
        If they cannot be told.
    """
    from napari_sr.training.noise import estimate_noise

    indices = list(axes.plane_indices())
    chosen = np.unique(np.linspace(0, len(indices) - 1, min(_MOST_PLANES, len(indices))).round().astype(int))
    planes = [np.asarray(axes.plane(data, indices[n])) for n in chosen]
    return estimate_noise([plane[..., :3] if axes.rgb else plane for plane in planes], offset=offset)


def pixel_in_nanometres(examples: list[Example]) -> float | None:
    """Size of the images' high-resolution pixels; None where one of them does not say.

    Raises
    ------
    InputError
        If the sizes differ, or axes cannot be known.
    """
    sizes = []
    for example in examples:
        said, unit = layer_pixel_size(example.high, known_axes(example.high))
        if unit not in METERS:
            return None
        sizes.append(said["X"] * METERS[unit] / METERS[_NANOMETRE])
    if sizes and max(sizes) > (1 + _AGREED) * min(sizes):
        raise InputError(
            f"The images have pixels of {min(sizes):.4g} nm to {max(sizes):.4g} nm, and the blur by the optics goes by "
            "one size: choose a Gaussian blur, or train on images of one size."
        )
    return sizes[0] if sizes else None
