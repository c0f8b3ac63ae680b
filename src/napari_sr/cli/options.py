"""The options that commands share, and what is read from their texts. Needs neither torch nor numpy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from napari_sr.config import parse_memory
from napari_sr.errors import InputError
from napari_sr.inference.settings import PRECISIONS, TILINGS, Overlap, Tiling

if TYPE_CHECKING:
    from napari_sr.imaging.intensity import IntensitySpec
    from napari_sr.inference.memory import Memory

KERNELS = "nearest, bilinear, bicubic or lanczos3"
ModelOption = Annotated[str, typer.Option("--model", "-m", help="A name from `napari-sr models`, or a weight file.")]
Alpha = Annotated[
    float | None, typer.Option(help="For a model of two weight sets: 0 the first (faithful) to 1 the second (sharp).")
]
MixingOption = Annotated[
    str | None,
    typer.Option("--mixing", help="What alpha mixes: weights (network interpolation) or images (the two results)."),
]
Scale = Annotated[int | None, typer.Option(help="Factor, for weight files that do not tell theirs (SRCNN's).")]
Upsampling = Annotated[str | None, typer.Option(help=f"For SRCNN, how the input is enlarged first: {KERNELS}.")]
DeviceOption = Annotated[
    str | None, typer.Option(help="auto, cpu, cuda, cuda:1 ... or mps.", show_default="as configured")
]
PrecisionOption = Annotated[
    str | None, typer.Option(help=f"Numbers to compute in: {', '.join(PRECISIONS)}.", show_default="as configured")
]
TilingOption = Annotated[
    str | None,
    typer.Option(help=f"How planes go through: {', '.join(TILINGS)}. By default exact, or overlap with --tile."),
]
TileSide = Annotated[int | None, typer.Option(help="Side of an overlap tile, in pixels of the input.")]
TileOverlap = Annotated[int | None, typer.Option("--overlap", help="Pixels a tile discards on each side.")]
TileBlend = Annotated[int | None, typer.Option("--blend", help="Pixels over which tiles are cross-faded.")]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        help="What exact tiling may take beyond image and result: auto, bytes, or such as 2GiB or 500MiB.",
        show_default="as configured",
    ),
]
SeriesOption = Annotated[
    str | None, typer.Option("--series", help="Which image of a file with several: its name, or its number from 0.")
]
SelfEnsemble = Annotated[
    bool, typer.Option("--self-ensemble", help="Average over 8 flips and turns of the image: 8 times the work.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no report.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def read_tiling(name: str | None, tile: int | None, overlap: int | None, blend: int | None) -> Tiling:
    """Give the tiling by name, or by its sizes where any is given.

    Raises
    ------
    InputError
        If sizes are given for another tiling than by tiles, or do not go together.
    """
    sizes = {key: n for key, n in (("tile", tile), ("overlap", overlap), ("blend", blend)) if n is not None}
    if sizes and name not in (None, "overlap"):
        raise InputError(f"--{next(iter(sizes))} is for overlap tiles: leave it out with --tiling {name}.")
    # A name that does not exist is refused by the job, with the names that do.
    return Overlap(**sizes) if sizes else cast("Tiling", name or "exact")


def read_memory(text: str | None, tiling: Tiling) -> Memory | None:
    """Read a budget: auto, bytes, or a number with its unit; None where nothing was said.

    Raises
    ------
    InputError
        If it is none of these, or the tiling is not the one that it bounds.
    """
    if text is None:
        return None
    budget = parse_memory(text)
    if budget != "auto" and tiling != "exact":
        raise InputError("--memory is for exact tiling: leave it out, or --tiling and the sizes of tiles.")
    return budget


def read_target(factor: float | None, pixel_size: str | None) -> float | str | None:
    """Give the size that is wished for, by a factor or a pixel size.

    Raises
    ------
    InputError
        If both are given, or the pixel size has no unit.
    """
    if factor is not None and pixel_size is not None:
        raise InputError("A factor and a pixel size are two wishes: leave one of --factor and --pixel-size out.")
    if pixel_size is not None and re.fullmatch(r"[\d.\s]*", pixel_size):
        raise InputError(f"The pixel size {pixel_size} has no unit: write such as --pixel-size '0.05 um'.")
    return factor if pixel_size is None else pixel_size


def read_batch(text: str) -> int | Literal["auto"]:
    """Read how many planes go through together; the number is checked by the job.

    Raises
    ------
    InputError
        If it is neither auto nor a number.
    """
    if text == "auto":
        return "auto"
    if not re.fullmatch(r"\d{1,9}", text):
        raise InputError(f"The batch {text} is no number of planes: give auto, or 1 or more.")
    return int(text)


def read_intensity(text: str) -> IntensitySpec:
    """Read LOW,HIGH as a pair of numbers, percentile:LOW,HIGH as percentiles; words are checked where they are used.

    Raises
    ------
    InputError
        If there is a comma and no pair of numbers.
    """
    if "," not in text:
        return cast("IntensitySpec", text)
    bounds = text.removeprefix("percentile:")
    try:
        low, high = (float(part) for part in bounds.split(","))
    except ValueError:
        raise InputError(f"The intensity {text} is no pair of numbers: write LOW,HIGH, such as 100,4095.") from None
    if bounds == text:
        return low, high
    from napari_sr.imaging.intensity import Percentiles

    return Percentiles(low, high)
