"""The options that commands share, and what is read from their texts. Needs neither torch nor numpy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

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
Scale = Annotated[int | None, typer.Option(help="Factor, for weight files that do not tell theirs (SRCNN's).")]
Upsampling = Annotated[str | None, typer.Option(help=f"For SRCNN, how the input is enlarged first: {KERNELS}.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ... or mps.")]
PrecisionOption = Annotated[str, typer.Option(help=f"Numbers to compute in: {', '.join(PRECISIONS)}.")]
TilingOption = Annotated[
    str | None,
    typer.Option(help=f"How planes go through: {', '.join(TILINGS)}. By default exact, or overlap with --tile."),
]
TileSide = Annotated[int | None, typer.Option(help="Side of an overlap tile, in pixels of the input.")]
TileOverlap = Annotated[int | None, typer.Option("--overlap", help="Pixels a tile discards on each side.")]
TileBlend = Annotated[int | None, typer.Option("--blend", help="Pixels over which tiles are cross-faded.")]
MemoryOption = Annotated[
    str,
    typer.Option(help="What exact tiling may take beyond image and result: auto, bytes, or such as 2GiB or 500MiB."),
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


def read_memory(text: str, tiling: Tiling) -> Memory:
    """Read a budget: auto, bytes, or a number with its unit.

    Raises
    ------
    InputError
        If it is none of these, or the tiling is not the one that it bounds.
    """
    if text == "auto":
        return "auto"
    found = re.fullmatch(r"(\d{1,15}(?:\.\d+)?) ?(?:([KMGT]?)(i?)B)?", text, re.IGNORECASE)
    if found is None:
        raise InputError(f"The memory {text} is no budget: give auto, a number of bytes, or such as 2GiB or 500MiB.")
    if tiling != "exact":
        raise InputError("--memory is for exact tiling: leave it out, or --tiling and the sizes of tiles.")
    number, prefix, binary = found.groups(default="")
    return int(float(number) * (1024 if binary else 1000) ** " KMGT".index(prefix.upper() or " "))


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
    """Read LOW,HIGH as a pair of numbers; words are checked where they are used.

    Raises
    ------
    InputError
        If there is a comma and no pair of numbers.
    """
    if "," not in text:
        return cast("IntensitySpec", text)
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"The intensity {text} is no pair of numbers: write LOW,HIGH, such as 100,4095.") from None
    return low, high
