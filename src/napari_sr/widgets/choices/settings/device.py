"""The row for the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari_sr.widgets.choices.settings.fields import setting_list

_TEXTS = {"auto": "Automatic", "cpu": "Processor (CPU)", "cuda": "Graphics card", "mps": "Apple graphics"}


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
            [(format_device(name), name) for name in ("auto", "cpu")],
            "Automatic uses a graphics card if there is one.",
        )
        self.widget.changed.connect(lambda: on_change())

    @property
    def value(self) -> str:
        """The chosen device, as the setting `device`."""
        value: str = self.widget.value
        return value

    def offer(self, names: Sequence[str]) -> None:
        """List the devices of this computer.

        Parameters
        ----------
        names : sequence of str
            From `napari_sr.inference.available_devices`. The choice stays if it is among them.
        """
        self.known = True
        chosen = self._default if self.value == "auto" else self.value
        with self.widget.changed.blocked():
            self.widget.choices = [(format_device(name), name) for name in names]
            self.widget.value = chosen if chosen in names else names[0]

    def set_default(self, name: str) -> None:
        """Choose a device; one that is not listed yet is chosen by `offer`.

        Parameters
        ----------
        name : str
            A device, as the setting `device`.
        """
        self._default = name
        if name in self.widget.choices:
            self.widget.value = name


def format_device(name: str) -> str:
    """Return the name of a device for the window.

    Parameters
    ----------
    name : str
        As the setting `device`: "cuda:1".

    Returns
    -------
    str
        "Graphics card 1".
    """
    kind, _, number = name.partition(":")
    text = _TEXTS.get(kind, kind)
    return f"{text} {number}" if number else text
