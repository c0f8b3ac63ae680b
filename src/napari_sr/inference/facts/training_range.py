"""Whether an image has the properties of the images that a model was trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_sr.imaging.analysis.sharpness import Sharpness
from napari_sr.imaging.noise import NoiseMeasurement
from napari_sr.inference.facts.channel_facts import is_correlated
from napari_sr.zoo.card import Card

#: Fraction of pixels with the largest value from which an image is overexposed.
_OVEREXPOSED = 0.01
#: Fraction of single pixels that are far from their neighbors.
_HOT = 3e-3
#: Standard deviation of noise from which it counts, as a fraction of the difference of bright and dark.
_STRONG = 0.02
#: Offsets of rows or columns, as a fraction of the noise of a pixel.
_LINES = 0.5
#: Factor of an earlier enlargement from which it is named.
_ENLARGED = 2.0
#: Width by which a given blur may exceed that of the structures, in pixels, and standard errors of the width.
_BLUR_MARGIN, _BLUR_ERRORS = 0.1, 2.0
#: Standard deviation of the blur in pixels from which a larger image shows little more unless the blur is removed, and
#: standard errors by which it is exceeded. Such a blur leaves 4 % of the contrast at half of the Nyquist frequency.
_SMOOTH, _SURELY = 1.6, 1.0


def unlike_training(card: Card, noise: Sequence[NoiseMeasurement], sharpness: Sequence[Sharpness]) -> tuple[str, ...]:
    """Name the properties of a channel that the training images of a model did not have.

    Parameters
    ----------
    card : Card
        Card of the model; models that take no conditions have no known range.
    noise : sequence of NoiseMeasurement
        Noise of each color of the channel.
    sharpness : sequence of Sharpness
        Sharpness of each color of the channel.

    Returns
    -------
    tuple of str
        A sentence for each property; empty for an image that is like the training images.
    """
    if card.conditioning is None:
        return ()
    sentences = [*_about_noise(noise), *_about_values(noise), *_about_sharpness(card, sharpness)]
    return tuple(dict.fromkeys(sentences))


def sharper_than_blur(blur: float, sharpness: Sequence[Sharpness]) -> str | None:
    """Return a sentence if the structures of a channel are too sharp for a blur, which then spoils the result.

    Parameters
    ----------
    blur : float
        The setting `blur`: standard deviation in pixels.
    sharpness : sequence of Sharpness
        Sharpness of each color of the channel.

    Returns
    -------
    str or None
        None if the image may have such a blur, or its sharpness is not known.
    """
    sharpest = min((one for one in sharpness if one.width_error < math.inf), key=lambda one: one.width, default=None)
    if sharpest is None or blur <= sharpest.width + _BLUR_MARGIN + _BLUR_ERRORS * sharpest.width_error:
        return None
    return (
        f"The structures are sharper than after a blur of {blur:.2g} pixels: choose at most {sharpest.width:.1f}, as "
        "blur that is not in the image spoils the result."
    )


def _about_noise(noise: Sequence[NoiseMeasurement]) -> list[str]:
    sentences = []
    if any(one.mosaic for one in noise):
        sentences.append(
            "The colors were interpolated from the mosaic of a camera: choose the raw data if there are any."
        )
    elif any(is_correlated(one) for one in noise):
        sentences.append(
            "The noise of neighboring pixels is correlated, as in scanning microscopes and after registration, "
            "filtering or compression, or there is fine, even texture, which looks like it: if structure disappears, "
            "remove less noise."
        )
    if any(max(one.row_offsets, one.column_offsets) > _LINES * one.sigma(one.middle) > 0 for one in noise):
        sentences.append("There are stripes along rows or columns, which are not removed.")
    if any(one.planes_share_noise for one in noise):
        sentences.append("Neighboring planes were averaged or interpolated before.")
    return sentences


def _about_values(noise: Sequence[NoiseMeasurement]) -> list[str]:
    sentences = []
    saturated = max(one.at_ends[1] for one in noise)
    if saturated > _OVEREXPOSED:
        sentences.append(f"{saturated:.1%} of the pixels are saturated: there is no structure in them to restore.")
    # In an image without noise every small spot is far from its neighbors.
    hot = max(one.hot if one.sigma(one.middle) > _STRONG * (one.brightest - one.darkest) else 0.0 for one in noise)
    if hot > _HOT:
        sentences.append(f"{hot:.2%} of the pixels are hot or dead, and stay so.")
    return sentences


def _about_sharpness(card: Card, sharpness: Sequence[Sharpness]) -> list[str]:
    sentences = []
    if any(one.jpeg for one in sharpness):
        sentences.append("The image was compressed as JPEG, whose blocks may look like structure: choose the original.")
    enlarged = max(one.upsampled for one in sharpness)
    if enlarged >= _ENLARGED:
        sentences.append(
            f"The image was enlarged about {enlarged:.1f} times before: choose the original, which has all that can be "
            "restored."
        )
    elif card.conditioning is not None and card.conditioning.blur is not None:
        widest = max(one.width - _SURELY * one.width_error for one in sharpness)
        if widest > _SMOOTH:
            sentences.append(
                f"The structures are as smooth as after a blur of {widest:.1f} pixels: a larger image shows little "
                f"more, unless there is such a blur and it is removed (at most {card.conditioning.blur[1]:g})."
            )
    return sentences
