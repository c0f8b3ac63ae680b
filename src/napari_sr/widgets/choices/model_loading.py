"""Loading of the model that a panel's rows describe, on any thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from napari_sr.errors import CheckpointError, InputError
from napari_sr.imaging.resize import Kernel
from napari_sr.widgets.choices.model_offers import FAMILY_TITLES, ModelOffer, likely_factor
from napari_sr.zoo.card import Mixing
from napari_sr.zoo.names import UnknownModelError, shown

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
        Another model to mix it with.
    scale : int, optional
        Factor, for files that do not contain theirs.
    alpha : float, optional
        Position between the two sets of weights, 0 to 1.
    upsampling : {"nearest", "bilinear", "bicubic", "lanczos3"}, optional
        For SRCNN, the interpolation of the input before the network.
    mixing : {"weights", "images"}, optional
        What `alpha` mixes.
    """

    source: ModelSource
    second: ModelSource | None = None
    scale: int | None = None
    alpha: float | None = None
    upsampling: Kernel | None = None
    mixing: Mixing | None = None


class ModelLoader:
    """Loads models, and caches the files that were read last, so that a new alpha reads no file."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._key: object = None
        self._model: Model | None = None
        self._times: tuple[int | None, ...] = ()

    def load(self, request: ModelRequest) -> Model:
        """Load the model of a request, with its factor, mixing and interpolation; may be called on any thread.

        Raises `InputError` and `CheckpointError` as `napari_sr.load_model`.
        """
        model = self._read(request.source, request.second, request.scale)
        if request.mixing is not None and model.card.endpoints:
            model = model.with_mixing(request.mixing)
        if request.alpha is not None and model.card.endpoints:
            model = model.with_alpha(request.alpha)
        return model if request.upsampling is None else model.with_upsampling(request.upsampling)

    def inspect(self, offer: ModelOffer, family: str | None) -> ModelOffer:
        """Read a file and complete its offer: the card, the factor, and whether the user has to choose the factor.

        Raises `InputError` if the model is not of the family (None for any), and `CheckpointError` if the file cannot
        be used.
        """
        is_open = False
        try:
            card = self._read(offer.source, None, None).card
        except CheckpointError as error:
            # The file may lack its factor only.
            try:
                card = self._read(offer.source, None, likely_factor(offer.text)).card
            except CheckpointError:
                raise error from None
            is_open = True
        if family is not None and card.family != family:
            title = FAMILY_TITLES[card.family]
            raise InputError(f"{offer.text} is an {title} model: open it in the {title} panel.")
        return ModelOffer(offer.text, offer.source, card, card.scale, is_open)

    def _read(self, source: ModelSource, second: ModelSource | None, scale: int | None) -> Model:
        # An import at the top would import torch before the panel is drawn.
        from napari_sr.zoo import load_model, load_pair, model_folder

        with self._lock:
            key = (source, second, scale, model_folder())
            # A file that was replaced or deleted is read again, by name too.
            if self._model is None or key != self._key or _modified(self._model) != self._times:
                self._model = None
                try:
                    self._model = (
                        load_model(source, scale=scale) if second is None else load_pair(source, second, scale=scale)
                    )
                except UnknownModelError as error:
                    # Names are chosen from the list of models, which is older than the deletion of a file.
                    raise InputError(
                        f"The file of the model {shown(error.name)} was moved or deleted: put it back into "
                        f"{model_folder()}, or choose another model."
                    ) from error
                self._key, self._times = key, _modified(self._model)
            return self._model


def _modified(model: Model) -> tuple[int | None, ...]:
    """Return the modification times of the files of a model in nanoseconds; None for one that is not there."""
    sources = model.source if isinstance(model.source, tuple) else (model.source,)
    files = [None if source is None else Path(source) for source in sources]
    return tuple(file.stat().st_mtime_ns if file is not None and file.is_file() else None for file in files)
