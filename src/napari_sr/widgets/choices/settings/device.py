"""The row for the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from napari_sr.widgets.choices.settings.fields import setting_list

if TYPE_CHECKING:
    from napari_sr.inference import DeviceList

#: The devices of every computer.
_LABELS = {"auto": "Automatic", "cpu": "Processor (CPU)"}


class DeviceChoice:
    """The list of devices, which is complete when torch has been imported.

    Parameters
    ----------
    on_change : callable
        Called without arguments when the choice changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._default = "auto"
        self.known = False
        """Whether the devices of this computer are listed."""
        self.widget = setting_list(
            "device",
            _as_choices(_LABELS),
            "Automatic uses a graphics card if there is one.",
        )
        self.widget.changed.connect(lambda: on_change())

    @property
    def value(self) -> str:
        """The chosen device, as the setting `device`."""
        value: str = self.widget.value
        return value

    def offer(self, devices: DeviceList) -> None:
        """List the devices of this computer; the choice stays if it is among them."""
        labels = devices.labels
        self.known = True
        chosen = self._default if self.value == "auto" else self.value
        with self.widget.changed.blocked():
            self.widget.choices = _as_choices(labels)
            self.widget.value = chosen if chosen in labels else "auto"
        self.widget.tooltip = devices.remark

    def set_default(self, name: str) -> None:
        """Choose a device by its name; one that is not listed yet is chosen by `offer`."""
        self._default = name
        if name in self.widget.choices:
            self.widget.value = name


def _as_choices(labels: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(label, name) for name, label in labels.items()]
