"""Accelerators of torch that Fabric does not have, as it takes them."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric.accelerators.accelerator import Accelerator

from napari_sr.accelerators import device_count, release_memory


class OtherAccelerator(Accelerator):
    """A kind of accelerator for Fabric, for trainings with one process.

    Parameters
    ----------
    device : torch.device
        The device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = torch.device(device.type, device.index or 0)

    def setup_device(self, device: torch.device) -> None:
        """Make the device the current one of its kind.

        Parameters
        ----------
        device : torch.device
            The device.
        """
        torch.accelerator.set_device_index(device.index or 0)

    def teardown(self) -> None:
        """Release the memory that is not used any more."""
        release_memory(self._device)

    def parse_devices(self, devices: Any) -> Any:  # type: ignore[override]
        """Return the devices as they were given.

        Parameters
        ----------
        devices : object
            Numbers of devices.

        Returns
        -------
        object
            The same.
        """
        return devices

    def get_parallel_devices(self, devices: Any) -> list[torch.device]:  # type: ignore[override]
        """Return the device.

        Parameters
        ----------
        devices : object
            Ignored: the device was chosen before.

        Returns
        -------
        list of torch.device
            The one device.
        """
        return [self._device]

    def auto_device_count(self) -> int:  # type: ignore[override]
        """Return the number of devices of the kind.

        Returns
        -------
        int
            The number.
        """
        return device_count(self._device.type)

    def is_available(self) -> bool:  # type: ignore[override]
        """Whether the device can be used.

        Returns
        -------
        bool
            True, unless it was lost since it was chosen.
        """
        return device_count(self._device.type) > (self._device.index or 0)

    def name(self) -> str:  # type: ignore[override]
        """Return the kind.

        Returns
        -------
        str
            As torch names it.
        """
        return self._device.type
