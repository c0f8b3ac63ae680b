"""All rows under "More" together: brightness, device, precision, batch, tiling, self-ensemble, missing pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from magicgui.widgets import CheckBox
from magicgui.widgets.bases import Widget

from napari_sr.settings import JobSettings, describe_setting
from napari_sr.widgets.choices.settings.device import DeviceChoice
from napari_sr.widgets.choices.settings.fields import named_choices, number_box, setting_list
from napari_sr.widgets.choices.settings.intensity import IntensityRows
from napari_sr.widgets.choices.settings.tiling import TilingRows

_MOST_PLANES = 4096

_PRECISION_TEXTS = {
    "auto": "Automatic",
    "float32": "32 bit, exact",
    "bfloat16": "16 bit, wide range (bfloat16)",
    "float16": "16 bit, fine steps (float16)",
}


class SettingsRows:
    """The rows for the settings that every model takes, except `target`, which is a `SizeChoice`.

    Parameters
    ----------
    on_change : callable
        Called without arguments when a row changes.
    of_layers : bool, default True
        Whether the images are layers, and not files.
    """

    def __init__(self, on_change: Callable[[], None], *, of_layers: bool = True) -> None:
        self.intensity = IntensityRows(on_change, of_layers=of_layers)
        self.device = DeviceChoice(on_change)
        self.precision = setting_list(
            "precision", named_choices("precision", _PRECISION_TEXTS), "16 bit can change gray values slightly."
        )
        self.batch = number_box("batch", "More planes take more memory.", _MOST_PLANES, 1, 0)
        self.tiling = TilingRows(on_change)
        ensemble = describe_setting("self_ensemble")
        self.self_ensemble = CheckBox(
            name=ensemble.name,
            text=f"{ensemble.label} (8 times the work)",
            value=ensemble.default,
            tooltip=f"{ensemble.help} It treats all directions alike.",
        )
        missing = describe_setting("missing")
        self.missing = CheckBox(
            name=missing.name,
            text=f"{missing.label} (NaN): fill, and put back",
            value=missing.default == "fill",
            tooltip=f"{missing.help} Without it, an image with such pixels is refused; suggested settings fill them.",
        )
        for widget in (self.precision, self.batch, self.self_ensemble, self.missing):
            widget.changed.connect(lambda: on_change())

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        device = (self.device.widget, self.precision, self.batch)
        return (*self.intensity.widgets, *device, *self.tiling.widgets, self.self_ensemble, self.missing)

    def settings(self) -> JobSettings:
        """Return the settings that the rows show; the others have their defaults.

        Raises `InputError` if the numbers do not fit together, such as more overlap than tile.
        """
        return JobSettings(
            device=self.device.value,
            precision=self.precision.value,
            tiling=self.tiling.value,
            memory=self.tiling.budget,
            self_ensemble=self.self_ensemble.value,
            batch=int(self.batch.value) or "auto",
            intensity=self.intensity.value,
            missing="fill" if self.missing.value else "refuse",
        )

    def show(self, settings: JobSettings) -> None:
        """Show the settings of these rows."""
        self.set_defaults(settings)
        self.tiling.show(settings.tiling)
        self.self_ensemble.value = settings.self_ensemble
        self.batch.value = 0 if settings.batch == "auto" else settings.batch
        self.intensity.show(settings.intensity)
        self.missing.value = settings.missing == "fill"

    def set_defaults(self, settings: JobSettings) -> None:
        """Show the settings that the settings file shares."""
        self.device.set_default(settings.device)
        self.precision.value = settings.precision
        self.tiling.set_budget(settings.memory)
