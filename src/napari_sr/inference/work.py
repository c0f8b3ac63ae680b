"""One run of a job: planes read, put through the network, and placed in the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_sr.imaging.axes import Axes, ImageArray, PlaneIndex, WritableArray
from napari_sr.imaging.intensity import IntensityMap
from napari_sr.imaging.part import crop
from napari_sr.inference.channels import network_for, separate_colours
from napari_sr.inference.device import describe_device
from napari_sr.inference.memory import free_memory
from napari_sr.inference.opacity import CutoutReader
from napari_sr.inference.plane import PlaneRunner
from napari_sr.inference.region import Region, resize_opacity
from napari_sr.inference.report import Report
from napari_sr.inference.resampling import Resampling
from napari_sr.inference.settings import Cancel, Progress

if TYPE_CHECKING:
    from napari_sr.inference.job import Job

#: Pixels of the planes that go through together, with ``batch="auto"``.
BATCH_PIXELS = {"cpu": 128 * 128, "cuda": 1024 * 1024, "mps": 512 * 512}


class Work:
    """One run of a job: what is counted while the planes go through.

    Parameters
    ----------
    job : Job
        What is done.
    region : Region
        What of the image, and what becomes of it.
    maps : dict
        Intensity maps of the whole image by channel.
    dtype : dtype
        Of the image's values.
    progress, cancel : callable
        As `Job.run` takes them.
    """

    def __init__(
        self,
        job: Job,
        region: Region,
        maps: Mapping[int | None, IntensityMap],
        dtype: Any,
        progress: Progress,
        cancel: Cancel,
    ) -> None:
        self.job, self.region, self.maps, self.progress = job, region, maps, progress
        self.card, self.scale = job.model.card, job.model.scale
        self.device, self.dtype = job.where(dtype)
        rgb = region.axes.rgb
        self.separate = rgb and separate_colours(self.card)
        network = network_for(job.model.network, self.card, 3 if rgb and not self.separate else 1)
        self.runner = PlaneRunner(
            network,
            self.device,
            self.dtype,
            job.tiling,
            memory=job.memory,
            self_ensemble=job.self_ensemble,
            cancel=cancel,
        )
        self.ranges = region.read(int(network.receptive_radius), int(network.alignment))  # type: ignore[arg-type]
        self.axes = Axes(region.axes.letters, tuple(stop - start for start, stop in self.ranges))
        self.height, self.width = self.axes.shape[self.axes.y], self.axes.shape[self.axes.x]
        self.clipped = 0

    def run(self, image: ImageArray, out: WritableArray) -> float:
        """Put all planes through, the first alone so that something is there soon; give the seconds it took."""
        started = time.perf_counter()
        read = crop(image, self.ranges)
        indices = list(self.axes.plane_indices())
        unit = max(self.height, self.width)
        done = 0
        self.progress(0, unit * len(indices))
        while done < len(indices):
            group = indices[done : done + (1 if done == 0 else self._batch())]

            def step(part: int, total: int, before: int = done, count: int = len(group)) -> None:
                self.progress(unit * before + unit * count * part // total, unit * len(indices))

            self._group(image, read, out, group, step)
            if self.axes.rgba:
                self._opacities(image, out, group)
            done += len(group)
        return time.perf_counter() - started

    def _batch(self) -> int:
        """Planes that go through together: small ones, since a large one keeps the device busy alone."""
        if self.job.batch != "auto":
            return self.job.batch
        pixels = BATCH_PIXELS.get(self.device.type, BATCH_PIXELS["cpu"])
        return max(1, min(32, pixels // (self.height * self.width)))

    def _group(
        self,
        whole: ImageArray,
        image: ImageArray,
        out: WritableArray,
        group: list[PlaneIndex],
        step: Callable[[int, int], None],
    ) -> None:
        """Upscale some planes together, in the layer's own dtype and values."""
        readers = [self._reader(whole, image, index) for index in group]
        maps = [self.maps[self._channel(index)] for index in group]

        def source(top: int, bottom: int, left: int, right: int) -> Tensor:
            parts = []
            for reader, intensity in zip(readers, maps, strict=True):
                values = intensity.forward(reader.part(slice(top, bottom), slice(left, right)))
                parts.append(np.moveaxis(values, -1, 0) if self.axes.rgb else values[None])
            stacked = np.concatenate([part[:, None] for part in parts]) if self.separate else np.stack(parts)
            return torch.from_numpy(np.ascontiguousarray(stacked))

        def place(top: int, left: int, values: NDArray[np.float32]) -> None:
            rows, columns = slice(top, top + values.shape[2]), slice(left, left + values.shape[3])
            for index, intensity, plane in zip(group, maps, values, strict=True):
                restored, clipped = intensity.inverse(plane, image.dtype)
                self.clipped += clipped
                restored = np.moveaxis(restored, 0, -1) if self.axes.rgb else restored[0]
                self.axes.place(out, self.axes.part(index, rows, columns, slice(0, 3)), restored)

        rows, columns = self.region.rows, self.region.columns
        resampling = Resampling(len(group), 3 if self.axes.rgb else 1, rows, columns) if self.region.resized else None
        first = (self.scale * self.ranges[self.axes.y][0], self.scale * self.ranges[self.axes.x][0])

        def sink(top: int, left: int, part: Tensor) -> None:
            values = part.numpy()
            if self.separate:
                values = values.reshape(len(group), 3, *values.shape[2:])
            # The margin around a part was only read so that the part is right.
            above, down = _kept(first[0] + top, values.shape[2], rows.kept)
            before, across = _kept(first[1] + left, values.shape[3], columns.kept)
            values = values[:, :, down, across]
            if values.size:
                (place if resampling is None else resampling.add)(above, before, values)

        planes = len(group) * (3 if self.separate else 1)
        self.runner.run(source, planes, self.height, self.width, sink, step)
        if resampling is not None:
            place(0, 0, resampling.result)

    def _reader(self, whole: ImageArray, image: ImageArray, index: PlaneIndex) -> _Reader | CutoutReader:
        """A reader of one plane; of RGBA the colors are spread where nothing is visible."""
        if not self.axes.rgba:
            return _Reader(self.axes, image, index)
        return CutoutReader(
            self.region.axes,
            whole,
            self._moved(index),
            top=self.ranges[self.axes.y][0],
            left=self.ranges[self.axes.x][0],
            height=self.height,
            width=self.width,
            keep=isinstance(whole, np.ndarray) or _fits(self.axes, image),
        )

    def _moved(self, index: PlaneIndex) -> PlaneIndex:
        """Index in the whole image of a plane of the part."""
        return tuple(
            entry if isinstance(entry, slice) else entry + start
            for entry, (start, _) in zip(index, self.region.ranges, strict=True)
        )

    def _opacities(self, image: ImageArray, out: WritableArray, group: list[PlaneIndex]) -> None:
        """Resize the A of RGBA."""
        whole = slice(None)
        axes, region = self.region.axes, self.region
        (rows, down), (columns, across) = region.rows.opacity(), region.columns.opacity()
        for index in group:
            opacity = axes.plane(image, axes.part(self._moved(index), slice(*rows), slice(*columns), 3))
            self.axes.place(out, self.axes.part(index, whole, whole, 3), resize_opacity(opacity, down, across))

    def _channel(self, index: PlaneIndex) -> int | None:
        """Number of a plane's channel in the whole image."""
        channel = self.axes.channel_of(index)
        return None if channel is None else channel + self.region.first_channel

    def _used_maps(self) -> dict[int | None, IntensityMap]:
        """Intensity maps of the channels that the part has."""
        channels = dict.fromkeys(self._channel(index) for index in self.axes.plane_indices())
        return {channel: self.maps[channel] for channel in channels}

    def report(self, seconds: float, size: int) -> Report:
        """Say what was done, for a result of `size` values."""
        return Report(
            model=self.job.model.name,
            alpha=self.job.model.alpha,
            mixing=self.job.model.mixing,
            scale=self.scale,
            factors=(self.region.rows.factor, self.region.columns.factor),
            part=None if self.region.whole else dict(zip(self.axes.letters, self.region.ranges, strict=True)),
            device=describe_device(self.device),
            precision=str(self.dtype).removeprefix("torch."),
            tiling=self.runner.used,
            intensity={"" if c is None else str(c): (m.low, m.high) for c, m in self._used_maps().items()},
            planes=self.axes.plane_count,
            strips=self.runner.strips,
            peak_memory=self.runner.peak,
            halved=self.runner.halved,
            clipped=self.clipped,
            recomputed=self.runner.recomputed,
            seconds=seconds,
            pixels_per_second=size / max(seconds, 1e-9),
        )


