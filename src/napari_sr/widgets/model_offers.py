"""What a panel offers as models: the catalog's entries of one family, each with what is known of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_sr.zoo.card import Card
from napari_sr.zoo.catalog import ModelEntry, list_models, model_folder
from napari_sr.zoo.published import find_published

FAMILY_TITLES = {"srcnn": "SRCNN", "srgan": "SRGAN", "esrgan": "ESRGAN"}

_WEIGHTS_TO_PICK = {
    "srcnn": "published SRCNN weights (9-1-5, 9-3-5 or 9-5-5; a .pth, .pkl or .mat file)",
    "srgan": "published SRGAN or SRResNet weights (a .pth file)",
    "esrgan": "published ESRGAN or Real-ESRGAN weights (RealESRGAN_x4plus.pth, say)",
}


OPEN_FACTORS = (2, 3, 4)
"""What is offered when a weight file leaves its factor to the user."""


@dataclass(frozen=True)
class ModelOffer:
    """A model that a panel offers.

    Parameters
    ----------
    text : str
        How the list shows it.
    source : str or Path
        What `napari_sr.load_model` takes.
    card : Card or None
        What is known of it; None for a weight file that was not read yet.
    scale : int or None
        The factor; None where it is not known.
    scale_is_open : bool
        Whether the file leaves its factor to the user.
    remedy : str
        Why it can't be used and what to do; empty when it can.
    """

    text: str
    source: str | Path
    card: Card | None = None
    scale: int | None = None
    scale_is_open: bool = False
    remedy: str = ""

    @property
    def usable(self) -> bool:
        """Whether a run can start with it."""
        return not self.remedy

    @property
    def known(self) -> bool:
        """Whether the file was read, so that family and factor are sure."""
        return self.card is not None

    @property
    def domain(self) -> str | None:
        """Kind of images it was trained on, where that is known."""
        return None if self.card is None else self.card.domain

    @property
    def is_pair(self) -> bool:
        """Whether it holds two sets of weights."""
        return self.card is not None and bool(self.card.endpoints)

    def about(self) -> str:
        """Say in a line what it is for, or what to do."""
        if self.remedy:
            return self.remedy
        if self.card is None:
            return ""
        images = None if self.card.domain is None else _DOMAINS[self.card.domain]
        if self.card.base is not None:
            return f"Fine-tuned from {self.card.base} on {images or 'images of your own'}."
        if images is None:
            return "What it was trained on is not known: check what it adds before you trust it."
        if self.card.domain != "natural" and self.card.training_noise is False:
            return f"Trained on {images} without noise: it sharpens noise."
        return f"Trained on {images}."


_DOMAINS = {
    "natural": "natural images (photographs)",
    "fluorescence": "fluorescence microscopy",
    "electron": "electron microscopy",
}


def catalog_offers(family: str | None, entries: Iterable[ModelEntry] | None = None) -> list[ModelOffer]:
    """List what there is of a family: what can be used first, then what can't, with what to do.

    Parameters
    ----------
    family : {"srcnn", "srgan", "esrgan"} or None
        The panel's; None lists all families. Weight files in the user's folder that say nothing of themselves are
        offered in every panel.
    entries : iterable of ModelEntry, optional
        The catalog; by default the one of this moment.
    """
    found = [_offer(entry) for entry in (list_models() if entries is None else entries) if _may_be(entry, family)]
    return sorted(found, key=lambda offer: not offer.usable)


def likely_factor(name: str) -> int:
    """Factor to show first for a file that does not say its own: the one in its name, srcnn_955_x3.pth, if any."""
    found = re.search(r"(?<![0-9a-z])x([0-9])(?![0-9])", name.lower())
    return int(found[1]) if found and int(found[1]) in OPEN_FACTORS else OPEN_FACTORS[0]


def empty_family_remedy(family: str | None) -> str:
    """Say which file to pick when there is no model of a family, or none at all."""
    if family is None:
        return f"There is no model yet: choose “Open a file…”, or put a model file into {model_folder()}."
    return (
        f"There is no {FAMILY_TITLES[family]} model on this computer yet: choose “Open a file…” and pick "
        f"{_WEIGHTS_TO_PICK[family]}, or put the file into {model_folder()}."
    )


def _may_be(entry: ModelEntry, family: str | None) -> bool:
    if family is None:
        return True
    if entry.card is not None:
        return entry.card.family == family
    published = find_published(entry.name) if entry.where == "published" else None
    return published is None or published.family == family


def _offer(entry: ModelEntry) -> ModelOffer:
    published = find_published(entry.name) if entry.where == "published" else None
    scale = entry.card.scale if entry.card is not None else published.scale if published is not None else None
    if entry.problem is not None:
        return ModelOffer(f"{entry.name} (cannot be used)", entry.name, scale=scale, remedy=entry.problem)
    if entry.path is None:
        file = published.file if published is not None else entry.name
        remedy = f"Not on this computer: get {file} from {entry.url} and put it into {model_folder()}."
        return ModelOffer(f"{entry.name} (to be downloaded)", entry.name, scale=scale, remedy=remedy)
    return ModelOffer(entry.name, entry.name, card=entry.card, scale=scale)
