"""The command line: `napari-sr upscale | train | degrade | evaluate | models | demo`.

The only room that prints. What a command needs is imported when it runs, so that ``napari-sr --help`` is there at once.
Results go to standard output, progress and errors to standard error. The exit status is 0, or 2 after a sentence that
says what could not be done, or 130 when the user stopped it; then nothing was written.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperGroup

from napari_sr import __version__
from napari_sr.cli.degrading import degrade
from napari_sr.cli.options import (
    KERNELS,
    Alpha,
    DeviceOption,
    Json,
    MemoryOption,
    MixingOption,
    ModelOption,
    PrecisionOption,
    Quiet,
    Scale,
    SelfEnsemble,
    SeriesOption,
    TileBlend,
    TileOverlap,
    TileSide,
    TilingOption,
    Upsampling,
    read_batch,
    read_intensity,
    read_memory,
    read_target,
    read_tiling,
)
from napari_sr.cli.output import check_format, check_place, estimated, left_sentence, upscale_to
from napari_sr.cli.training import train
from napari_sr.errors import InputError, NapariSRError

if TYPE_CHECKING:
    from napari_sr.evaluation import Channels
    from napari_sr.evaluation.folders import Upscale
    from napari_sr.imaging.resize import Kernel
    from napari_sr.zoo import Model, ModelEntry
    from napari_sr.zoo.card import Mixing

_FAILED, _STOPPED = 2, 130


class _Commands(TyperGroup):
    """Turns what goes wrong on purpose into one sentence and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # `napari-sr models | head`: whoever read the output has gone, and typer ends quietly.
            raise
        except NapariSRError as error:
            sentence = " ".join(str(error).split())
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            sentence = f"{where}{error.strerror or error}."
        except MemoryError:
            sentence = "The image does not fit into memory: take a part of it, or fewer planes."
        except KeyboardInterrupt:
            typer.echo("Stopped; nothing was written.", err=True)
            raise typer.Exit(_STOPPED) from None
        typer.echo(f"napari-sr: {sentence}", err=True)
        raise typer.Exit(_FAILED)


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Super-resolution of microscopy images: SRCNN, SRGAN and ESRGAN.",
)


