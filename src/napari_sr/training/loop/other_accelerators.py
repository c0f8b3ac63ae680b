"""Accelerators of torch that Fabric does not have, as it takes them."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric.accelerators.accelerator import Accelerator

from napari_sr.accelerators import release_memory, unavailable
from napari_sr.device_names import KINDS
from napari_sr.errors import InputError


def load_accelerators() -> None:
    """Load the packages that add kinds of accelerators to torch, where they are installed.

    The first computation of gradients in a process starts a thread for each device of torch. Devices that are added
    later cannot compute gradients.
    """
    for kind in KINDS:
        unavailable(kind)


def check_gradients(device: torch.device) -> None:
    """Check that a device computes gradients in this process.

    Raises
    ------
    InputError
        If it does not.
    """
    try:
        torch.ones(2, device=device, requires_grad=True).sum().backward()
    except RuntimeError as error:
        raise InputError(
            f"The device {device} cannot train in this process, in which torch has computed gradients before it was "
            f"added to torch: start Python or napari again, or choose another device ({error})."
        ) from error


class OtherAccelerator(Accelerator):
    """An accelerator for Fabric, for trainings with one process.

    Fabric calls the static methods by the class, without the device, which `choose_device` has checked; Fabric's
    strategy computes on it.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def setup_device(self, device: torch.device) -> None:
        """Make the device the current one of its kind."""
        torch.get_device_module(device.type).set_device(device.index or 0)

    def teardown(self) -> None:
        """Release the memory that is not used any more."""
        release_memory(self._device)

    @staticmethod
    def parse_devices(devices: Any) -> Any:
        """Return the devices as they were given."""
        return devices

    get_parallel_devices = parse_devices

    @staticmethod
    def auto_device_count() -> int:
        """Return the number of devices that are used."""
        return 1

    @staticmethod
    def is_available() -> bool:
        """Whether the device can be used: it was checked when it was chosen."""
        return True

    @staticmethod
    def name() -> str:
        """Return a name for Fabric's messages."""
        return "other"
