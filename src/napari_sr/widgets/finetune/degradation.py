"""Rows for the degradation by which low-resolution images are made: blur, fewer pixels, noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from magicgui.widgets import CheckBox, ComboBox, Container, PushButton
from magicgui.widgets.bases import Widget

from napari_sr.training.recipe import Degradation, GaussianBlur, Noise, OpticsBlur
from napari_sr.widgets.qt.rows import rows, shrinkable, side_by_side, typed_number

NO_BLUR, GAUSSIAN, OPTICS = "none", "gaussian", "optics"
_LARGEST = 1e6


class BlurRows:
    """The rows for the point spread function.

    Parameters
    ----------
    on_change : callable
        Called without arguments when a row changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._known_pixel_size: float | None = None
        self.kind = shrinkable(
            ComboBox(
                name="blur",
                label="Blur",
                choices=[("None", NO_BLUR), ("Gaussian", GAUSSIAN), ("By the optics", OPTICS)],
                value=GAUSSIAN,
                tooltip="Blur of the low-resolution image by its optics; the model learns to remove it.",
            )
        )
        self.sigma = typed_number(
            "sigma", 0.8, 0.0, 50.0, 0.1, 2, "Smallest standard deviation, in high-resolution pixels."
        )
        self.sigma_to = typed_number(
            "sigma_to", 1.2, 0.0, 50.0, 0.1, 2, "Largest one; the same number for a single blur."
        )
        self.sigma_row = side_by_side("sigma_row", "Sigma, from–to", [self.sigma, self.sigma_to])
        self.aperture = typed_number(
            "aperture", 0.8, 0.05, 2.0, 0.05, 2, "Numerical aperture of the low-resolution lens."
        )
        self.wavelength = typed_number(
            "wavelength", 520.0, 1.0, 20000.0, 10.0, 0, "Wavelength of the light, in nanometers."
        )
        self.optics_row = side_by_side("optics_row", "NA, λ (nm)", [self.aperture, self.wavelength])
        tooltip = "Pixel size of the high-resolution image; the layer's own if known."
        self.pixel = typed_number("pixel", 100.0, 0.01, _LARGEST, 1.0, 2, tooltip, "Pixel size (nm)")
        self.kind.changed.connect(lambda: self._kind_changed())
        for widget in (self.sigma, self.sigma_to, self.aperture, self.wavelength, self.pixel):
            widget.changed.connect(lambda: on_change())
        self._show_rows()

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.kind, self.sigma_row, self.optics_row, self.pixel)

    @property
    def value(self) -> GaussianBlur | OpticsBlur | None:
        """The blur as a part of a recipe, with lengths in nanometers; None for no blur."""
        if self.kind.value == OPTICS:
            return OpticsBlur(
                kind="optics",
                numerical_aperture=float(self.aperture.value),
                wavelength=float(self.wavelength.value),
                pixel_size=float(self._known_pixel_size or self.pixel.value),
            )
        if self.kind.value == GAUSSIAN:
            least, most = sorted((float(self.sigma.value), float(self.sigma_to.value)))
            return GaussianBlur(sigma=least if least == most else (least, most))
        return None

    def set_known_pixel_size(self, nanometers: float | None) -> None:
        """Set the pixel size of the images in nanometers, which the user can then not change; None if unknown."""
        self._known_pixel_size = nanometers
        if nanometers is not None:
            with self.pixel.changed.blocked():
                self.pixel.value = min(max(nanometers, self.pixel.min), self.pixel.max)
        self.pixel.enabled = nanometers is None

    def _kind_changed(self) -> None:
        self._show_rows()
        self._on_change()

    def _show_rows(self) -> None:
        # Not at a change of a number: a box that is shown again writes its text anew, also one that is being typed in.
        self.sigma_row.visible = self.kind.value == GAUSSIAN
        self.optics_row.visible = self.pixel.visible = self.kind.value == OPTICS


class NoiseRows:
    """The rows for the noise of the camera.

    Parameters
    ----------
    on_change : callable
        Called without arguments when a row changes.
    on_estimate : callable
        Called without arguments when the button is pressed. Call `set_noise` with the estimate.
    """

    def __init__(self, on_change: Callable[[], None], on_estimate: Callable[[], None]) -> None:
        self._on_change = on_change
        self.switch = CheckBox(
            name="noisy",
            text="Add camera noise",
            value=False,
            tooltip="Noise of photons and electronics, different for every patch; the model learns to remove it.",
        )
        self.gain = typed_number("gain", 1.0, 0.0, _LARGEST, 0.1, 3, "Gray values per photon; 0 for no photon noise.")
        self.read = typed_number(
            "read", 2.0, 0.0, _LARGEST, 0.1, 3, "Standard deviation of the read noise, in gray values."
        )
        self.noise_row = side_by_side("noise_row", "Gain, read noise", [self.gain, self.read])
        tooltip = "Dark level of the camera, in gray values."
        self.offset = typed_number("offset", 0.0, 0.0, _LARGEST, 1.0, 1, tooltip, "Offset")
        self.estimate_button = PushButton(
            name="estimate",
            text="Estimate noise from the layer",
            tooltip="Estimate gain and read noise from the first image: how its noise grows with its brightness.",
        )
        self.estimate_button.changed.connect(lambda: on_estimate())
        self.switch.changed.connect(lambda: self._switched())
        for widget in (self.gain, self.read, self.offset):
            widget.changed.connect(lambda: on_change())
        self._show_rows()

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.switch, self.noise_row, self.offset, self.estimate_button)

    @property
    def value(self) -> Noise | None:
        """The noise as a part of a recipe; None for no noise."""
        return Noise(gain=float(self.gain.value), read=float(self.read.value)) if self.switch.value else None

    def set_noise(self, gain: float, read: float) -> None:
        """Show an estimate of gain and read noise in gray values, and switch the noise on."""
        self.gain.value, self.read.value = gain, read
        self.switch.value = True

    def _switched(self) -> None:
        self._show_rows()
        self._on_change()

    def _show_rows(self) -> None:
        self.noise_row.visible = self.offset.visible = bool(self.switch.value)


class DegradationChoice(Container[Widget]):
    """The rows for the degradation between high and low resolution.

    Parameters
    ----------
    on_change : callable
        Called without arguments when a row changes.
    on_estimate : callable
        Called without arguments to estimate the noise of the images. Call ``noise.set_noise`` with the estimate.
    """

    def __init__(self, on_change: Callable[[], None], on_estimate: Callable[[], None]) -> None:
        self.blur = BlurRows(on_change)
        self.shrink = shrinkable(
            ComboBox(
                name="shrink",
                label="Fewer pixels by",
                choices=[("Binning (as a camera)", "binning"), ("Bicubic, antialiased", "bicubic")],
                tooltip="Binning takes the mean over a block of pixels, as larger pixels of a camera do.",
            )
        )
        self.noise = NoiseRows(on_change, on_estimate)
        self.stack = rows([*self.blur.widgets, self.shrink, *self.noise.widgets])
        """All rows, for the alignment of their labels."""
        super().__init__(widgets=[self.stack], labels=False)
        self.margins = (0, 0, 0, 0)
        self.shrink.changed.connect(lambda: on_change())

    def degradation(self) -> Degradation:
        """Return the degradation as a part of a recipe, with lengths in nanometers."""
        noise = self.noise.value
        return Degradation(
            blur=self.blur.value,
            shrink=self.shrink.value,
            noise=noise,
            offset=float(self.noise.offset.value) if noise is not None else 0.0,
        )
