"""How low-resolution twins are made: the rows for blur, pixels and noise, and the recipe's part that they say."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import CheckBox, ComboBox, Container, FloatSpinBox, PushButton
from magicgui.widgets.bases import Widget

from napari_sr.training.recipe import Degradation, GaussianBlur, Noise, OpticsBlur
from napari_sr.widgets.rows import beside, plain_number, rows, shrinkable

NO_BLUR, GAUSSIAN, OPTICS = "none", "gaussian", "optics"
_LARGEST = 1e6


class DegradationChoice(Container[Widget]):
    """The rows that say what the microscope does between high and low resolution.

    Parameters
    ----------
    on_change : callable
        Told when one of them says something else.
    on_estimate : callable
        Called to estimate the noise from the images; answer with `take_noise`.
    """

    def __init__(self, on_change: Callable[[], None], on_estimate: Callable[[], None]) -> None:
        self._on_change = on_change
        self._known_pixel: float | None = None
        self.blur = shrinkable(
            ComboBox(
                name="blur",
                label="Blur",
                choices=[("None", NO_BLUR), ("Gaussian", GAUSSIAN), ("By the optics", OPTICS)],
                value=GAUSSIAN,
                tooltip="What the optics of the low-resolution recording add: the model learns to undo it.",
            )
        )
        self.sigma = _number("sigma", 0.8, 0.0, 50.0, 0.1, 2, "Standard deviation in high-resolution pixels, at least.")
        self.sigma_to = _number("sigma_to", 1.2, 0.0, 50.0, 0.1, 2, "And at most; the same number for no range.")
        self.sigma_row = beside("sigma_row", "Sigma, from–to", [self.sigma, self.sigma_to])
        self.aperture = _number("aperture", 0.8, 0.05, 2.0, 0.05, 2, "Numerical aperture of the low-resolution lens.")
        self.wavelength = _number("wavelength", 520.0, 1.0, 20000.0, 10.0, 0, "Of the light, in nanometre.")
        self.optics_row = beside("optics_row", "NA, λ (nm)", [self.aperture, self.wavelength])
        self.pixel = _number(
            "pixel",
            100.0,
            1e-3,
            _LARGEST,
            1.0,
            2,
            "Of the high-resolution image; the layer's own if known.",
        )
        self.pixel.label = "Pixel size (nm)"
        self.shrink = shrinkable(
            ComboBox(
                name="shrink",
                label="Fewer pixels by",
                choices=[("Binning (a camera's)", "binning"), ("Bicubic, antialiased", "bicubic")],
                tooltip="Binning takes the mean over a block of pixels, as larger pixels of a camera do.",
            )
        )
        self.noisy = CheckBox(
            name="noisy",
            text="Add a camera's noise",
            value=False,
            tooltip="Photons and electronics, drawn anew for every patch: the model learns to see through them.",
        )
        self.gain = _number("gain", 1.0, 0.0, _LARGEST, 0.1, 3, "Gray values per photon; 0 for no photon noise.")
        self.read = _number("read", 2.0, 0.0, _LARGEST, 0.1, 3, "Standard deviation of the read noise, in gray values.")
        self.noise_row = beside("noise_row", "Gain, read noise", [self.gain, self.read])
        self.offset = _number("offset", 0.0, 0.0, _LARGEST, 1.0, 1, "The camera's dark level, in gray values.")
        self.offset.label = "Offset"
        self.estimate_button = PushButton(
            name="estimate",
            text="Estimate noise from the layer",
            tooltip="Read gain and read noise off the first image: how its noise grows with its brightness.",
        )
        self._body = rows(
            [
                self.blur,
                self.sigma_row,
                self.optics_row,
                self.pixel,
                self.shrink,
                self.noisy,
                self.noise_row,
                self.offset,
                self.estimate_button,
            ]
        )
        super().__init__(widgets=[self._body], labels=False)
        self.margins = (0, 0, 0, 0)
        self.estimate_button.changed.connect(lambda: on_estimate())
        numbers = (self.sigma, self.sigma_to, self.aperture, self.wavelength, self.pixel)
        for widget in (self.blur, *numbers, self.shrink, self.noisy, self.gain, self.read, self.offset):
            widget.changed.connect(lambda: self._changed())
        self._show_rows()

    @property
    def stack(self) -> Container[Widget]:
        """The rows, for their labels to be aligned with others."""
        return self._body

    def know_pixel(self, nanometres: float | None) -> None:
        """Take note of how large the images' pixels are; None where one does not say."""
        self._known_pixel = nanometres
        if nanometres is not None:
            with self.pixel.changed.blocked():
                self.pixel.value = min(max(nanometres, self.pixel.min), self.pixel.max)
        self.pixel.enabled = nanometres is None

    def take_noise(self, gain: float, read: float) -> None:
        """Show an estimate, and count it in."""
        self.gain.value, self.read.value = gain, read
        self.noisy.value = True

    def degradation(self) -> Degradation:
        """Say it as a part of a recipe; lengths in nanometre."""
        noise = Noise(gain=float(self.gain.value), read=float(self.read.value)) if self.noisy.value else None
        return Degradation(
            blur=self._blur(),
            shrink=self.shrink.value,
            noise=noise,
            offset=float(self.offset.value) if noise is not None else 0.0,
        )

    def _blur(self) -> GaussianBlur | OpticsBlur | None:
        if self.blur.value == OPTICS:
            return OpticsBlur(
                kind="optics",
                numerical_aperture=float(self.aperture.value),
                wavelength=float(self.wavelength.value),
                pixel_size=float(self._known_pixel or self.pixel.value),
            )
        if self.blur.value == GAUSSIAN:
            least, most = sorted((float(self.sigma.value), float(self.sigma_to.value)))
            return GaussianBlur(sigma=least if least == most else (least, most))
        return None

    def _changed(self) -> None:
        self._show_rows()
        self._on_change()

    def _show_rows(self) -> None:
        """Show the numbers that the choices go by."""
        self.sigma_row.visible = self.blur.value == GAUSSIAN
        self.optics_row.visible = self.pixel.visible = self.blur.value == OPTICS
        self.noise_row.visible = self.offset.visible = bool(self.noisy.value)


def _number(
    name: str, value: float, least: float, most: float, step: float, decimals: int, tooltip: str
) -> FloatSpinBox:
    box = FloatSpinBox(name=name, value=value, min=least, max=most, step=step, tooltip=tooltip)
    return plain_number(box, decimals)
