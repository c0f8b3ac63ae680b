"""A suggestion of a model and settings for the chosen layer, computed in the background."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_sr.errors import NapariSRError
from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.napari_layer import finest_level, layer_pixel_size
from napari_sr.imaging.pixel_size import unit_name
from napari_sr.progress import Cancel
from napari_sr.widgets.qt.executor import Executor
from napari_sr.widgets.qt.run import Run
from napari_sr.widgets.qt.timers import delayed, stop_timer
from napari_sr.widgets.qt.torch_loading import load_torch

if TYPE_CHECKING:
    from napari_sr.inference.suggest import SuggestedFamily, Suggestion

DELAY_MS = 400
"""Time without a change after which a suggestion is computed."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SuggestionRequest:
    """The facts of a layer on which a suggestion depends; other threads must not use the layer itself.

    Parameters
    ----------
    image : array
        The finest level of the layer's data.
    axes : str
        A letter for each dimension.
    scale : int
        The chosen factor.
    family : {"srcnn", "srgan", "esrgan"}
        Family of the panel.
    pixel_size : dict of str to float
        Pixel size by axis letter.
    unit : str or None
        Unit of the pixel size.
    """

    image: ImageArray
    axes: str
    scale: int
    family: SuggestedFamily
    pixel_size: dict[str, float]
    unit: str | None


Suggest = Callable[[SuggestionRequest, Cancel], "Suggestion"]
"""Computes a suggestion, on any thread."""


def suggest_model(request: SuggestionRequest, cancel: Cancel) -> Suggestion:
    """Compute the suggestion of `napari_sr.suggest`, on another thread than the main one.

    `cancel` is called before each part is read; returning True ends the work with `Cancelled`. The model is of another
    family than the panel's if that has none for such images. Raises `InputError` if the layer cannot be used.
    """
    load_torch()
    # An import at the top would import torch before the panel is drawn.
    from napari_sr.inference.suggest import suggest

    # Layers may have units of other things than length.
    known = request.unit is not None and unit_name(request.unit) is not None
    return suggest(
        request.image,
        request.axes,
        scale=request.scale,
        family=request.family,
        pixel_size=request.pixel_size if known else None,
        unit=request.unit if known else None,
        cancel=cancel,
    )


class LayerSuggestion:
    """Computes the suggestion for the chosen layer and factor in the background.

    Parameters
    ----------
    background : Executor
        Does the work.
    family : {"srcnn", "srgan", "esrgan"}
        Family of the panel.
    on_known : callable
        Called with the `Suggestion`, or with None while there is none.
    suggest : callable, optional
        Computes a suggestion. Without it, there are none.
    """

    def __init__(
        self,
        background: Executor,
        family: SuggestedFamily,
        on_known: Callable[[Suggestion | None], None],
        suggest: Suggest | None,
    ) -> None:
        self._background, self._family, self._on_known, self._suggest = background, family, on_known, suggest
        self._key: object = None
        self._request: SuggestionRequest | None = None
        self._run: Run[Any] | None = None
        self._timer = delayed(self.compute_now, DELAY_MS)

    @property
    def busy(self) -> bool:
        """Whether a suggestion is being computed or will be in a moment."""
        return self._timer.isActive() or self._run is not None

    def request(self, layer: Image | None, axes: Axes | None, scale: int | None) -> None:
        """Request a suggestion; nothing is done if the present one is for the same layer and factor.

        The layer is None if no image is open, the axes or the factor if they are not known.
        """
        if self._suggest is None:
            return
        if layer is None or axes is None or scale is None:
            self.clear()
            return
        sizes, unit = layer_pixel_size(layer, axes)
        image = finest_level(layer)
        key = (id(image), axes, scale, tuple(sizes.items()), unit)
        if key == self._key:
            return
        self.clear()
        self._key, self._request = key, SuggestionRequest(image, axes.letters, scale, self._family, sizes, unit)
        self._timer.start()

    def clear(self) -> None:
        """Discard the suggestion, and stop computing one."""
        self.stop()
        self._on_known(None)

    def stop(self) -> None:
        """Stop computing a suggestion, without a call of `on_known`."""
        stop_timer(self._timer)
        self._key = self._request = None
        run, self._run = self._run, None
        if run is not None:
            run.abandon()

    def compute_now(self) -> None:
        """Compute the requested suggestion without a delay."""
        stop_timer(self._timer)
        request, suggest = self._request, self._suggest
        if request is None or suggest is None or self._run is not None:
            return
        self._run = Run(
            "looking at the layer",
            lambda progress, cancel: suggest(request, cancel),
            returned=self._returned,
            errored=self._failed,
        )
        self._background.submit(self._run)

    def _returned(self, suggestion: Suggestion) -> None:
        self._run = None
        self._on_known(suggestion)

    def _failed(self, error: Exception) -> None:
        # A run shows errors of the input; here the line is left out.
        self._run = None
        self._on_known(None)
        if not isinstance(error, NapariSRError):
            _log.error("There is no suggestion for the layer.", exc_info=error)
