"""Measure what remains of intensities in the results of models: slopes, calibration and sums over objects.

    python benchmarks/intensities.py DATA [--models esrgan-microscopy-x2 ...] [--scale 2] [--conditions matched ...]

The images are those of benchmarks/held_out.py. For each data set and condition, a line for bicubic interpolation and
for each model; models with inputs for noise and blur with the noise measured, once with blur 0 and once with the blur
as it was. Columns:

- slope: of the result over the truth by least squares, all pixels of all images.
- best: the slope of the estimate with this squared error that is best in the least squares, 1 - (squared error) /
  (variance of the truth). If noise hides a part of the truth, no estimate has a slope of 1 over the truth.
- calibration: slope of the truth over the result. It can be 1: where the result is 100, the mean of the truth is 100.
- objects: regions of the smoothed truth above Otsu's threshold, and the sum of the result over them less that of the
  truth, above the median of the background: for all together, and the median over objects of the absolute deviation.
- slope over objects: of these sums over those of the truth.
- plain sum: the sum over objects with nothing subtracted.
- darkest, brightest: mean of the result less that of the truth, in gray levels of 255 of the span, over the darkest and
  the brightest 2 % of the smoothed truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from comparison.conditions import CONDITIONS, Case, cases_of
from comparison.methods import Method, interpolation, model_rows
from comparison.truths import LISTED, held_out_sets
from held_out import header
from scipy import ndimage
from skimage.filters import threshold_otsu

import napari_sr as sr

Plane = npt.NDArray[np.float64]
COLUMNS = (
    "slope",
    "best",
    "calibration",
    "objects",
    "their sum",
    "median",
    "slope over objects",
    "plain sum",
    "darkest",
    "brightest",
)
ROWS = ("measured, blur 0", "measured, blur as it was")


def objects(truth: Plane) -> tuple[npt.NDArray[np.int32], int, float]:
    """Label the objects of an image; return the labels, their number and the median of the background."""
    smooth = ndimage.gaussian_filter(truth, 2)
    bright = smooth > threshold_otsu(smooth)
    labels, count = ndimage.label(ndimage.binary_dilation(bright, iterations=3))
    sizes = ndimage.sum_labels(np.ones_like(truth), labels, range(1, count + 1))
    labels[np.isin(labels, 1 + np.flatnonzero(sizes < 200))] = 0
    large = np.unique(labels[labels > 0])
    background = float(np.median(truth[labels == 0]))
    return np.searchsorted(large, labels) * (labels > 0) + (labels > 0), len(large), background


def slope(result: Plane, truth: Plane) -> float:
    """Return the slope of the result over the truth, by least squares."""
    return float(np.cov(truth.ravel(), result.ravel())[0, 1] / np.var(truth, ddof=1))


def ends(result: Plane, truth: Plane, peak: float) -> tuple[float, float]:
    """Return the shifts of the darkest and the brightest 2 % of an image, in gray levels of 255 of its span."""
    smooth = ndimage.gaussian_filter(truth, 2)
    low, high = np.quantile(smooth, (0.02, 0.98))
    shift = (result - truth) * 255 / peak
    return float(shift[smooth <= low].mean()), float(shift[smooth >= high].mean())


def figures(method: Method, cases: Sequence[Case]) -> list[str]:
    """Return the cells of a method's line."""
    results, truths, sums, shifts = [], [], [], []
    for case in cases:
        result, truth = method.call(case).compute().astype(np.float64), case.truth.values
        labels, count, dark = objects(truth)
        pairs = [
            ndimage.sum_labels(x, labels, range(1, count + 1)) for x in (result - dark, truth - dark, result, truth)
        ]
        # Images have different units: everything is in units of the span.
        sums.append(np.array(pairs) / case.truth.peak)
        shifts.append(ends(result, truth, case.truth.peak))
        results.append((result - dark).ravel() / case.truth.peak)
        truths.append((truth - dark).ravel() / case.truth.peak)
    result, truth, every = np.concatenate(results), np.concatenate(truths), np.concatenate(sums, axis=1)
    best = 1 - float(np.mean((result - truth) ** 2) / np.var(truth))
    cells = [f"{value:.3f}" for value in (slope(result, truth), best, slope(truth, result))]
    cells.append(str(every.shape[1]))
    if every.shape[1] > 1:
        ratios = every[0] / every[1]
        cells.append(f"{100 * (every[0].sum() / every[1].sum() - 1):+.2f} %")
        cells.append(f"{100 * np.median(np.abs(ratios - 1)):.2f} %")
        cells.append(f"{slope(every[0], every[1]):.3f}")
        cells.append(f"{100 * (every[2].sum() / every[3].sum() - 1):+.2f} %")
    else:
        cells += [""] * 4
    return cells + [f"{np.mean(side):+.2f}" for side in zip(*shifts, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder that holds micro/ and train/")
    parser.add_argument("--models", nargs="+", default=["esrgan-microscopy-x2", "srcnn-microscopy-x2"])
    parser.add_argument("--scale", type=int, default=2, help="factor")
    parser.add_argument("--sets", nargs="+", default=[""], help="parts of the names of data sets")
    parser.add_argument("--conditions", nargs="+", choices=[c.name for c in CONDITIONS], default=["matched", "binning"])
    parser.add_argument("--list", type=Path, default=LISTED, help="the files that are kept aside")
    parser.add_argument("--cache", type=Path, help="folder of benchmarks/held_out.py's --cache")
    parser.add_argument("--threads", type=int, help="threads of torch")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    methods = {"bicubic": interpolation("bicubic")}
    for name in arguments.models:
        rows = model_rows(sr.load_model(name))
        methods |= {row: m for row, m in rows.items() if len(rows) == 1 or row.endswith(ROWS)}
    for data_set in held_out_sets(arguments.data, arguments.list):
        if not any(part in data_set.name for part in arguments.sets):
            continue
        for condition in CONDITIONS:
            if condition.name not in arguments.conditions:
                continue
            print(f"\n### {data_set.name}, {condition.name}, x{arguments.scale}\n")
            print(*header(COLUMNS), sep="\n")
            cases = cases_of(data_set, condition, arguments.scale, arguments.cache)
            for row, method in methods.items():
                print(f"| {row} | " + " | ".join(figures(method, cases)) + " |", flush=True)


if __name__ == "__main__":
    main()
