"""One run of a job: a region of an image is upscaled into its destination, one part that is left after another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from math import prod
from pathlib import Path

import torch

from napari_sr.accelerators import release_memory
from napari_sr.imaging.axes import ImageArray, WritableArray
from napari_sr.imaging.missing import FilledImage, MarkedResult
from napari_sr.inference.compute.network import JobNetwork, is_streamed
from napari_sr.inference.facts.calibration import Calibration, check_region, fill_limit
from napari_sr.inference.fingerprint import fingerprint_of_region
from napari_sr.inference.output.destination import destination
from napari_sr.inference.output.store_metadata import StorePlace
from napari_sr.inference.region import Region
from napari_sr.inference.result import Result
from napari_sr.inference.run.unfinished import unfinished
from napari_sr.inference.run.work import Work
from napari_sr.progress import Cancel, Progress
from napari_sr.settings import JobSettings
from napari_sr.zoo.model import Model


def run_region(
    model: Model,
    settings: JobSettings,
    image: ImageArray,
    region: Region,
    calibration: Calibration,
    where: tuple[torch.device, torch.dtype],
    *,
    out: WritableArray | str | Path | None,
    place: StorePlace | None,
    overwrite: bool,
    identity: str | None,
    network: JobNetwork | None,
    progress: Progress,
    cancel: Cancel,
    completed: Callable[[Path], None],
) -> Result:
    """Upscale a region of an image.

    Parameters
    ----------
    model, settings : Model, JobSettings
        Those of the job.
    where : (torch.device, torch.dtype)
        Device and number format of the computation.
    image, region, calibration, out, place, overwrite, identity, network, progress, cancel, completed : object
        As for `Job.run_region`, which describes the result and the errors.
    """
    device, dtype = where
    # The interpolation of colors has a radius of two pixels, which may be more than that of the network.
    radius = max(2, model.receptive_radius)
    values = check_region(calibration, settings, image, region, radius, cancel=cancel)
    black = {channel: intensity.low for channel, intensity in calibration.maps.items()}
    filled = FilledImage(image, region.axes, black, fill_limit(settings)) if values.missing else None
    along, fingerprint = None, ""
    if isinstance(out, str | Path):
        # One axis along which the region is streamed into a store, for all parts that are left of it.
        streamed = is_streamed(model, settings, region.axes.rgb)
        region = replace(region, along=region.longer if streamed else region.axes.y)
        along = None if region.resized else region.along
        fingerprint = fingerprint_of_region(model, settings, image, region, identity, calibration)
    afterwards = ExitStack()
    if network is None:
        # Other programs, and the window, need the memory that torch keeps for later jobs.
        afterwards.callback(release_memory, device)
        network = JobNetwork(model, settings)
    with (
        afterwards,
        network.for_one_run() as own,
        destination(
            out,
            region.result_axes,
            image.dtype,
            place,
            overwrite=overwrite,
            cancel=cancel,
            completed=completed,
            fingerprint=fingerprint,
            along=along,
        ) as target,
    ):
        reports = []
        rest = unfinished(region, target.array, model)
        for part in rest.parts:
            result: WritableArray = part.out
            if filled is not None:
                result = MarkedResult(result, filled, region.axes, part.region.nearest)
            done = rest.progress(part, progress)
            work = Work(own, part.region, calibration, values, device, dtype, done, cancel)
            seconds = work.run(image if filled is None else filled, result)
            reports.append(work.report(seconds, prod(part.region.shape), image.dtype))
        report = rest.report(reports)
    return Result(target.array, report, target.levels)
