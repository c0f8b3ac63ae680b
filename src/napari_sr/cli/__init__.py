"""The command line: `napari-sr upscale | suggest | train | degrade | evaluate | models | check | demo`.

Modules are imported when a command runs, so that ``napari-sr --help`` is fast. Results are printed to standard output,
progress and errors to standard error. The exit status is 0, or 2 after an error, or 1 after a failed check or if one of
several images failed, or 128 and the number of the signal that ended the command (130 for Ctrl-C, 143 for SIGTERM). No
incomplete file is left in any case.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from napari_sr import __version__
from napari_sr.cli.bar import Bar
from napari_sr.cli.check import check
from napari_sr.cli.cluster import ResourcesOption, SchedulerOption, upscale_at_scheduler
from napari_sr.cli.degrading import degrade
from napari_sr.cli.group import Commands, IntoOne
from napari_sr.cli.models import models
from napari_sr.cli.one import upscale_one
from napari_sr.cli.options import (
    KERNELS,
    Alpha,
    MixingOption,
    ModelOption,
    OmeZarrOption,
    Quiet,
    Scale,
    SeriesOption,
    Upsampling,
    option_names,
    with_settings,
)
from napari_sr.cli.several import is_several, upscale_several
from napari_sr.cli.signals import signals
from napari_sr.cli.suggesting import suggest
from napari_sr.cli.training import train
from napari_sr.cli.window import why_no_window
from napari_sr.errors import InputError

if TYPE_CHECKING:
    from napari_sr.evaluation import Channels
    from napari_sr.evaluation.folders import Upscale
    from napari_sr.imaging.resize import Kernel
    from napari_sr.settings import JobSettings
    from napari_sr.zoo import Model
    from napari_sr.zoo.card import Mixing


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Super-resolution of microscopy images: SRCNN, SRGAN and ESRGAN.",
)


def main() -> None:
    """Run the command line."""
    with warnings.catch_warnings():
        show = warnings.showwarning
        warnings.showwarning = lambda message, category, *where: (
            # A notice of ours is a sentence for the user; those of libraries are for developers.
            typer.echo(f"Note: {message}", err=True) if category is FutureWarning else show(message, category, *where)
        )
        app(prog_name="napari-sr")


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"napari-sr {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(cls=IntoOne)
@with_settings()
def upscale(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="IN", help="TIFF, OME-TIFF, PNG, JPEG or Zarr; or several, folders, or 'plate/**/*.tif'."
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Result: .ome.tif, .tif, .png, .ome.zarr or .zarr; of several images a folder."
        ),
    ],
    model: ModelOption,
    *,
    alpha: Alpha = None,
    scale: Scale = None,
    upsampling: Upsampling = None,
    mixing: MixingOption = None,
    axes: Annotated[str | None, typer.Option(help="Axes such as ZYX, where the file does not contain them.")] = None,
    series: SeriesOption = None,
    result_format: Annotated[
        str | None,
        typer.Option("--format", help="Of several images: format of the results, such as .ome.tif. Default: as IN."),
    ] = None,
    devices: Annotated[
        str | None,
        typer.Option(help="Of several images: devices that compute at the same time, such as cpu,vulkan."),
    ] = None,
    scheduler: SchedulerOption = None,
    resources: ResourcesOption = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Of several images: write the table as CSV too.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print size, memory and time, or the plan for several images; write nothing."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT, or files in it.")] = False,
    ome_zarr: OmeZarrOption = "0.5",
    quiet: Quiet = False,
    given: dict[str, Any],
) -> None:
    """Upscale an image, or several into a folder. Results keep the metadata, with the pixel size divided by the factor.

    Of several images, finished ones are skipped, and the command continues after an image that cannot be used.
    The defaults of device, precision and memory are those of the settings file, which the window shares.
    """
    from napari_sr.config import load_settings
    from napari_sr.inference.suggest import AUTO

    if model == AUTO:
        named = {"--alpha": alpha, "--mixing": mixing, "--upsampling": upsampling}
        for option, given_value in named.items():
            if given_value is not None:
                raise InputError(
                    f"{option} is for a model that is chosen by name: give one in place of auto, such as that of "
                    "napari-sr suggest."
                )

    def load() -> Model | str:
        return AUTO if model == AUTO else _load(model, alpha, scale, upsampling, mixing)

    if scheduler is None and resources is not None:
        raise InputError("--resources are those of workers: give --scheduler too.")
    several = is_several(sources)
    if several and scheduler is not None:
        raise InputError("--scheduler is for one large image: give one, or leave it out.")
    for option, value in (("--format", result_format), ("--devices", devices), ("--csv", csv)):
        if not several and value is not None:
            raise InputError(f"{option} is for several images: leave it out, or give a folder.")
    settings = load_settings(**given)
    common: dict[str, Any] = {
        "scale": scale,
        "axes": axes,
        "series": series,
        "dry_run": dry_run,
        "overwrite": overwrite,
        "ome_zarr": ome_zarr,
        "quiet": quiet,
    }
    if several:
        upscale_several(sources, out, load, settings, result_format=result_format, devices=devices, csv=csv, **common)
    elif scheduler is not None:
        upscale_at_scheduler(Path(sources[0]), out, load, settings, scheduler=scheduler, resources=resources, **common)
    else:
        upscale_one(Path(sources[0]), out, load, settings, **common)


app.command()(suggest)
app.command()(train)
app.command()(degrade)
app.command()(check)
app.command()(models)


@app.command()
@with_settings("device", "precision", "tiling", "memory", "self_ensemble")
def evaluate(
    images: Annotated[
        Path,
        typer.Argument(metavar="IMAGES", help="Results, or low-resolution images with --model: a file or a folder."),
    ],
    reference: Annotated[
        Path, typer.Argument(metavar="REFERENCE", help="References: a file, or a folder with the same names.")
    ],
    *,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help=f"Model that upscales IMAGES first, or {KERNELS}. May be repeated."),
    ] = None,
    scale: Annotated[int | None, typer.Option(help="Factor; with --model by default from the sizes.")] = None,
    channels: Annotated[str, typer.Option(help="For RGB: luma (Y of BT.601) or plain (R, G and B).")] = "luma",
    border: Annotated[int | None, typer.Option(help="Pixels left out on each side; by default the factor.")] = None,
    data_range: Annotated[
        float | None, typer.Option(help="Range of the values, the peak in PSNR; by default that of the integer type.")
    ] = None,
    alpha: Alpha = None,
    upsampling: Upsampling = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; PSNR is null for identical images.")] = False,
    quiet: Quiet = False,
    context: typer.Context,
    given: dict[str, Any],
) -> None:
    """Compare images with references by PSNR and SSIM.

    The figures of each image, their mean and the protocol are printed.
    """
    from napari_sr.evaluation import evaluate_files, pair_files
    from napari_sr.evaluation.tables import fidelity_csv, fidelity_json, fidelity_table

    if as_csv and as_json:
        raise InputError("The output is CSV or JSON, not both: leave out --csv or --json.")
    from napari_sr.config import load_settings

    options = ["alpha", "upsampling", *(option for setting in given for option in option_names(setting))]
    _check_used(model or [], {option: context.params[option] for option in options})
    settings = load_settings(**given)
    pairs = pair_files(images, reference, scale=scale)
    factor = _factor(scale, border, (pairs[0].image, pairs[0].reference) if model else None)
    methods = {name: _method(name, factor, alpha, upsampling, settings) for name in model or []}
    compared = cast("Channels", channels)
    with Bar(quiet, "image") as bar:
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
    out: Annotated[Path, typer.Option(help="Folder of the files if there is no window.")] = Path("napari-sr-demo"),
    sample: Annotated[str, typer.Option(help="fluorescence or electron.")] = "fluorescence",
    model: ModelOption = "auto",
    no_window: Annotated[bool, typer.Option("--no-window", help="Write files even if there is a display.")] = False,
) -> None:
    """Upscale a sample image, in napari or to files.

    If there is no display that can be used, the files are written with a picture and the figures are printed.
    """
    reason = "--no-window was given" if no_window else why_no_window()
    if reason is None:
        from napari_sr.widgets.demo import open_demo

        # The window has its own ways to be closed.
        signals.hand_over()
        open_demo(sample, model)
        return
    from napari_sr.evaluation import write_showcase
    from napari_sr.inference import Job, suggest
    from napari_sr.inference.suggest import AUTO
    from napari_sr.samples import load_sample

    image = load_sample(sample)
    name = suggest(image.low, image.axes, scale=image.factor).model if model == AUTO else model
    loaded = _load(name, None, image.factor, None)
    result = Job(loaded).run(image.low, image.axes)
    showcase = write_showcase(out, image, result.data, loaded.name)
    typer.echo(f"No window was opened: {reason}.")
    typer.echo(f"{image.title}: {image.source} ({image.license}).")
    typer.echo(result.report.sentence())
    typer.echo(
        f"Against the ground truth: {loaded.name} PSNR {showcase.result.psnr:.2f} dB, SSIM {showcase.result.ssim:.4f}; "
        f"bicubic PSNR {showcase.bicubic.psnr:.2f} dB, SSIM {showcase.bicubic.ssim:.4f} ({showcase.result.protocol})."
    )
    typer.echo("Written:\n" + "\n".join(f"  {path}" for path in showcase.files))


def _load(
    name: str, alpha: float | None, scale: int | None, upsampling: str | None, mixing: str | None = None
) -> Model:
    from napari_sr.zoo import load_model

    # load_model checks kernel and mixing.
    kernel, mixed = cast("Kernel | None", upsampling), cast("Mixing | None", mixing)
    return load_model(name, alpha=alpha, mixing=mixed, scale=scale, upsampling=kernel)


def _check_used(methods: list[str], options: dict[str, Any]) -> None:
    """Check that no option of a model is given without a model; interpolations have none."""
    from napari_sr.evaluation import BASELINES

    given = [name for name, value in options.items() if value is not None]
    if given and all(method in BASELINES for method in methods):
        without = " or ".join(dict.fromkeys(methods)) or "no model"
        option = f"--{given[0].replace('_', '-')}"
        raise InputError(f"{option} has no effect with {without}: leave it out, or add a trained model with --model.")


def _method(name: str, scale: int, alpha: float | None, upsampling: str | None, settings: JobSettings) -> Upscale:
    """Return a function that upscales an image file, by interpolation or with a model."""
    from napari_sr.evaluation import BASELINES, interpolate
    from napari_sr.inference import Job

    if name in BASELINES:
        return lambda image: interpolate(image.data, scale, name, axes=image.axes)
    job = Job(_load(name, alpha, scale, upsampling), settings)
    return lambda image: job.run(image.data, image.axes).data


def _factor(scale: int | None, border: int | None, first: tuple[Path, Path] | None) -> int:
    """Return the given factor, or that of the sizes of the first low-resolution image and its reference."""
    if scale is not None:
        return scale
    if first is not None:
        from napari_sr.evaluation import scale_of_sizes
        from napari_sr.imaging.files import read_image

        return scale_of_sizes(*(read_image(path) for path in first))
    if border is None:
        raise InputError("The border to leave out is not known: give --scale, the factor of the results, or --border.")
    return 1
