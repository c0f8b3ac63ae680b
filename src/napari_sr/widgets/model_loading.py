"""From what the panel's controls say to a model: on any thread, and no file is read twice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from napari_sr.errors import CheckpointError, InputError
from napari_sr.imaging.resize import Kernel
from napari_sr.widgets.model_offers import FAMILY_TITLES, ModelOffer
from napari_sr.zoo.card import Mixing

if TYPE_CHECKING:
    from napari_sr.zoo import Model

ModelSource = str | Path


@dataclass(frozen=True)
class ModelRequest:
    """The model that a run needs.

    Parameters
    ----------
    source : str or Path
        A name of the catalog, or a file.
    second : str or Path, optional
        Another one, to mix it with.
    scale : int, optional
        Factor, for files that leave it open.
    alpha : float, optional
        Where between the two sets of weights, 0 to 1.
    upsampling : {"nearest", "bilinear", "bicubic", "lanczos3"}, optional
        SRCNN's kernel.
    mixing : {"weights", "images"}, optional
        What alpha mixes.
    """

    source: ModelSource
    second: ModelSource | None = None
    scale: int | None = None
    alpha: float | None = None
    upsampling: Kernel | None = None
    mixing: Mixing | None = None


class ModelLoader:
    """Loads models, and keeps the files it read last: moving alpha only mixes again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._key: object = None
        self._model: Model | None = None

    def load(self, request: ModelRequest) -> Model:
        """Give the model of a request; may be called on any thread.

        Raises
        ------
        InputError, CheckpointError
            As `napari_sr.load_model` does.
        """
        model = self._read(request.source, request.second, request.scale)
        if request.mixing is not None and model.card.endpoints:
            model = model.with_mixing(request.mixing)
        if request.alpha is not None and model.card.endpoints:
            model = model.with_alpha(request.alpha)
        return model if request.upsampling is None else model.with_upsampling(request.upsampling)

    def inspect(self, offer: ModelOffer, family: str | None, guess: int) -> ModelOffer:
        """Read a file to complete its offer: card, factor, and whether the factor is the user's to choose.

        Parameters
        ----------
        offer : ModelOffer
            Of a file that was not read yet.
        family : str or None
            The panel's; None takes any.
        guess : int
            A factor to try when the file does not tell its own.

        Raises
        ------
        InputError
            If the model is of another family.
        CheckpointError
            If the file cannot be used.
        """
        is_open = False
        try:
            card = self._read(offer.source, None, None).card
        except CheckpointError as error:
            try:
                card = self._read(offer.source, None, guess).card
            except CheckpointError:
                raise error from None
            is_open = True
        if family is not None and card.family != family:
            title = FAMILY_TITLES[card.family]
            raise InputError(f"{offer.text} is an {title} model: open it in the {title} panel.")
        return ModelOffer(offer.text, offer.source, card, card.scale, is_open)

    def _read(self, source: ModelSource, second: ModelSource | None, scale: int | None) -> Model:
        # Here and not above: it imports torch, which must not hold up the drawing of a panel.
        from napari_sr.zoo import load_model, load_pair

        with self._lock:
            key = (source, second, scale, _stamp(source), _stamp(second))
            if self._model is None or key != self._key:
                self._model = None
                self._model = (
                    load_model(source, scale=scale) if second is None else load_pair(source, second, scale=scale)
                )
                self._key = key
            return self._model


def _stamp(source: ModelSource | None) -> int | None:
    """When a file was last written; None for a name of the catalog."""
    return source.stat().st_mtime_ns if isinstance(source, Path) and source.is_file() else None