def main() -> None:
    """Run the command line."""
    app(prog_name="napari-sr")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"napari-sr {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def upscale(
    source: Annotated[Path, typer.Argument(metavar="IN", help="TIFF, OME-TIFF, PNG, JPEG or Zarr.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="What to write: .ome.tif, .tif, .png or .zarr.")],
    model: ModelOption,
    alpha: Alpha = None,
    scale: Scale = None,
    upsampling: Upsampling = None,
    mixing: MixingOption = None,
    axes: Annotated[str | None, typer.Option(help="Axes such as ZYX, where the file does not say.")] = None,
    series: SeriesOption = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
    tiling: TilingOption = None,
    tile: TileSide = None,
    overlap: TileOverlap = None,
    blend: TileBlend = None,
    memory: MemoryOption = None,
    self_ensemble: SelfEnsemble = False,
    batch: Annotated[str, typer.Option(help="Planes of a stack that go through together: auto, or how many.")] = "auto",
    intensity: Annotated[
        str,
        typer.Option(help="Which values are black and white: auto, dtype, percentile, percentile:1,99, or LOW,HIGH."),
    ] = "auto",
    factor: Annotated[float | None, typer.Option(help="Another factor than the model's, such as 2.5.")] = None,
    pixel_size: Annotated[
        str | None,
        typer.Option("--pixel-size", help='Pixel size of the result, such as "0.05 um".'),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would give and cost; write nothing.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT when it exists.")] = False,
    quiet: Quiet = False,
) -> None:
    """Upscale one image; its metadata are kept, and its pixel sizes divided by the factor.

    Device, precision and memory come from the settings file that the window shares, unless they are given here.

    A .zarr is written while the work goes on and may be larger than memory: one array with the attributes "axes"
    ("ZYX"), "pixel_size" ({"Z": 0.3, "Y": 0.1, "X": 0.1}) and "unit" ("micrometer", or null when unknown). Of a file
    with several images the largest is upscaled.
    """
    plan, bounds = read_tiling(tiling, tile, overlap, blend), read_intensity(intensity)
    limit, together = read_memory(memory, plan), read_batch(batch)
    wished = read_target(factor, pixel_size)
    if not dry_run:
        check_place(source, out, overwrite)
    from napari_sr.imaging.axes import parse_axes
    from napari_sr.imaging.files import read_image
    from napari_sr.inference import Job
    from napari_sr.inference.job import given

    image = read_image(source, series=series)
    if image.left_series and not quiet:
        typer.echo(left_sentence(image), err=True)
    meaning = parse_axes(axes or image.axes, image.data.shape)
    check_format(out, image, meaning)
    job = Job(
        model=_load(model, alpha, scale, upsampling, mixing),
        tiling=plan,
        self_ensemble=self_ensemble,
        batch=together,
        intensity=bounds,
        target=wished,
        **given(device=device, precision=precision, memory=limit),
    )
    if dry_run:
        typer.echo(estimated(job, image, meaning))
        return
    with _Bar(quiet, "row") as bar:
        report = upscale_to(out, job, image, meaning, bar)
    if not quiet:
        typer.echo(f"{out}: {report.sentence()}")


app.command()(train)
app.command()(degrade)


@app.command()
def models(as_json: Json = False) -> None:
    """List the models at hand, and published ones with where to get them."""
    from napari_sr.evaluation.tables import as_columns
    from napari_sr.zoo import list_models, model_folder
    from napari_sr.zoo.published import find_published

    entries = list_models()
    if as_json:
        typer.echo(json.dumps([_as_record(entry) for entry in entries], indent=2))
        return
    header = ["NAME", "FAMILY", "FACTOR", "COLOUR", "DOMAIN", "WHERE", "LICENCE"]
    typer.echo(as_columns([header, *(_model_row(entry) for entry in entries)]))
    for entry in entries:
        if entry.problem is not None:
            typer.echo(f"\n{entry.name}: {entry.problem}")
    absent = [(entry, find_published(entry.name)) for entry in entries if entry.path is None]
    if absent:
        typer.echo(f"\nTo use a published model, get its file and put it into {model_folder()}:")
        typer.echo(as_columns([[f"  {entry.name}", p.file if p else "", entry.url or ""] for entry, p in absent]))


@app.command()
def evaluate(
    images: Annotated[Path, typer.Argument(help="Results, or with --model low-resolution inputs: a file or a folder.")],
    reference: Annotated[Path, typer.Argument(help="What they should be: a file, or a folder with the same names.")],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help=f"Upscale IMAGES with it first: a model, or {KERNELS}. May be repeated."),
    ] = None,
    scale: Annotated[int | None, typer.Option(help="Factor; found from the sizes when --model is given.")] = None,
    channels: Annotated[str, typer.Option(help="For RGB: luma (Y of BT.601) or plain (R, G and B).")] = "luma",
    border: Annotated[int | None, typer.Option(help="Pixels left out on each side; by default the factor.")] = None,
    data_range: Annotated[
        float | None, typer.Option(help="Span of values that counts as the peak; by default that of the integer type.")
    ] = None,
    alpha: Alpha = None,
    upsampling: Upsampling = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
    tiling: TilingOption = None,
    tile: TileSide = None,
    overlap: TileOverlap = None,
    blend: TileBlend = None,
    memory: MemoryOption = None,
    self_ensemble: SelfEnsemble = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (PSNR null: identical images).")] = False,
    quiet: Quiet = False,
) -> None:
    """Compare images with their references: PSNR and SSIM, each image and the mean, by a protocol that is named."""
    from napari_sr.evaluation import evaluate_files, pair_files
    from napari_sr.evaluation.tables import fidelity_csv, fidelity_json, fidelity_table

    if as_csv and as_json:
        raise InputError("The output is CSV or JSON, not both: leave one of --csv and --json out.")
    plan = read_tiling(tiling, tile, overlap, blend)
    chosen = {"device": device, "precision": precision, "memory": read_memory(memory, plan)}
    how: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    how |= {"tiling": plan, "self_ensemble": self_ensemble}
    pairs = pair_files(images, reference, scale=scale)
    factor = _factor(scale, border, (pairs[0].image, pairs[0].reference) if model else None)
    methods = {name: _method(name, factor, alpha, upsampling, how) for name in model or []}
    compared = cast("Channels", channels)
    with _Bar(quiet, "image") as bar:
        rows = evaluate_files(
            pairs,
            methods or {"": None},
            scale=factor,
            channels=compared,
            border=border,
            data_range=data_range,
            progress=bar,
        )
    layout = fidelity_csv if as_csv else fidelity_json if as_json else fidelity_table
    typer.echo(layout(rows))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the files written without a window.")] = Path("napari-sr-demo"),
    sample: Annotated[str, typer.Option(help="fluorescence or electron.")] = "fluorescence",
    model: ModelOption = "esrgan-compact-x4",
    no_window: Annotated[bool, typer.Option("--no-window", help="Write files even where there is a display.")] = False,
) -> None:
    """Upscale a sample image: in napari where there is a display, else as files with a picture and figures."""
    reason = "--no-window was given" if no_window else _why_no_window()
    if reason is None:
        from napari_sr.widgets.demo import open_demo

        open_demo(sample, model)
        return
    from napari_sr.evaluation import write_showcase
    from napari_sr.inference import Job
    from napari_sr.samples import load_sample

    field = load_sample(sample)
    loaded = _load(model, None, field.factor, None)
    result = Job(model=loaded).run(field.low, field.axes)
    shown = write_showcase(out, field, result.data, loaded.name)
    typer.echo(f"No window was opened: {reason}.")
    typer.echo(f"{field.title}: {field.source} ({field.licence}).")
    typer.echo(result.report.sentence())
    typer.echo(
        f"Against the ground truth: {loaded.name} PSNR {shown.result.psnr:.2f} dB, SSIM {shown.result.ssim:.4f}; "
        f"bicubic PSNR {shown.bicubic.psnr:.2f} dB, SSIM {shown.bicubic.ssim:.4f} ({shown.result.protocol})."
    )
    typer.echo("Written:\n" + "\n".join(f"  {path}" for path in shown.files))


