"""The ways of computing that were measured to be the fastest on each accelerator, stored in the cache folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from napari_sr.accelerators import set_memory_layout
from napari_sr.inference.compute.cache import read_cache, write_cache
from napari_sr.inference.compute.verdicts import device_key

#: Memory layouts, by their names in the file.
LAYOUTS = {"channels last": torch.channels_last, "contiguous": torch.contiguous_format}

_FILE = "tunings.json"


@dataclass(frozen=True)
class Tuning:
    """How an accelerator computes fastest.

    Parameters
    ----------
    layouts : dict of str to str, optional
        Name of a memory layout (`LAYOUTS`) by number format, "float32" or "float16"; by default the usual ones of the
        kind.
    whole_planes : bool, default True
        Whether planes that fit into the memory are computed in one piece.
    """

    layouts: dict[str, str] = field(default_factory=dict)
    whole_planes: bool = True

    def use_layouts(self, device: torch.device) -> None:
        """Use the layouts on a device."""
        for name in ("float32", "float16", "bfloat16"):
            # Both half precisions are computed by the same units.
            layout = self.layouts.get("float16" if name == "bfloat16" else name)
            set_memory_layout(device, getattr(torch, name), None if layout is None else LAYOUTS[layout])


def tuning_of(device: torch.device) -> Tuning:
    """Return how a device computes fastest.

    Returns
    -------
    Tuning
        As measured with this driver and torch, or the usual way.
    """
    # The version of the driver is read only where something was stored.
    stored = {} if device.type == "cpu" else read_cache(_FILE, _converted)
    return stored.get(device_key(device), Tuning()) if stored else Tuning()


def store_tuning(device: torch.device, tuning: Tuning) -> None:
    """Store how a device computes fastest; ignored if the cache folder cannot be written."""
    tunings = {**read_cache(_FILE, _converted), device_key(device): tuning}
    content = {key: {"layouts": each.layouts, "whole planes": each.whole_planes} for key, each in tunings.items()}
    write_cache(_FILE, content)


def _converted(content: Any) -> dict[str, Tuning]:
    return {
        str(key): Tuning(
            {str(name): layout for name, layout in value["layouts"].items() if layout in LAYOUTS},
            bool(value["whole planes"]),
        )
        for key, value in content.items()
    }
