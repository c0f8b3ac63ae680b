"""The parts of a region that are left to compute, where a killed run has left an unfinished store.

Lines are rows, or columns where the image is streamed along X.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from napari_sr.imaging.axes import WritableArray
from napari_sr.imaging.part import Range
from napari_sr.inference.output.bands import Bands, Placed
from napari_sr.inference.region import Region
from napari_sr.inference.report import Report, joined
from napari_sr.progress import Progress
from napari_sr.zoo.model import Model


@dataclass(frozen=True)
class RestPart:
    """A part that is computed at once.

    Parameters
    ----------
    region : Region
        The region of the image.
    out : array
        Where its result is written, in coordinates of the part.
    lines : int
        Lines of the result, over all planes, that are finished when the part begins.
    again : int, default 0
        Lines of the image before the part that are computed again.
    """

    region: Region
    out: WritableArray
    lines: int
    again: int = 0


@dataclass(frozen=True)
class Rest:
    """All parts that are left.

    Parameters
    ----------
    parts : tuple of RestPart
        The parts, in the order of the planes.
    region : Region
        The region of the whole run.
    continued : int
        Lines of the result, over all planes, that an interrupted run had finished.
    along : int
        Axis along which lines follow each other.
    """

    parts: tuple[RestPart, ...]
    region: Region
    continued: int
    along: int

    def progress(self, part: RestPart, progress: Progress) -> Progress:
        """Return the progress of one part as that of the whole run."""
        if not self.continued:
            return progress
        lines, total = self._lines(part.region), self._lines(self.region)
        return lambda done, of: progress(part.lines + lines * done // max(1, of), total)

    def report(self, reports: Sequence[Report]) -> Report:
        """Combine the reports of all parts."""
        report = reports[0]
        for other in reports[1:]:
            report = joined(report, other)
        if not self.continued:
            return report
        part = dict(zip(self.region.axes.letters, self.region.ranges, strict=True))
        seconds = sum(each.seconds for each in reports)
        values = sum(each.pixels_per_second * each.seconds for each in reports)
        return replace(
            report,
            part=None if self.region.whole else part,
            planes=self.region.result_axes.plane_count,
            seconds=seconds,
            pixels_per_second=values / max(seconds, 1e-9),
            continued=self.continued,
            repeated=sum(each.again for each in self.parts),
        )

    def _lines(self, region: Region) -> int:
        """Number of lines of a region of the result, over all planes."""
        axes = region.result_axes
        return axes.plane_count * axes.shape[self.along]


def unfinished(region: Region, out: Any, model: Model) -> Rest:
    """Divide a region into the parts that are left to compute.

    Parameters
    ----------
    region : Region
        The region of the whole run.
    out : array
        The whole result. Only `Bands` have a record of finished lines.
    model : Model
        The model.

    Returns
    -------
    Rest
        The whole region in one part if no line is finished. Otherwise the rest of each plane that was begun, and the
        planes after the last of those together. If all planes are finished, the last line of the last plane is left, so
        that there is a report.
    """
    if not isinstance(out, Bands) or not out.continued:
        return Rest((RestPart(region, out, 0),), region, 0, region.axes.y)
    axes, length = region.result_axes, region.result_axes.shape[out.along]
    shape = [axes.shape[axis] for axis in axes.plane_axes]
    planes = list(np.ndindex(*shape))
    done = [out.finished_lines(plane) for plane in planes]
    begun = 1 + max(number for number, lines in enumerate(done) if lines)
    parts, finished = [], 0
    for plane, lines in zip(planes[:begun], done, strict=False):
        box = tuple((place, place + 1) for place in plane)
        if lines < length or (sum(done) == length * len(planes) and plane == planes[-1]):
            parts.append(_part(region, box, out, lines, finished, model))
        finished += length
    for box in boxes(shape, begun):
        parts.append(_part(region, box, out, 0, finished, model))
        finished += length * prod(stop - start for start, stop in box)
    return Rest(tuple(parts), region, sum(done), out.along)


def boxes(shape: Sequence[int], begin: int) -> Iterator[tuple[Range, ...]]:
    """Divide all planes from one on into boxes.

    Parameters
    ----------
    shape : sequence of int
        Number of planes along each plane axis.
    begin : int
        Number of the first plane, in the order in which the last axis is the fastest.

    Yields
    ------
    tuple of (int, int)
        First position and the one after the last along each plane axis, in the order of the planes.
    """
    if begin >= prod(shape):
        return
    first = np.unravel_index(begin, shape)
    for depth in reversed(range(len(shape))):
        # The position itself is in the first box.
        start = int(first[depth]) + (depth < len(shape) - 1)
        if start < shape[depth]:
            before = ((int(place), int(place) + 1) for place in first[:depth])
            yield (*before, (start, shape[depth]), *((0, length) for length in shape[depth + 1 :]))


def _part(region: Region, box: tuple[Range, ...], out: Bands, done: int, before: int, model: Model) -> RestPart:
    """Return the rest of some planes, of which the first lines are finished."""
    axes, span = region.axes, region.span(out.along)
    first, last = span.source_range
    start = [0] * axes.ndim
    ranges = list(region.ranges)
    for axis, (begin, end) in zip(axes.plane_axes, box, strict=True):
        offset = region.ranges[axis][0]
        ranges[axis], start[axis] = (offset + begin, offset + end), begin
    if not region.resized and done:
        # The line of the image with the first line that is left; the last one if none is.
        first = min((span.result_range[0] + done) // span.scale, last - 1)
    ranges[out.along] = (first, last)
    left = replace(span, source_range=(first, last))
    rows, columns = (left, region.columns) if out.along == axes.y else (region.rows, left)
    rest = replace(region, ranges=tuple(ranges), rows=rows, columns=columns)
    start[out.along] = left.result_range[0] - span.result_range[0]
    again = 0
    if first > span.source_range[0]:
        radius, alignment = max(2, model.receptive_radius), int(model.network.alignment)  # type: ignore[arg-type]
        again = first - rest.read(radius, alignment)[out.along][0]
    skipped = done - start[out.along]
    return RestPart(rest, Placed(out, tuple(start), out.along, skipped), before + start[out.along], again)
