"""Models that a panel offers: the catalog's entries of one family, each with its card where it is known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from napari_sr.errors import InputError
from napari_sr.zoo.card import Card, Classic
from napari_sr.zoo.catalog import list_models_with
from napari_sr.zoo.classic import classic_card
from napari_sr.zoo.folders import default_model_folder, model_folder
from napari_sr.zoo.model_list import ModelEntry
from napari_sr.zoo.published import find_published

FAMILY_TITLES = {"srcnn": "SRCNN", "srgan": "SRGAN", "esrgan": "ESRGAN"}
"""Name of each family in the window."""

_WEIGHTS_TO_OPEN = {
    "srcnn": "published SRCNN weights (9-1-5, 9-3-5 or 9-5-5; a .pth, .pkl or .mat file)",
    "srgan": "published SRGAN or SRResNet weights (a .pth file)",
    "esrgan": "published ESRGAN or Real-ESRGAN weights (such as RealESRGAN_x4plus.pth)",
}

_DOMAINS = {
    "natural": "natural images (photographs)",
    "fluorescence": "fluorescence microscopy",
    "electron": "electron microscopy",
}

OPEN_FACTORS = (2, 3, 4)
"""Factors that are offered for files without their own, for methods without training, and for suggested models."""

_CLASSICS: dict[Classic, tuple[str, str]] = {
    "bicubic": ("Bicubic interpolation", "Interpolation without a network: it adds nothing and removes no noise."),
    "lanczos3": ("Lanczos interpolation", "Interpolation without a network: it adds nothing and removes no noise."),
    "wiener": (
        "Wiener filter",
        "A classical restoration without training: it removes noise and the blur that is set, and interpolates.",
    ),
    "richardson-lucy": (
        "Richardson-Lucy",
        "A classical restoration without training: it removes the blur that is set, amplifies noise, and interpolates.",
    ),
}


@dataclass(frozen=True)
class ModelOffer:
    """A model that a panel offers.

    Parameters
    ----------
    text : str
        Text in the list.
    source : str or Path
        Name or file for `napari_sr.load_model`.
    card : Card, optional
        Card of the model; None for a weight file that was not read yet.
    scale : int, optional
        Factor; None if it is not known.
    scale_is_open : bool, default False
        Whether the file does not contain its factor, or the method exists for every factor, so that the user chooses
        it.
    remedy : str, default ""
        Why the model cannot be used, and what to do; empty if it can be used.
    """

    text: str
    source: str | Path
    card: Card | None = None
    scale: int | None = None
    scale_is_open: bool = False
    remedy: str = ""

    @property
    def usable(self) -> bool:
        """Whether a run can use it."""
        return not self.remedy

    @property
    def known(self) -> bool:
        """Whether the file was read, so that family and factor are certain."""
        return self.card is not None

    @property
    def domain(self) -> str | None:
        """Kind of images that it was trained on; None if it is not known."""
        return None if self.card is None else self.card.domain

    @property
    def is_pair(self) -> bool:
        """Whether it has two sets of weights."""
        return self.card is not None and bool(self.card.endpoints)

    @property
    def takes_conditions(self) -> bool:
        """Whether it takes noise or blur of the image as inputs."""
        return self.card is not None and self.card.conditioning is not None

    @property
    def is_classic(self) -> bool:
        """Whether it is a method without a network: an interpolation, a deconvolution or sparse coding."""
        return self.card is not None and self.card.family == "classic"

    @property
    def name(self) -> str:
        """Name of the model: that of its card, of its file, or of the catalog."""
        if self.card is not None:
            return self.card.name
        return self.source.stem if isinstance(self.source, Path) else self.source

    def about(self) -> str:
        """Return one sentence: the images that the model was trained on, or why it cannot be used and what to do.

        It is empty for a file that was not read yet.
        """
        if self.remedy:
            return self.remedy
        if self.card is None:
            return ""
        if self.is_classic:
            return next((about for name, (_, about) in _CLASSICS.items() if name == self.source), self.card.notes)
        images = None if self.card.domain is None else _DOMAINS[self.card.domain]
        if self.card.base is not None:
            return f"Fine-tuned from {self.card.base} on {images or 'images of your own'}."
        if images is None and self.takes_conditions and self.card.training_data:
            return "Trained on microscopy of all kinds and on photographs. It measures the noise of the layer."
        if images is None:
            return "The training images of this model are not known: check the detail that it adds."
        if self.card.domain != "natural" and self.card.training_noise is False:
            return f"Trained on {images} without noise: it sharpens noise."
        return f"Trained on {images}."


def catalog_offers(family: str | None) -> list[ModelOffer]:
    """Return the models of a family; those that can be used come first.

    Parameters
    ----------
    family : {"srcnn", "srgan", "esrgan"} or None
        Family of the panel; None for all of them. Weight files without a card in the user's folder are offered for
        every family. For "classic" the models of methods without a network.

    Returns
    -------
    list of ModelOffer
        One for each model of `list_models`; with the default folder of models if the settings file cannot be read, of
        which the panel informs at another place.
    """
    chosen = [_offer(entry) for entry in list_models_with(_folder()) if _may_be(entry, family)]
    return sorted(chosen, key=lambda offer: not offer.usable)


def classic_offers() -> list[ModelOffer]:
    """Return the methods that are not trained, with any factor, and then the models of the family "classic"."""
    untrained = [
        ModelOffer(text, name, card=classic_card(name, OPEN_FACTORS[0]), scale=OPEN_FACTORS[0], scale_is_open=True)
        for name, (text, _) in _CLASSICS.items()
    ]
    return [*untrained, *(offer for offer in catalog_offers("classic") if offer.usable)]


def likely_factor(name: str) -> int:
    """Return the factor in the name of a file, such as 3 in srcnn_955_x3.pth; 2 if there is none."""
    found = re.search(r"(?<![0-9a-z])x([0-9])(?![0-9])", name.lower())
    return int(found[1]) if found and int(found[1]) in OPEN_FACTORS else OPEN_FACTORS[0]


def empty_family_remedy(family: str | None) -> str:
    """Return a sentence for a family without models, or all of them: the file to open, and the folder."""
    if family is None:
        return f"There is no model: choose “Open a file…”, or put a model file into {_folder()}."
    return (
        f"There is no {FAMILY_TITLES[family]} model on this computer: choose “Open a file…” and open "
        f"{_WEIGHTS_TO_OPEN[family]}, or put the file into {_folder()}."
    )


def _folder() -> Path:
    """Return the user's folder of models; the default one if the settings file cannot be read."""
    try:
        return model_folder()
    except InputError:
        return default_model_folder()


def _may_be(entry: ModelEntry, family: str | None) -> bool:
    """Return whether an entry of the catalog can be of a family, as far as it is known."""
    if family is None:
        return entry.family != "classic"
    return entry.family == family or (entry.family is None and family != "classic")


def _offer(entry: ModelEntry) -> ModelOffer:
    if entry.problem is not None:
        return ModelOffer(f"{entry.name} (cannot be used)", entry.name, remedy=entry.problem)
    if entry.path is None:
        published = find_published(entry.name)
        file = entry.name if published is None else published.file
        remedy = f"Not on this computer: download {file} from {entry.url} and put it into {_folder()}."
        return ModelOffer(f"{entry.name} (to be downloaded)", entry.name, scale=entry.scale, remedy=remedy)
    return ModelOffer(entry.name, entry.name, card=entry.card, scale=entry.scale)
