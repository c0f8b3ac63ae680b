"""Files of a sample image, its result and its ground truth, with the figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.evaluation.baseline import bicubic, interpolate
from napari_sr.evaluation.fidelity import Fidelity, evaluate
from napari_sr.evaluation.side_by_side import Panel, side_by_side
from napari_sr.imaging.files import write_image
from napari_sr.samples import Sample

#: Percentiles of the ground truth that are black and white in the picture.
_SHOWN = (0.5, 99.8)


@dataclass(frozen=True)
class Showcase:
    """Files and figures from `write_showcase`.

    Parameters
    ----------
    result, bicubic : Fidelity
        Fidelity of the model's result and of bicubic interpolation to the ground truth.
    files : tuple of Path
        The files, the picture last.
    """

    result: Fidelity
    bicubic: Fidelity
    files: tuple[Path, ...]


def write_showcase(folder: Path, sample: Sample, result: npt.NDArray[Any], model: str) -> Showcase:
    """Write input, result, bicubic and ground truth as TIFF with their pixel sizes, and a picture of all four.

    Parameters
    ----------
    folder : Path
        The folder, which is created if necessary. Files of the same names are replaced.
    sample : Sample
        The input and the ground truth.
    result : array, shape of ``sample.high``
        The result of a model for ``sample.low``, in its dtype.
    model : str
        Name of the model, for the picture.

    Raises
    ------
    InputError
        If the result does not have the size of the ground truth.

    Notes
    -----
    The data range of the figures is the range of the values of the ground truth; that of uint16 would add 30 dB.
    """
    plain = bicubic(sample.low, sample.factor)
    span = float(np.ptp(sample.high.astype(np.float64)))
    figures = [evaluate(image, sample.high, scale=sample.factor, data_range=span) for image in (result, plain)]
    folder.mkdir(parents=True, exist_ok=True)
    images = {"input": sample.low, "bicubic": plain, "result": result, "ground-truth": sample.high}
    written = []
    for name, image in images.items():
        size = sample.pixel_size if name == "input" else sample.high_pixel_size
        written.append(folder / f"{sample.name}-{name}.tif")
        write_image(written[-1], image, sample.axes, None if size is None else {"Y": size, "X": size}, sample.unit)
    written.append(folder / f"{sample.name}-side-by-side.png")
    write_image(written[-1], _picture(sample, result, plain, model, figures), "YXC")
    return Showcase(figures[0], figures[1], tuple(written))


def _picture(
    sample: Sample, result: npt.NDArray[Any], plain: npt.NDArray[Any], model: str, figures: list[Fidelity]
) -> npt.NDArray[np.uint8]:
    low, high = np.percentile(sample.high, _SHOWN)
    return side_by_side(
        [
            Panel("input, pixels enlarged", interpolate(sample.low, sample.factor, "nearest")),
            Panel(f"bicubic, {figures[1].psnr:.2f} dB", plain),
            Panel(f"{model}, {figures[0].psnr:.2f} dB", result),
            Panel("ground truth", sample.high),
        ],
        contrast=(float(low), float(high)),
        inset=sample.inset,
        zoom=sample.high.shape[1] // sample.inset[2],
    )
