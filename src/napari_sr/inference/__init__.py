"""Planes through a network on a device, and the job over a whole n-D image.

The names are loaded on first use: `settings` needs no torch, so that a window can offer its choices at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from napari_sr.inference.settings import PRECISIONS, TILINGS, Overlap

if TYPE_CHECKING:
    from napari_sr.inference.device import available_devices
    from napari_sr.inference.estimate import Estimate, estimate_job, learn_speed
    from napari_sr.inference.job import Job, Result, upscale
    from napari_sr.inference.layer import LayerInput, layer_intensity, prepare_layer, run_layer, upscale_layer
    from napari_sr.inference.report import Report
    from napari_sr.inference.script import as_script
    from napari_sr.inference.speed import known_speed, measure_speed

__all__ = [
    "PRECISIONS",
    "TILINGS",
    "Estimate",
    "Job",
    "LayerInput",
    "Overlap",
    "Report",
    "Result",
    "as_script",
    "available_devices",
    "estimate_job",
    "known_speed",
    "layer_intensity",
    "learn_speed",
    "measure_speed",
    "prepare_layer",
    "run_layer",
    "upscale",
    "upscale_layer",
]

_FILE_OF = {
    "Estimate": "estimate",
    "estimate_job": "estimate",
    "learn_speed": "estimate",
    "known_speed": "speed",
    "measure_speed": "speed",
    "Job": "job",
    "LayerInput": "layer",
    "Report": "report",
    "Result": "job",
    "as_script": "script",
    "available_devices": "device",
    "layer_intensity": "layer",
    "prepare_layer": "layer",
    "run_layer": "layer",
    "upscale": "job",
    "upscale_layer": "layer",
}


def __getattr__(name: str) -> object:
    """Load a name of this room from its file."""
    if name not in _FILE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
