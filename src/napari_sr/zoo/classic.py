"""Methods that are not trained and exist for every factor: interpolations, and deconvolutions before one."""

from __future__ import annotations

from typing import get_args

from napari_sr.zoo.card import Architecture, Card, Classic, Conditioning, Setting

CLASSICS: tuple[Classic, ...] = get_args(Classic)
"""Names of the methods, with which `load_model` makes a model for a scale."""

#: Largest blur that the deconvolutions remove, as a standard deviation in pixels of the input.
_LARGEST_BLUR = 3.0
#: Range of the noise of the Wiener filter, as a fraction of the contrast of the image without it: any.
_ANY_NOISE = (0.0, 100.0)


def classic_card(name: Classic, scale: int) -> Card:
    """Return the card of a method that is not trained.

    Parameters
    ----------
    name : {"nearest", "bilinear", "bicubic", "lanczos3", "wiener", "richardson-lucy"}
        Interpolation kernel or deconvolution.
    scale : int
        Factor along Y and X, 1 or more.
    """
    settings: dict[str, Setting] = {"scale": scale}
    conditioning = None
    if name == "wiener":
        network, notes = "Wiener", "The Wiener filter, then bicubic interpolation. It takes noise and blur as inputs."
        conditioning = Conditioning(noise=_ANY_NOISE, blur=(0.0, _LARGEST_BLUR))
    elif name == "richardson-lucy":
        network = "RichardsonLucy"
        notes = "Ten iterations of Richardson-Lucy, which amplify noise, then bicubic interpolation. It takes the blur."
        conditioning = Conditioning(blur=(0.0, _LARGEST_BLUR))
    else:
        network, notes = "Interpolation", "Interpolation: it adds nothing and removes no noise."
        settings["kernel"] = name
    return Card(
        name=name,
        family="classic",
        architecture=Architecture(network=network, settings=settings),
        scale=scale,
        channels=1,
        color="gray",
        conditioning=conditioning,
        notes=notes,
        for_quantification=conditioning is None,
    )
