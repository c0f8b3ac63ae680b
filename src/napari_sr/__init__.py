"""Super-resolution of images: SRCNN, SRGAN and ESRGAN, the same from napari, from Python and from the command line.

The public names are loaded on first use (PEP 562), so importing this package costs neither torch nor Qt.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from napari_sr.errors import Cancelled, CheckpointError, InputError

if TYPE_CHECKING:
    from napari_sr.evaluation import evaluate
    from napari_sr.inference import Job, upscale, upscale_layer
    from napari_sr.training import Recipe, Training, finetune
    from napari_sr.zoo import Model, list_models, load_model, load_pair

__version__ = "0.1.0"

__all__ = [
    "Cancelled",
    "CheckpointError",
    "InputError",
    "Job",
    "Model",
    "Recipe",
    "Training",
    "__version__",
    "evaluate",
    "finetune",
    "list_models",
    "load_model",
    "load_pair",
    "upscale",
    "upscale_layer",
]

_ROOM_OF = {
    "Job": "napari_sr.inference",
    "Model": "napari_sr.zoo",
    "Recipe": "napari_sr.training",
    "Training": "napari_sr.training",
    "evaluate": "napari_sr.evaluation",
    "finetune": "napari_sr.training",
    "list_models": "napari_sr.zoo",
    "load_model": "napari_sr.zoo",
    "load_pair": "napari_sr.zoo",
    "upscale": "napari_sr.inference",
    "upscale_layer": "napari_sr.inference",
}


def __getattr__(name: str) -> object:
    """Load a public name from its room, once."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_ROOM_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
