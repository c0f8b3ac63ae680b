"""The work of one worker of a cluster: blocks of one job."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from napari_sr.errors import InputError
from napari_sr.imaging.as_image import ImageInput, as_image
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.axis_view import AxisView
from napari_sr.imaging.files import read_image
from napari_sr.imaging.files.names import is_store
from napari_sr.imaging.part import Part
from napari_sr.inference.compute.network import JobNetwork
from napari_sr.inference.facts.calibration import Calibration
from napari_sr.inference.job import Job
from napari_sr.inference.output.ome_zarr import sync_files
from napari_sr.inference.report import Report
from napari_sr.settings import JobSettings
from napari_sr.torch_state import ONE_NETWORK
from napari_sr.zoo.model import Model


@dataclass(frozen=True)
class ClusterJob:
    """A job on one image, as it is sent to the workers.

    Parameters
    ----------
    model : Model
        The model.
    settings : JobSettings
        The settings, whose device is chosen on each worker.
    calibration : Calibration
        Facts of the whole image.
    source : Path
        The image, on storage that all workers reach.
    series : int or None
        Number of the image in its file.
    axes : Axes
        Axes of the image.
    result : AxisView
        The finest level of the store that is written; it can be pickled, and each process opens it anew.
    """

    model: Model
    settings: JobSettings
    calibration: Calibration
    source: Path
    series: int | None
    axes: Axes
    result: AxisView


@dataclass
class JobOnWorker(WorkerPlugin):
    """A job that is kept by each worker, those that join later included.

    Parameters
    ----------
    job : ClusterJob
        The job.
    name : str
        Name of the plugin, of one run.
    """

    job: ClusterJob
    name: str

    def setup(self, worker: Worker) -> None:
        """Do nothing: the image is opened with the first block, whose error reaches the caller."""

    def upscale(self, part: Part) -> Report:
        """Upscale a block, and write it to the store and through to the disk.

        Raises
        ------
        InputError
            If the image cannot be read, or the device is not on this machine.
        """
        with ONE_NETWORK:
            job, network, read = self._opened
            region = job.region(read.axes, part)
            done = job.run_region(read.data, region, calibration=self.job.calibration, network=network)
        place: list[Any] = [slice(*span) for span in region.ranges]
        place[read.axes.y], place[read.axes.x] = slice(*region.rows.result_range), slice(*region.columns.result_range)
        self._write(tuple(place), done.data)
        return done.report

    def _write(self, place: tuple[Any, ...], values: Any) -> None:
        """Write the result of a block, unless the store was deleted: its run was canceled, or killed and begun anew."""
        folder = Path(self.job.result.array.store.root)
        if not is_store(folder):
            raise InputError(f"The unfinished store {folder} was deleted: its run has ended.")
        self.job.result[place] = values
        # Before the block is recorded as finished.
        sync_files(self.job.result, place)
        if not is_store(folder):
            # Writing has made folders of a store that was deleted meanwhile.
            rmtree(folder, ignore_errors=True)

    @cached_property
    def _opened(self) -> tuple[Job, JobNetwork, ImageInput]:
        """The job with the device of this worker, its network for all blocks, and the image."""
        image = read_image(self.job.source, series=self.job.series, lazy=True)
        job = Job(self.job.model, self.job.settings)
        return job, JobNetwork(job.model, job.settings), as_image(image, self.job.axes)


def upscale_block(name: str, part: Part) -> Report:
    """Upscale a block of the job that this worker keeps; the task of a cluster.

    Parameters
    ----------
    name : str
        Name of the plugin that holds the job.
    part : Part
        The block.
    """
    plugin: Any = get_worker().plugins[name]
    report: Report = plugin.upscale(part)
    return report
