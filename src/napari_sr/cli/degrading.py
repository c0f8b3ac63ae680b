"""`napari-sr degrade`: low-resolution versions of images, computed as in the training of a model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_sr.cli.signals import Ended
from napari_sr.conversion import read_scale
from napari_sr.errors import InputError
from napari_sr.imaging.atomic import clear_abandoned

if TYPE_CHECKING:
    from napari_sr.training.recipe import Degradation


def degrade(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="High-resolution images: a file or a folder.")],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="Folder for the low-resolution images, which keep their names; of one file also a name in .tif or "
            ".png.",
        ),
    ],
    recipe: Annotated[
        str,
        typer.Option("--model", "-m", help="A model trained with napari-sr, or a recipe file, with the degradation."),
    ],
    scale: Annotated[int | None, typer.Option(help="Factor; by default that of the model.")] = None,
    noise_scale: Annotated[
        float,
        typer.Option(help="Factor on the noise: 16 adapts the noise of 8-bit images to 12-bit images (0 to 4095)."),
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=1, help="Seed of the random values in the ranges of the recipe.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Downsample images as in the training of a model.

    The result is input of the model for which the true result is known.

    Compare with: napari-sr evaluate OUT IMAGES --model MODEL --model bicubic.
    """
    from napari_sr.evaluation.folders import image_files
    from napari_sr.imaging.files import WRITABLE
    from napari_sr.inference.files.one_file import check_output
    from napari_sr.training.data.degradation import describe_degradation, with_noise_times

    degradation, factor = _degradation(recipe)
    factor = factor if scale is None else read_scale(scale)
    if factor is None:
        raise InputError(f"The recipe {recipe} has no factor: give --scale.")
    degradation = with_noise_times(degradation, noise_scale)
    sources = image_files(images)
    if images in sources and out.name.lower().endswith(WRITABLE) and not out.is_dir():
        targets = [out]
        check_output(images, out, overwrite)
    else:
        targets = [out / f"{path.stem}.tif" for path in sources]
        _make_folder(out, sources, targets, overwrite)
    for number, (source, target) in enumerate(zip(sources, targets, strict=True)):
        try:
            _degrade_file(source, target, factor, degradation, seed + number)
        except Ended as ended:
            ended.sentence = f"Stopped: {number} of {len(sources)} images were written to {out}."
            raise
    count = "one image" if len(sources) == 1 else f"{len(sources)} images"
    typer.echo(f"{out}: {count}, {factor} times smaller: {describe_degradation(degradation)}.")


def _make_folder(out: Path, sources: list[Path], targets: list[Path], overwrite: bool) -> None:
    """Check that the low-resolution images can be written, and make their folder."""
    from napari_sr.inference.output.paths import FORMATS

    existing = [path for path in targets if os.path.lexists(path)]
    if existing and not overwrite:
        raise InputError(f"{existing[0]} exists already: give another folder, or --overwrite.")
    if out.resolve() in {path.resolve().parent for path in sources}:
        raise InputError(f"{out} is the folder of the images themselves: give another one.")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is not a folder: give a folder for the low-resolution images.")
    if not out.exists() and out.name.lower().endswith(FORMATS):
        raise InputError(f"{out} is the name of an image: give a folder for the low-resolution images.")
    out.mkdir(parents=True, exist_ok=True)
    clear_abandoned(out)


def _degrade_file(source: Path, target: Path, factor: int, degradation: Degradation, seed: int) -> None:
    """Write the low-resolution version of an image."""
    from napari_sr.imaging.axes import parse_axes
    from napari_sr.imaging.files import read_image, write_image
    from napari_sr.training.data.blur import check_wavelength
    from napari_sr.training.data.degradation import degrade_image

    image = read_image(source)
    axes = parse_axes(image.axes, image.data.shape)
    # Along X, as in a training.
    size = image.pixel_size.get("X")
    check_wavelength(degradation.blur, image.unit)
    low = degrade_image(image.data, axes, factor, degradation, seed=seed, pixel_size=size)
    write_image(target, low, axes.letters, metadata=image.resampled({"Y": 1 / factor, "X": 1 / factor}))


def _degradation(name: str) -> tuple[Degradation, int | None]:
    """Return the degradation of a recipe file or of the card of a model, and the factor if it is known."""
    from napari_sr.training.recipe import Recipe, load_recipe

    if name.endswith(".toml"):
        recipe = load_recipe(name, training=False)
        settings: dict[str, Any] = {} if recipe.network is None else recipe.network.settings
        scale = settings.get("scale")
    else:
        from napari_sr.zoo.catalog import find_card

        card = find_card(name)
        if card is None or card.recipe is None or card.paired:
            raise InputError(f"{name} has no degradation that can be computed on its card: give a recipe file instead.")
        recipe, scale = Recipe.from_toml(card.recipe, f"the recipe on the card of {name}"), card.scale
    if recipe.conditions is not None:
        raise InputError(
            f"{name} has random conditions in place of one degradation: give a recipe file with a table [degradation] "
            "that describes your microscope."
        )
    return recipe.degradation, scale