class _Reader:
    """Reads the parts of one plane; a plane that is not in memory is brought there whole when it is small beside it."""

    def __init__(self, axes: Axes, image: ImageArray, index: PlaneIndex) -> None:
        self._axes, self._image, self._index = axes, image, index
        keep = isinstance(image, np.ndarray) or _fits(axes, image)
        self._plane = axes.plane(image, index) if keep else None

    def part(self, rows: slice, columns: slice) -> NDArray[Any]:
        """Some rows and columns, (Y, X) or (Y, X, 3)."""
        if self._plane is not None:
            part = self._plane[rows, columns]
            return part[..., :3] if self._axes.rgb else part
        return self._axes.plane(self._image, self._axes.part(self._index, rows, columns, slice(0, 3)))


def _fits(axes: Axes, image: ImageArray) -> bool:
    """Whether a plane is small beside the memory that is free."""
    pixels = axes.shape[axes.y] * axes.shape[axes.x] * (axes.shape[-1] if axes.rgb else 1)
    return bool(pixels * np.dtype(image.dtype).itemsize < free_memory(torch.device("cpu")) // 8)


def _kept(start: int, count: int, kept: tuple[int, int]) -> tuple[int, slice]:
    """Where a piece begins in what is kept of the network's result, and which of its pixels are."""
    first, last = max(start, kept[0]), min(start + count, kept[1])
    return first - kept[0], slice(first - start, max(last, first) - start)