class _Bar:
    """A progress bar on standard error, where that is a terminal; called as ``progress(done, total)``."""

    def __init__(self, quiet: bool, unit: str) -> None:
        from tqdm import tqdm

        # disable=None: no bar where standard error is no terminal.
        self._bar = tqdm(unit=unit, leave=False, disable=True if quiet else None, file=sys.stderr)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def __call__(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)


def _load(
    name: str, alpha: float | None, scale: int | None, upsampling: str | None, mixing: str | None = None
) -> Model:
    from napari_sr.zoo import load_model

    # Kernel and mixing are checked there, with a sentence.
    kernel, mixed = cast("Kernel | None", upsampling), cast("Mixing | None", mixing)
    return load_model(name, alpha=alpha, mixing=mixed, scale=scale, upsampling=kernel)


def _method(name: str, scale: int, alpha: float | None, upsampling: str | None, how: dict[str, Any]) -> Upscale:
    """Give what upscales an image file: an interpolation, or a model."""
    from napari_sr.evaluation import BASELINES, interpolate
    from napari_sr.inference import Job

    if name in BASELINES:
        return lambda image: interpolate(image.data, scale, name, axes=image.axes)
    job = Job(model=_load(name, alpha, scale, upsampling), **how)
    return lambda image: job.run(image.data, image.axes).data


def _factor(scale: int | None, border: int | None, first: tuple[Path, Path] | None) -> int:
    """Give the factor: as the user says, or from the sizes of the first low-resolution image and its reference."""
    if scale is not None:
        return scale
    if first is not None:
        from napari_sr.evaluation import scale_of_sizes
        from napari_sr.imaging.files import read_image

        return scale_of_sizes(*(read_image(path) for path in first))
    if border is None:
        raise InputError(
            "Give --scale, the factor of the results (as many pixels of border are left out), or --border."
        )
    return 1


def _why_no_window() -> str | None:
    if sys.platform not in ("darwin", "win32") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "there is no display"
    if find_spec("napari") is None or not any(map(find_spec, ("PyQt6", "PySide6", "PyQt5", "PySide2"))):
        return "napari is not installed (pip install 'napari-sr[gui]')"
    return None


def _as_record(entry: ModelEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "where": entry.where,
        "path": None if entry.path is None else str(entry.path),
        "url": entry.url,
        "licence": entry.licence,
        "problem": entry.problem,
        "card": None if entry.card is None else entry.card.model_dump(mode="json"),
    }


def _model_row(entry: ModelEntry) -> list[str]:
    from napari_sr.zoo.published import find_published

    card, published = entry.card, find_published(entry.name)
    known = card or published
    where = f"{entry.where}, not here" if entry.path is None else entry.where
    return [
        entry.name,
        known.family if known else "",
        f"x{known.scale}" if known else "",
        card.colour if card else "",
        (card.domain or "") if card else "",
        where if entry.problem is None else f"{where}, unusable",
        entry.licence or "",
    ]
