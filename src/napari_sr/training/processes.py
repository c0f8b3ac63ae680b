"""A training with several processes, each with its own device: on one machine, or on several."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.mpi import MPIEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch.multiprocessing.spawn import ProcessRaisedException

from napari_sr import errors
from napari_sr.accelerators import device_count
from napari_sr.errors import InputError, NapariSRError
from napari_sr.imaging.atomic import clear_abandoned
from napari_sr.training.events import EventListener
from napari_sr.training.loop.precision import fabric_for
from napari_sr.training.recipe import Recipe
from napari_sr.training.run_lock import locked_folder
from napari_sr.training.training import Outcome, Training
from napari_sr.zoo.model import Model

#: Programs that start the processes of several machines.
_ENVIRONMENTS = (TorchElasticEnvironment, SLURMEnvironment, MPIEnvironment)
#: Seconds in which processes can end by themselves.
_PATIENCE = 5.0
#: Last line of the traceback of an error with a sentence.
_SENTENCE = re.compile(r"^napari_sr\.errors\.(\w+): (.+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """The arguments of a training in a form that can be sent to another process: images are files.

    Parameters
    ----------
    recipe : Recipe
        Recipe that names its images.
    folder : Path
        Folder of the run.
    data : Path, optional
        Folder at which relative paths in the recipe start; by default the working directory.
    model : Model, str or Path, optional
        The model to fine-tune or to start with, or its name or path.
    name : str, optional
        Name of the new model; by default that of the recipe.
    device : str, optional
        Device that computes: auto, cpu or one listed by napari-sr check; by default that of the settings file.
    tensorboard : bool, default False
        Also write a log for TensorBoard.
    """

    recipe: Recipe
    folder: Path
    data: Path | None = None
    model: Model | str | os.PathLike[str] | None = None
    name: str | None = None
    device: str | None = None
    tensorboard: bool = False

    def training(self, on_event: EventListener | None = None) -> Training:
        """Make the training, which has not run.

        Raises
        ------
        InputError
            If recipe, images, model or device cannot be used.
        CheckpointError
            If the model cannot be loaded.
        """
        return Training(
            self.recipe,
            None,
            self.model,
            folder=self.folder,
            data=self.data,
            name=self.name,
            device=self.device,
            tensorboard=self.tensorboard,
            on_event=on_event,
        )


def train_in_processes(settings: ProcessSettings, processes: int, on_event: EventListener | None = None) -> Outcome:
    """Train with several processes on this machine, among which the batch of the recipe is divided.

    They are started by spawn, not by fork: a copy of a process in which torch has used its threads waits for ever.

    Parameters
    ----------
    settings : ProcessSettings
        Arguments of the training.
    processes : int
        Number of processes, 1 or more: on GPUs one for each GPU, on the CPU any number.
    on_event : callable, optional
        Called with every event, in the first process; it has to be picklable.

    Raises
    ------
    InputError
        If there are fewer devices, the batch cannot be divided evenly, another training uses the folder, or `Training`
        refuses the arguments.
    CheckpointError
        If the model cannot be loaded.
    """
    training = settings.training()
    _check_devices(training.device.type, processes)
    # Errors of the input are raised here, once, instead of in every process.
    training.check_batch(processes)
    training.prepare()
    fabric = fabric_for(training.device, training.precision, processes)
    with locked_folder(settings.folder), _errors_of_processes(), _ended_with_this_call(settings.folder):
        fabric.launch(_Work(settings, on_event))
    # The processes leave a finished checkpoint, from which this call makes the model without another step.
    return training.run()


def train_on_nodes(
    settings: ProcessSettings, processes: int, nodes: int, on_event: EventListener | None = None
) -> Outcome | None:
    """Train with several machines, among whose processes the batch of the recipe is divided.

    This is called by each process of each machine. The processes are started by torchrun, SLURM or MPI, whose
    environment lightning-fabric reads, or by it alone if ``MASTER_ADDR``, ``MASTER_PORT`` and ``NODE_RANK`` are set.

    Parameters
    ----------
    settings : ProcessSettings
        Arguments of the training. Images and the folder of the run are on storage that all machines reach.
    processes : int
        Number of processes of each machine, 1 or more: one for each GPU, or any number on the CPU.
    nodes : int
        Number of machines, 2 or more.
    on_event : callable, optional
        Called with every event, in the first process.

    Returns
    -------
    Outcome or None
        In the first process the model, and the number of completed steps; None in the others.

    Raises
    ------
    InputError
        If the processes were not started for several machines, there are fewer devices, the batch cannot be divided
        evenly, another training uses the folder, or `Training` refuses the arguments.
    CheckpointError
        If the model cannot be loaded.
    """
    if not (any(environment.detect() for environment in _ENVIRONMENTS) or "MASTER_ADDR" in os.environ):
        raise InputError(
            "A training on several machines is started on each of them by torchrun or by the batch system: see "
            "docs/training.md, or leave out --num-nodes."
        )
    training = settings.training(on_event)
    _check_devices(training.device.type, processes)
    training.check_batch(processes * nodes)
    fabric = fabric_for(training.device, training.precision, processes, nodes)
    fabric.launch()
    if not fabric.is_global_zero:
        training.run(fabric)
        return None
    with locked_folder(settings.folder):
        return training.run(fabric)


class _Work:
    """The work of each process; not a dataclass, since the launcher would try to change its fields."""

    def __init__(self, settings: ProcessSettings, on_event: EventListener | None) -> None:
        self._settings, self._on_event = settings, on_event

    def __call__(self, fabric: Fabric) -> None:
        self._settings.training(on_event=self._on_event).run(fabric)


@contextmanager
def _errors_of_processes() -> Iterator[None]:
    """Raise an error with a sentence, which a process has raised, in this process."""
    try:
        yield
    except ProcessRaisedException as error:
        sentences = _SENTENCE.findall(str(error))
        if not sentences:
            raise
        name, sentence = sentences[-1]
        kind = getattr(errors, name, NapariSRError)
        raise kind(sentence) from error


@contextmanager
def _ended_with_this_call(folder: Path) -> Iterator[None]:
    """End the processes that are started in the context if it ends by an exception, such as that of a signal."""
    before = set(multiprocessing.active_children())
    try:
        yield
    except BaseException:
        started = set(multiprocessing.active_children()) - before
        # As Ctrl-C, at which they end without a message; those that wait for another process are killed afterwards.
        # Checkpoints are written atomically, so that the last one remains in both cases.
        for process in started:
            with suppress(OSError):
                os.kill(process.pid, signal.SIGINT)  # type: ignore[arg-type]
        until = time.monotonic() + _PATIENCE
        for process in started:
            process.join(max(0.0, until - time.monotonic()))
            process.kill()
            process.join()
        clear_abandoned(folder)
        raise


def _check_devices(kind: str, processes: int) -> None:
    if kind == "cpu":
        return
    if processes > (available := device_count(kind)):
        raise InputError(
            f"This machine has {available} {'device' if available == 1 else 'devices'} of the kind {kind}, not "
            f"{processes}: choose at most {available}."
        )
