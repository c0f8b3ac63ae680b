"""Results of the check of experimental accelerators on this machine, stored in the cache folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from napari_sr.accelerators import device_count, driver_version, hardware_name, is_software
from napari_sr.inference.compute.cache import read_cache, write_cache

#: Largest difference of an accelerator's results from the CPU's, as a fraction of the range, with which it is right.
LARGEST_DIFFERENCE = 1e-4

_FILE = "accelerators.json"


@dataclass(frozen=True)
class Verdict:
    """Result of the check of an accelerator.

    Parameters
    ----------
    difference : float
        Largest difference of its results from those of the CPU, as a fraction of the range.
    speed : float
        Its speed divided by that of the CPU.
    """

    difference: float
    speed: float

    @property
    def good(self) -> bool:
        """Whether the accelerator is right and faster than the CPU."""
        return self.difference <= LARGEST_DIFFERENCE and self.speed > 1.0


def is_trusted(kind: str) -> bool:
    """Whether the first device of an experimental kind was found right and faster than the CPU.

    Parameters
    ----------
    kind : str
        One of `napari_sr.accelerators.EXPERIMENTAL_KINDS`.

    Returns
    -------
    bool
        False if it was not checked, or with another driver or torch, or if the CPU computes it. The package of the kind
        is imported only if there is a result for it.
    """
    good = {
        key for key, verdict in read_cache(_FILE, _converted).items() if verdict.good and key.startswith(f"{kind}: ")
    }
    if not good or not device_count(kind):
        return False
    device = torch.device(kind, 0)
    return not is_software(device) and device_key(device) in good


def store_verdict(device: torch.device, verdict: Verdict) -> None:
    """Store the result of a check; ignored if the cache folder cannot be written."""
    verdicts = {**read_cache(_FILE, _converted), device_key(device): verdict}
    write_cache(_FILE, {key: asdict(value) for key, value in verdicts.items()})


def device_key(device: torch.device) -> str:
    """Return the key of an accelerator in the files of the cache folder.

    Returns
    -------
    str
        Its kind, name and driver, so that it is measured anew with a new driver or torch.
    """
    return f"{device.type}: {hardware_name(device)}, {driver_version(device)}"


def _converted(content: Any) -> dict[str, Verdict]:
    return {str(key): Verdict(float(value["difference"]), float(value["speed"])) for key, value in content.items()}
