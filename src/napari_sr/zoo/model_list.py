"""Entries of the catalog of models, and their list."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, SupportsIndex, overload

from napari_sr.text_table import as_columns
from napari_sr.zoo.card import Card, Domain, Family

Origin = Literal["bundled", "user", "published"]


@dataclass(frozen=True)
class ModelEntry:
    """An entry of the catalog.

    Parameters
    ----------
    name : str
        Name for `load_model`.
    where : {"bundled", "user", "published"}
        Whether the model is in the package, in the user's folder, or published by others.
    card : Card or None
        Card of a model file of napari-sr; None for checkpoints, which are read when they are loaded.
    path : Path or None
        The file; None for a published one that is not in the user's folder.
    url : str or None
        Address of a published model.
    license : str or None
        License of the weights; None if it is not known.
    family : {"srcnn", "srgan", "esrgan"} or None
        The family; None if it is not known without reading the weights.
    scale : int or None
        Upsampling factor; None if it is not known without reading the weights.
    channels : int or None
        Number of channels of the input; None if it is not known without reading the weights.
    domain : {"natural", "fluorescence", "electron"} or None
        Kind of the training images; None if it is not known, or if they are of several kinds.
    problem : str or None
        One sentence about why the file cannot be used; None if it can.
    """

    name: str
    where: Origin
    card: Card | None = field(default=None, repr=False)
    path: Path | None = None
    url: str | None = None
    license: str | None = None
    family: Family | None = None
    scale: int | None = None
    channels: int | None = None
    domain: Domain | None = None
    problem: str | None = None

    def status(self) -> str:
        """Return `where`, and whether the model can be loaded.

        Returns
        -------
        str
            Such as "user", "published, not here" or "user, unusable".
        """
        if self.problem is not None:
            return f"{self.where}, unusable"
        return f"{self.where}, not here" if self.path is None else self.where

    def distance_from_microscopy(self) -> int:
        """Return how far the kind of the training images is from fluorescence, by which a list is sorted.

        Returns
        -------
        int
            0 for fluorescence, 1 for electron microscopy, 2 for all others.
        """
        return {"fluorescence": 0, "electron": 1}.get(self.domain or "", 2)


class ModelList(list[ModelEntry]):
    """A list of models that is displayed as a table, one line for each."""

    @overload
    def __getitem__(self, index: SupportsIndex) -> ModelEntry: ...

    @overload
    def __getitem__(self, index: slice) -> ModelList: ...

    def __getitem__(self, index: SupportsIndex | slice) -> ModelEntry | ModelList:
        """Return an entry, or the list of some entries."""
        if isinstance(index, slice):
            return ModelList(super().__getitem__(index))
        return super().__getitem__(index)

    def __repr__(self) -> str:
        header = ["NAME", "FAMILY", "FACTOR", "CHANNELS", "DOMAIN", "WHERE", "LICENSE"]
        return as_columns([header, *(_row(entry) for entry in self)])


def _row(entry: ModelEntry) -> list[str]:
    return [
        entry.name,
        entry.family or "",
        "" if entry.scale is None else f"x{entry.scale}",
        "" if entry.channels is None else str(entry.channels),
        entry.domain or "",
        entry.status(),
        _shortened(entry.license or ""),
    ]


def _shortened(license: str) -> str:
    """Return the first part of a license text."""
    first, semicolon, _ = license.partition(";")
    return f"{first}; ..." if semicolon else first
