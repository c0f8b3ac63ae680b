"""`napari-sr suggest`: a model and settings for an image."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated, cast

import typer

from napari_sr.cli.options import Json, SeriesOption

if TYPE_CHECKING:
    from napari_sr.inference import Suggestion
    from napari_sr.inference.suggest import SuggestedFamily


def suggest(
    source: Annotated[Path, typer.Argument(metavar="IN", help="TIFF, OME-TIFF, PNG, JPEG or Zarr.")],
    *,
    scale: Annotated[float, typer.Option(help="Factor of the result, above 1 and at most 4.")] = 2.0,
    family: Annotated[str | None, typer.Option(help="Family of the model: srcnn, srgan or esrgan.")] = None,
    axes: Annotated[str | None, typer.Option(help="Axes such as ZYX, where the file does not contain them.")] = None,
    series: SeriesOption = None,
    as_json: Json = False,
) -> None:
    """Suggest a model and settings for an image, with the reasons."""
    from napari_sr.imaging.files import read_image
    from napari_sr.inference import suggest as suggest_for

    image, chosen = read_image(source, series=series, lazy=True), cast("SuggestedFamily | None", family)
    suggestion = suggest_for(image, axes, scale=scale, family=chosen)
    if as_json:
        typer.echo(json.dumps({**asdict(suggestion), "outside": suggestion.outside}, indent=2))
        return
    typer.echo(f"Model: {suggestion.model}")
    for sentence in suggestion.reasons:
        typer.echo(f"  {sentence}")
    for sentence in suggestion.warnings:
        typer.echo(f"  Warning: {sentence}")
    typer.echo(f"Use it: {_command(source, axes, series, suggestion)}")


def _command(source: Path, axes: str | None, series: str | None, suggestion: Suggestion) -> str:
    """Return the command that upscales the image as suggested."""
    from napari_sr.imaging.files import stem_of

    # A name that begins with a dash would be read as an option.
    names = (str(source), f"{stem_of(source)}-upscaled.ome.tif")
    words = ["napari-sr", "upscale", *(f"./{name}" if name.startswith("-") else name for name in names)]
    words += ["--model", suggestion.model]
    words += [*(["--axes", axes] if axes else []), *(["--series", series] if series else [])]
    options = {"target": "--factor"}
    for name, value in suggestion.settings.items():
        words += [options.get(name, f"--{name}"), str(value)]
    return join(words)
