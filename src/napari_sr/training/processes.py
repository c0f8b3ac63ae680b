"""One training by several processes, each with a device of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from napari_sr.config import load_settings
from napari_sr.errors import InputError
from napari_sr.inference.device import choose_device
from napari_sr.training.events import EventListener
from napari_sr.training.precision import fabric_for
from napari_sr.training.recipe import Recipe
from napari_sr.training.training import Outcome, Training


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """A training as it can be sent to another process: everything comes from files.

    Parameters
    ----------
    recipe : Recipe
        It names its images.
    folder : Path
        Of the run.
    data : Path or None
        Where the paths in the recipe start.
    model : str or None
        Name or file of the model to begin with.
    name : str or None
        Of the model that is made.
    device : str
        As `Training` takes it.
    tensorboard : bool
        Also log for TensorBoard.
    """

    recipe: Recipe
    folder: Path
    data: Path | None = None
    model: str | None = None
    name: str | None = None
    device: str | None = None
    tensorboard: bool = False

    def training(self, **controls: Any) -> Training:
        """Make the training, with listener and predicates."""
        return Training(
            self.recipe,
            None,
            self.model,
            folder=self.folder,
            data=self.data,
            name=self.name,
            device=self.device,
            tensorboard=self.tensorboard,
            **controls,
        )


def train_in_processes(settings: ProcessSettings, processes: int, on_event: EventListener | None = None) -> Outcome:
    """Train with several processes on this machine; the batch of the recipe is dealt out among them.

    Parameters
    ----------
    settings : ProcessSettings
        What to train.
    processes : int
        How many: one for each GPU, or on the CPU (by gloo) as many as there are.
    on_event : callable, optional
        Called in the first process; it goes there by pickle.

    Raises
    ------
    InputError
        If there are not so many devices, or as `Training` says.
    """
    training = settings.training()
    device = choose_device(load_settings(device=settings.device).device)
    _check_devices(device.type, processes)
    # What can be refused is refused here, and not once in every process.
    training.check_batch(processes)
    training.prepare()
    fabric_for(device, training.precision, processes).launch(_Work(settings, on_event))
    # The checkpoint that they left is whole: from it the result is made here, without a step.
    return training.run()


class _Work:
    """What each process does; not a dataclass, whose fields the launcher would try to change."""

    def __init__(self, settings: ProcessSettings, on_event: EventListener | None) -> None:
        self._settings, self._on_event = settings, on_event

    def __call__(self, fabric: Fabric) -> None:
        self._settings.training(on_event=self._on_event).run(fabric)


def _check_devices(kind: str, processes: int) -> None:
    import torch

    there = torch.cuda.device_count() if kind == "cuda" else 1
    if kind != "cpu" and processes > there:
        raise InputError(f"There are {there} devices of the kind {kind}, not {processes}: ask for fewer.")
