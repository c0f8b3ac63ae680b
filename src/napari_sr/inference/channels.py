"""How the channels of an image meet those of a network (contract 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.errors import InputError
from napari_sr.imaging.colour import GREY_WEIGHTS, rgb_to_ycbcr, ycbcr_to_rgb
from napari_sr.imaging.resize import resize
from napari_sr.zoo.card import Card

Image = NDArray[np.float32]


def check_channels(card: Card) -> None:
    """Refuse a model that can take neither grey nor RGB planes.

    Raises
    ------
    InputError
        If the model's channels are neither 1 nor 3.
    """
    if card.channels not in (1, 3):
        raise InputError(
            f"The model {card.name!r} takes images of {card.channels} channels, which no layer has: "
            "choose a model of 1 or 3 channels."
        )


def passes(card: Card, colours: int) -> int:
    """How often a plane of `colours` (1 or 3) goes through the network."""
    return 3 if colours == 3 and card.channels == 1 and card.colour != "luma" else 1


def upscale_colours(plane: Image, card: Card, run: Callable[[Image], Image]) -> Image:
    """Upscale a plane of 1 or 3 colours by a network of 1 or 3 channels.

    Parameters
    ----------
    plane : ndarray, shape (Y, X) or (Y, X, 3), float32
        Black at 0 and white at 1; values may lie beyond.
    card : Card
        Of the model: its channels, and what one channel means to it.
    run : callable
        Takes (C, Y, X) to (C', scale Y, scale X), both with black at 0 and white at 1.

    Returns
    -------
    ndarray, shape (scale Y, scale X) or (scale Y, scale X, 3), float32

    Notes
    -----
    One channel into a network of three: replicated, and the luminance taken back with weights that sum to 1, so that
    grey stays grey and keeps its value. Three colours into a luminance network: Y goes through it, CbCr are enlarged by
    bicubic interpolation, as in SRCNN's paper (arXiv:1501.00092, section 4.4.2). Three colours into any other
    one-channel network: one after the other.
    """
    if plane.ndim == 2:
        out = run(np.repeat(plane[None], card.channels, axis=0))
        return out[0] if out.shape[0] == 1 else np.tensordot(np.asarray(GREY_WEIGHTS, np.float32), out, 1)
    if card.channels == 3:
        return np.moveaxis(run(np.moveaxis(plane, -1, 0)), 0, -1)
    if card.colour == "luma":
        return _through_luma(plane, run)
    return np.stack([run(plane[None, ..., c])[0] for c in range(3)], axis=-1)


def _through_luma(plane: Image, run: Callable[[Image], Image]) -> Image:
    ycbcr = rgb_to_ycbcr(plane)
    luminance = run(ycbcr[None, ..., 0].astype(np.float32))[0]
    colours = resize(ycbcr[..., 1:], (luminance.shape[0], luminance.shape[1]), axes=(0, 1))
    whole = np.concatenate([luminance[..., None], colours], axis=-1)
    return ycbcr_to_rgb(whole).astype(np.float32)


def upscale_opacity(opacity: NDArray[Any], scale: int) -> NDArray[Any]:
    """Enlarge the A of RGBA bilinearly in its own dtype: resized, never invented, never beyond its neighbours."""
    return resize(opacity, (opacity.shape[0] * scale, opacity.shape[1] * scale), kernel="bilinear")
