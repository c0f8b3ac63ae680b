"""One run of a job: planes are read, passed through the network, and written to the result."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_sr.accelerators import free_memory
from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.axes import Axes, ImageArray, PlaneIndex, WritableArray
from napari_sr.imaging.intensity import IntensityMap, own_range
from napari_sr.imaging.part import crop
from napari_sr.inference.channels import separate_colors
from napari_sr.inference.compute.device import describe_device
from napari_sr.inference.compute.network import JobNetwork
from napari_sr.inference.compute.opacity import CutoutReader
from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.inference.facts.calibration import Calibration, RegionValues
from napari_sr.inference.region import Region, resize_opacity
from napari_sr.inference.report import Report
from napari_sr.inference.run.batch_result import BatchResult
from napari_sr.inference.run.writing import Writing
from napari_sr.progress import Cancel, Progress

#: Pixels of all planes of a batch on a CPU and on an accelerator, with ``batch="auto"``.
BATCH_PIXELS, BATCH_PIXELS_OF_ACCELERATORS = 128 * 128, 1024 * 1024


class Work:
    """One run of a job, with the counts for its report.

    Parameters
    ----------
    network : JobNetwork
        The network of the job, which no other run uses at the same time.
    region : Region
        The pixels that are read and computed.
    calibration : Calibration
        Facts of the whole image.
    values : RegionValues
        Facts of the pixels that are read.
    device : torch.device
        Device that computes.
    dtype : torch.dtype
        Number format of the computation.
    progress : callable
        Called as ``progress(done, total)`` after every strip or tile.
    cancel : callable
        Called before every layer of the network, and before every plane that is copied; returning True ends the work
        with `Cancelled`.

    Raises
    ------
    InputError
        If the memory budget is not valid.
    """

    def __init__(
        self,
        network: JobNetwork,
        region: Region,
        calibration: Calibration,
        values: RegionValues,
        device: torch.device,
        dtype: torch.dtype,
        progress: Progress,
        cancel: Cancel,
    ) -> None:
        self.model, self.settings, self.noise = network.model, network.settings, network.noise
        self.region, self.progress, self.cancel = region, progress, cancel
        self.calibration, self.maps, self.values = calibration, calibration.maps, values
        self.card, self.scale = self.model.card, self.model.scale
        self.device, self.dtype = device, dtype
        self.separate = region.axes.rgb and separate_colors(self.card)
        prepared = network.prepared(region.axes, device, carried=values.carried)
        self.runner = PlaneRunner(
            prepared,
            self.dtype,
            self.settings.tiling,
            memory=self.settings.memory,
            self_ensemble=self.settings.self_ensemble,
            cancel=cancel,
        )
        self.ranges = region.read(prepared.receptive_radius, prepared.alignment)
        self.axes = Axes(region.axes.letters, tuple(stop - start for start, stop in self.ranges))
        self.height, self.width = self.axes.shape[self.axes.y], self.axes.shape[self.axes.x]
        self._clipped = 0

    def run(self, image: ImageArray, out: WritableArray) -> float:
        """Compute all planes.

        Parameters
        ----------
        image : array
            The whole image.
        out : array
            Where the result is written, of the region's shape.

        Returns
        -------
        float
            Duration, in seconds.

        Raises
        ------
        InputError
            If the device has too little memory, resized planes do not fit into memory, or the network computes values
            that are not finite.
        Cancelled
            If `cancel` returned True.
        """
        started = time.perf_counter()
        read = crop(image, self.ranges)
        unit = max(self.height, self.width)
        whole = unit * self.axes.plane_count
        self.progress(0, whole)
        with Writing(beside=self.device.type != "cpu") as writing:
            indices = self._write_constants(image, out, unit, writing)
            copied, done = self.axes.plane_count - len(indices), 0
            while done < len(indices):
                # The first plane alone, so that a part of the result is there soon.
                batch = indices[done : done + (1 if done == 0 else self._batch_size())]

                def batch_progress(part: int, total: int, before: int = copied + done, count: int = len(batch)) -> None:
                    self.progress(unit * before + unit * count * part // total, whole)

                self._compute_batch(image, read, out, batch, batch_progress, writing)
                if self.axes.rgba:
                    self._resize_opacities(image, out, batch, writing)
                done += len(batch)
        return time.perf_counter() - started

    def _write_constants(self, image: ImageArray, out: WritableArray, unit: int, writing: Writing) -> list[PlaneIndex]:
        """Write the planes of channels with a single value, and return the others."""
        copied = 0
        rows, columns = (
            stop - start for start, stop in (self.region.rows.result_range, self.region.columns.result_range)
        )
        others = []
        for index in self.axes.plane_indices():
            value = self.calibration.constants.get(self._channel(index))
            if value is None:
                others.append(index)
                continue
            if self.cancel():
                raise Cancelled
            pixel = np.array(value if self.axes.rgb else value[0], image.dtype)
            plane = np.broadcast_to(pixel, (rows, columns, *pixel.shape))
            writing.add(self.axes.place, out, self.axes.part(index, slice(None), slice(None), slice(0, 3)), plane)
            if self.axes.rgba:
                self._resize_opacities(image, out, [index], writing)
            copied += 1
            self.progress(unit * copied, unit * self.axes.plane_count)
        return others

    def _check_finite(self, values: NDArray[np.float32]) -> None:
        """Reject values that the network has computed and that are not finite."""
        if not np.isfinite(values).all():
            count = int(np.count_nonzero(~np.isfinite(values)))
            again = "" if self.dtype == torch.float32 else " and again in float32"
            raise InputError(
                f"The model {self.model.name} computed {count} NaN or infinite values in {self._precision}{again}: "
                "choose another model, or give the intensity as two values that include those of the image."
            )

    @property
    def _precision(self) -> str:
        return str(self.dtype).removeprefix("torch.")

    def _batch_size(self) -> int:
        """Number of planes of a batch: several small ones, or a single one that is large enough for the device."""
        if self.settings.batch != "auto":
            return self.settings.batch
        pixels = BATCH_PIXELS if self.device.type == "cpu" else BATCH_PIXELS_OF_ACCELERATORS
        return max(1, min(32, pixels // (self.height * self.width)))

    def _compute_batch(
        self,
        image: ImageArray,
        read: ImageArray,
        out: WritableArray,
        batch: list[PlaneIndex],
        progress: Callable[[int, int], None],
        writing: Writing,
    ) -> None:
        """Upscale planes together, and write them in the data type of the image; `read` is the part that is read."""
        readers = [self._reader(image, read, index) for index in batch]
        maps = [self.maps[self._channel(index)] for index in batch]

        def source(top: int, bottom: int, left: int, right: int) -> Tensor:
            parts = []
            for reader, intensity in zip(readers, maps, strict=True):
                values = intensity.forward(reader.part(slice(top, bottom), slice(left, right)))
                parts.append(np.moveaxis(values, -1, 0) if self.axes.rgb else values[None])
            stacked = np.concatenate([part[:, None] for part in parts]) if self.separate else np.stack(parts)
            return torch.from_numpy(np.ascontiguousarray(stacked))

        first = (self.scale * self.ranges[self.axes.y][0], self.scale * self.ranges[self.axes.x][0])
        result = BatchResult(
            out,
            np.dtype(image.dtype),
            self.axes,
            batch,
            maps,
            self.region,
            first=first,
            separate=self.separate,
            check=self._check_finite,
        )

        def write(top: int, left: int, part: Tensor) -> None:
            writing.add(result.add, top, left, part)

        planes = len(batch) * (3 if self.separate else 1)
        self._set_noise(batch)
        along_x = None if self.region.along is None else self.region.along == self.axes.x
        self.runner.run(source, planes, self.height, self.width, write, progress, along_x=along_x)

        def finish() -> None:
            result.finish()
            self._clipped += result.clipped

        writing.add(finish)

    def _reader(self, image: ImageArray, read: ImageArray, index: PlaneIndex) -> _PlaneReader | CutoutReader:
        """Reader of one plane; for RGBA one that spreads the colors to transparent pixels."""
        if not self.axes.rgba:
            return _PlaneReader(self.axes, read, index)
        return CutoutReader(
            self.region.axes,
            image,
            self._in_image(index),
            top=self.ranges[self.axes.y][0],
            left=self.ranges[self.axes.x][0],
            height=self.height,
            width=self.width,
            keep=isinstance(image, np.ndarray) or _is_small(self.axes, read),
        )

    def _in_image(self, index: PlaneIndex) -> PlaneIndex:
        """Index in the whole image of a plane of the part."""
        return tuple(
            entry if isinstance(entry, slice) else entry + start
            for entry, (start, _) in zip(index, self.region.ranges, strict=True)
        )

    def _set_noise(self, batch: list[PlaneIndex]) -> None:
        """Set the noise of the planes of a batch, of each of their colors if those are separate planes."""
        if self.calibration.noise:
            channels = [self._channel(index) for index in batch]
            denoise, blur = self.settings.denoise, self.settings.blur
            levels = [self.calibration.noise_levels(channel, denoise, blur) for channel in channels]
            constant, slope, floor = zip(*(level for plane in levels for level in plane), strict=True)
            self.noise.set(constant, slope, floor)

    def _resize_opacities(
        self, image: ImageArray, out: WritableArray, batch: list[PlaneIndex], writing: Writing
    ) -> None:
        """Resize the alpha channel of RGBA planes."""
        whole = slice(None)
        axes, region = self.region.axes, self.region
        (rows, down), (columns, across) = region.rows.opacity(), region.columns.opacity()
        for index in batch:
            opacity = axes.plane(image, axes.part(self._in_image(index), slice(*rows), slice(*columns), 3))
            writing.add(
                self.axes.place, out, self.axes.part(index, whole, whole, 3), resize_opacity(opacity, down, across)
            )

    def _channel(self, index: PlaneIndex) -> int | None:
        """Number of the channel of a plane in the whole image; None without separate channels."""
        channel = self.axes.channel_of(index)
        return None if channel is None else channel + self.region.first_channel

    def _used_maps(self) -> dict[int | None, IntensityMap]:
        """Intensity maps of the channels of the part."""
        channels = dict.fromkeys(self._channel(index) for index in self.axes.plane_indices())
        return {channel: self.maps[channel] for channel in channels if channel in self.maps}

    def report(self, seconds: float, size: int, dtype: np.dtype[Any]) -> Report:
        """Return the report of the run.

        Parameters
        ----------
        seconds : float
            Duration, in seconds.
        size : int
            Number of values of the result.
        dtype : dtype
            Data type of the image.
        """
        maps, own = self._used_maps(), own_range(np.dtype(dtype), rgb=self.axes.rgb)
        return Report(
            model=self.model.name,
            alpha=self.model.alpha,
            mixing=self.model.mixing,
            scale=self.scale,
            factors=(self.region.rows.factor, self.region.columns.factor),
            part=None if self.region.whole else dict(zip(self.axes.letters, self.region.ranges, strict=True)),
            device=describe_device(self.device),
            precision=self._precision,
            tiling=self.runner.tiling,
            not_exact_because=self.runner.not_exact_because,
            intensity={"" if c is None else str(c): (m.low, m.high) for c, m in maps.items()},
            own_range=all((m.low, m.high) == own for m in maps.values()),
            planes=self.axes.plane_count,
            strips=self.runner.strips,
            peak_memory=self.runner.peak,
            halved=self.runner.halved,
            clipped=self._clipped,
            recomputed=self.runner.recomputed,
            seconds=seconds,
            pixels_per_second=size / max(seconds, 1e-9),
            warnings=self.values.warnings,
        )


class _PlaneReader:
    """Reads parts of one plane; the plane is loaded once as a whole if it is small compared with the free memory."""

    def __init__(self, axes: Axes, image: ImageArray, index: PlaneIndex) -> None:
        self._axes, self._image, self._index = axes, image, index
        whole = isinstance(image, np.ndarray) or _is_small(axes, image)
        self._plane = axes.plane(image, index) if whole else None

    def part(self, rows: slice, columns: slice) -> NDArray[Any]:
        """Some rows and columns, (Y, X) or (Y, X, 3)."""
        if self._plane is not None:
            part = self._plane[rows, columns]
            return part[..., :3] if self._axes.rgb else part
        return self._axes.plane(self._image, self._axes.part(self._index, rows, columns, slice(0, 3)))


def _is_small(axes: Axes, image: ImageArray) -> bool:
    """Whether a plane is small compared with the free memory."""
    pixels = axes.shape[axes.y] * axes.shape[axes.x] * (axes.shape[-1] if axes.rgb else 1)
    return bool(pixels * np.dtype(image.dtype).itemsize < free_memory(torch.device("cpu")) // 8)
