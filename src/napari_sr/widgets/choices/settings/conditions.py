"""The rows for the conditions that some models take: the noise and the blur of the layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets.bases import Widget
from napari.layers import Image

from napari_sr.imaging.axes import Axes
from napari_sr.imaging.napari_layer import finest_level, layer_pixel_size
from napari_sr.settings import JobSettings
from napari_sr.widgets.choices.settings.blur import BlurRows
from napari_sr.widgets.choices.settings.noise import NoiseRows

if TYPE_CHECKING:
    from napari_sr.zoo.card import Card


class ConditionRows:
    """The rows for `noise`, `denoise` and `blur`, which are hidden for models that do not take them.

    Parameters
    ----------
    on_change : callable
        Called without arguments when a row changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.noise = NoiseRows(on_change)
        self.blur = BlurRows(on_change)
        self.takes_noise = self.takes_blur = False
        """Whether the model takes the condition."""
        self.show_model(None)

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (*self.noise.widgets, *self.blur.widgets)

    def values(self) -> dict[str, Any]:
        """Return the settings of the conditions that the model takes, for `JobSettings`."""
        values: dict[str, Any] = {}
        if self.takes_noise:
            values |= {"noise": self.noise.noise, "denoise": self.noise.fraction}
        if self.takes_blur:
            values["blur"] = self.blur.value
        return values

    def show(self, settings: JobSettings) -> None:
        """Show the settings of the conditions that the model takes."""
        if self.takes_noise:
            self.noise.show(settings.noise, settings.denoise)
        if self.takes_blur:
            self.blur.show(settings.blur)

    def begin_layer(self) -> None:
        """Set back what is known of one layer alone, for another one: two values of the noise, and the blur."""
        self.noise.forget_values()
        self.blur.show(JobSettings().blur)

    def show_model(self, card: Card | None) -> None:
        """Show the rows of the conditions that a model takes, by its card, or none without one.

        Their values stay for the next model that takes them.
        """
        conditioning = None if card is None else card.conditioning
        blur = None if conditioning is None else conditioning.blur
        self.takes_noise = conditioning is not None and conditioning.noise is not None
        self.takes_blur = blur is not None
        self.noise.show_rows(self.takes_noise)
        self.blur.show_rows(None if blur is None else blur[1])

    def show_layer(self, layer: Image | None, axes: Axes | None) -> None:
        """Show values in the units of a layer; None if no image is open, or its axes are not known."""
        if layer is None or axes is None:
            self.blur.show_pixel_size({}, None)
            return
        self.blur.show_pixel_size(*layer_pixel_size(layer, axes))
        self.noise.show_digits(of_floats=np.dtype(finest_level(layer).dtype).kind == "f")
