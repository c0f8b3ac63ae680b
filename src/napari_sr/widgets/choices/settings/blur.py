"""The rows for the blur of the layer, as a width or from the optics of the microscope."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from magicgui.widgets import Container, FloatSlider, PushButton
from magicgui.widgets.bases import Widget

from napari_sr.imaging.pixel_size import METERS, ratio, unit_symbol
from napari_sr.settings import describe_setting
from napari_sr.widgets.qt.rows import show_text, side_by_side, typed_number
from napari_sr.widgets.qt.sliders import complete_slider, shown_value
from napari_sr.widgets.qt.text.wrapped_text import WrappedText

_WARNING = "A blur that is not in the layer spoils the result: leave it at 0 unless you know it."


class BlurRows:
    """The rows for the setting `blur`.

    Parameters
    ----------
    on_change : callable
        Called without arguments when a row changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._pixel: tuple[float, float] | None = None
        self._unit = ""
        setting = describe_setting("blur")
        self.sigma = complete_slider(
            FloatSlider(
                name=setting.name,
                label=f"{setting.label} to remove",
                value=setting.default,
                min=0.0,
                max=1.0,
                step=0.05,
                tooltip=f"{setting.help} {_WARNING}",
            ),
            " px",
        )
        self.world = WrappedText(name="blur_world", label="Width", tooltip="The blur in the unit of the layer.")
        self.aperture = typed_number("blur_aperture", 0.8, 0.05, 2.0, 0.05, 2, "Numerical aperture of the lens.", "NA")
        self.aperture.native.setPrefix("NA ")
        self.wavelength = typed_number(
            "blur_wavelength", 520.0, 1.0, 20000.0, 10.0, 0, "Wavelength of the light, in nanometers.", "Wavelength"
        )
        self.wavelength.native.setSuffix(" nm")
        self.set_button = PushButton(name="blur_of_optics", text="Set")
        self.optics: Container[Widget] = side_by_side(
            "blur_optics", "From the optics", [self.aperture, self.wavelength, self.set_button]
        )
        self.sigma.changed.connect(self._sigma_changed)
        self.set_button.changed.connect(self._set_from_optics)
        self.show_pixel_size({}, None)
        self.show_rows(1.0)

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.sigma, self.world, self.optics)

    @property
    def value(self) -> float:
        """The value for the setting `blur`, in pixels of the layer."""
        return shown_value(self.sigma)

    def show(self, blur: float) -> None:
        """Show the setting `blur`, up to the largest blur of the model."""
        self.sigma.value = min(blur, float(self.sigma.max))

    def show_pixel_size(self, sizes: Mapping[str, float], unit: str | None) -> None:
        """Show the width in the unit of a layer, from its pixel size by axis letter; empty if there is no layer."""
        known = unit in METERS and {"Y", "X"} <= set(sizes)
        self._pixel, self._unit = ((sizes["Y"], sizes["X"]), str(unit)) if known else (None, "")
        self.set_button.enabled = known
        self.set_button.tooltip = (
            "Set the blur to that of a wide-field microscope with this lens and light."
            if known
            else "Enter the pixel size of the layer first, under “Pixel size and axes”."
        )
        self._show_world()

    def show_rows(self, most: float | None) -> None:
        """Show the rows for a model that removes a blur of up to so many pixels; hide them with None."""
        self._shown = most is not None
        if most is not None:
            self.sigma.max = most
        self.sigma.visible = self.optics.visible = self._shown
        self._show_world()

    def _sigma_changed(self) -> None:
        self._show_world()
        self._on_change()

    def _set_from_optics(self) -> None:
        # An import at the top would read the recipes before the panel is drawn.
        from napari_sr.training.data.blur import optical_sigma

        nanometers = ratio(self._unit, "nanometer")
        if self._pixel is None or nanometers is None:
            return
        # Of unequal sides the longer one, along which the blur is fewer pixels.
        pixel = max(self._pixel) * nanometers
        sigma = optical_sigma(float(self.aperture.value), float(self.wavelength.value), pixel)
        self.show(round(sigma, 2))
        if sigma > float(self.sigma.max):
            most = float(self.sigma.max)
            self._show_world(f"The optics blur by {sigma:.2f} px, and this model removes at most {most:.2f} px.")

    def _show_world(self, note: str = "") -> None:
        text = ""
        if self._pixel is not None and self.value > 0:
            y, x = (self.value * size for size in self._pixel)
            number = f"{x:.2g}" if abs(x - y) < 1e-3 * x else f"{y:.2g} × {x:.2g}"
            text = f"{self.value:.2f} px = {number} {unit_symbol(self._unit)}"
        show_text(self.world, f"{text}. {note}" if note else text)
        self.world.visible = bool(text) and self._shown
