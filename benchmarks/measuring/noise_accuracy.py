"""Tables of the accuracy and the time of the noise measurement."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from measuring.noise_cases import Case, Errors, cases, errors, local_mean
from measuring.scenes import Plane, Scene, upper_bound
from napari_sr.imaging.noise import measure_noise

Deviation = Callable[[Plane], Plane]
Method = Callable[[npt.NDArray[Any]], Mapping[str, Deviation]]
CAUTIONS = (0.0, 0.5, 1.0, 2.0)
#: Sides of the images with which the time is measured, in pixels.
SIDES = (64, 128, 256, 512, 1024, 2048)


def measured(image: npt.NDArray[Any]) -> Mapping[str, Deviation]:
    """Measure the noise, with several degrees of caution."""
    noise = measure_noise([image], stack=False)
    return {f"caution {caution:g}": lambda mean, c=caution: noise.sigma(mean, caution=c) for caution in CAUTIONS}


def second_differences(image: npt.NDArray[Any]) -> Mapping[str, Deviation]:
    """Take second differences in quiet tiles, as one figure for all brightness."""
    deviation = upper_bound(image.astype(np.float64))
    return {"second differences": lambda mean: np.full(mean.shape, deviation)}


def wavelets(image: npt.NDArray[Any]) -> Mapping[str, Deviation]:
    """Take `skimage.restoration.estimate_sigma`, which needs PyWavelets, as one figure for all brightness."""
    from skimage.restoration import estimate_sigma

    deviation = float(np.nan_to_num(estimate_sigma(image.astype(np.float64))))
    return {"skimage estimate_sigma": lambda mean: np.full(mean.shape, deviation)}


def accuracy(by_kind: Mapping[str, Sequence[Scene]], count: int, seed: int, others: bool) -> Iterator[str]:
    """Yield the lines of the tables."""
    methods: list[Method] = [measured]
    if others:
        methods += [second_differences, wavelets]
    for noisy in (True, False):
        images = cases(by_kind, count if noisy else max(1, count // 2), noisy=noisy, seed=seed)
        name = "known noise" if noisy else "no noise"
        yield f"\n{len(images)} images with {name}\n"
        yield "| | images | error: median | 90 % | largest | bias | above 15 % | excess: 90 % | largest | above 1.15 |"
        yield "|" + "---|" * 10
        for method in methods:
            rows: dict[str, list[Errors]] = {}
            for case in images:
                mean = local_mean(case.image)
                for row, deviation in method(case.image).items():
                    rows.setdefault(row, []).append(errors(case, deviation(mean)))
            for row, found in rows.items():
                yield from _rows(row, found, images)


def _rows(row: str, found: Sequence[Errors], images: Sequence[Case]) -> Iterator[str]:
    yield _line(f"**{row}**", found)
    for kind in dict.fromkeys(case.kind for case in images):
        yield _line(f"{row}, {kind}", [one for one, case in zip(found, images, strict=True) if case.kind == kind])


def _line(name: str, found: Sequence[Errors]) -> str:
    error = np.array([one.error for one in found if one.error is not None])
    excess = np.array([one.excess for one in found if one.excess is not None])
    cells = [name, str(len(found))]
    if len(error):
        size = np.abs(error)
        cells += [f"{np.median(size):.3f}", f"{np.quantile(size, 0.9):.3f}", f"{size.max():.2f}"]
        cells += [f"{np.median(error):+.3f}", f"{np.mean(size > 0.15):.2f}"]
    else:
        cells += [""] * 5
    if len(excess):
        cells += [f"{np.quantile(excess, 0.9):.2f}", f"{excess.max():.2f}", f"{np.mean(excess > 1.15):.2f}"]
    else:
        cells += [""] * 3
    return "| " + " | ".join(cells) + " |"


def times(runs: int = 5) -> Iterator[str]:
    """Yield the lines of the table of times: one measurement of one plane, in one thread."""
    yield "\n| side in pixels | seconds | seconds per megapixel |"
    yield "|---|---|---|"
    rng = np.random.default_rng(0)
    for side in SIDES:
        rows, columns = np.mgrid[:side, :side] / 16
        image = rng.poisson(100 + 90 * np.sin(rows) * np.cos(columns)).astype(np.uint16)
        seconds = []
        for _ in range(runs):
            start = time.process_time()
            measure_noise([image])
            seconds.append(time.process_time() - start)
        middle = float(np.median(seconds))
        yield f"| {side} | {middle:.3f} | {middle / image.size * 1e6:.2f} |"
