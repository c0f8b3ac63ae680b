"""The device that computes."""

from __future__ import annotations

from typing import NamedTuple

import torch

from napari_sr.accelerators import EXPERIMENTAL_KINDS, device_count, hardware_name, is_software, unavailable
from napari_sr.device_names import KINDS, LABELS
from napari_sr.errors import InputError
from napari_sr.inference.compute.verdicts import is_trusted


def available_devices() -> tuple[str, ...]:
    """List the names that `choose_device` accepts on this machine.

    Returns
    -------
    tuple of str
        "auto" and "cpu", then the kinds of accelerators that are there (`napari_sr.device_names.KINDS`), each followed
        by its devices (such as "vulkan:0" and "vulkan:1") if there are several.
    """
    names = ["auto", "cpu"]
    for kind in KINDS:
        count = device_count(kind)
        names += [kind] if count == 1 else [kind, *(f"{kind}:{n}" for n in range(count))] if count else []
    return tuple(names)


class DeviceList(NamedTuple):
    """The devices of this machine for a window.

    Parameters
    ----------
    labels : dict of str to str
        Their names in the window, by those that `choose_device` accepts.
    remark : str
        A sentence on the device that "auto" takes, or on the reason why there is no accelerator.
    """

    labels: dict[str, str]
    remark: str


def list_devices() -> DeviceList:
    """List the devices of this machine for a window."""
    labels = {"auto": "Automatic", "cpu": "Processor (CPU)"}
    for name in available_devices()[2:]:
        kind, _, number = name.partition(":")
        labels[name] = f"{LABELS[kind]} {number}".rstrip()
    best = _best_device()
    if best.type != "cpu":
        return DeviceList(labels, f"Automatic uses {describe_device(best)}.")
    reasons = {kind: unavailable(kind) for kind in KINDS}
    usable = [kind for kind, reason in reasons.items() if reason is None]
    if not usable:
        return DeviceList(labels, f"Automatic uses the processor. Vulkan cannot be used, since {reasons['vulkan']}.")
    if all(is_software(torch.device(kind)) for kind in usable):
        return DeviceList(labels, "Automatic uses the processor, which also computes Vulkan here, more slowly.")
    return DeviceList(
        labels, "Automatic uses the processor, unless napari-sr check finds the graphics card right and faster."
    )


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of a name.

    Parameters
    ----------
    name : str, default "auto"
        "auto", "cpu", a kind of accelerator, or one of several devices of a kind, such as "vulkan:1". "auto" is the
        first kind that is there, and the CPU if there is none. Of experimental kinds it takes a device only if
        ``napari-sr check`` has found it right and faster than the CPU.

    Raises
    ------
    InputError
        If the name is unknown or the device is not on this machine.
    """
    if name == "auto":
        return _best_device()
    kind, _, number = name.partition(":")
    if kind == "cpu" and not number:
        return torch.device("cpu")
    if kind in KINDS:
        reason = unavailable(kind)
        if reason is not None:
            raise InputError(f"The device {name!r} is not on this machine, since {reason}; choose cpu or auto.")
        if not number or int(number) < device_count(kind):
            return torch.device(name)
    raise InputError(f"The device {name!r} is not on this machine: choose one of {', '.join(available_devices())}.")


def _best_device() -> torch.device:
    for kind in KINDS:
        if kind not in EXPERIMENTAL_KINDS and device_count(kind):
            return torch.device(kind)
    return next((torch.device(kind) for kind in sorted(EXPERIMENTAL_KINDS) if is_trusted(kind)), torch.device("cpu"))


def describe_device(device: torch.device) -> str:
    """Return the name of a device for a report.

    Returns
    -------
    str
        Such as "cpu" or "vulkan (Intel(R) Iris(R) Xe Graphics)".
    """
    name = None if device.type == "cpu" else hardware_name(device)
    return str(device) if name is None else f"{device} ({name})"
