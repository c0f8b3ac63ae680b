"""`napari-sr degrade`: the low-resolution twins that a model was trained to start from, of images with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_sr.errors import InputError

if TYPE_CHECKING:
    from napari_sr.training.recipe import Degradation


def degrade(
    images: Annotated[Path, typer.Argument(help="High-resolution images: a file or a folder.")],
    out: Annotated[Path, typer.Argument(help="Folder for the low-resolution twins, which keep their names.")],
    recipe: Annotated[
        str, typer.Option("--model", "-m", help="Whose degradation: a model that was trained here, or a recipe's file.")
    ],
    scale: Annotated[int | None, typer.Option(help="Factor; by default the model's.")] = None,
    noise_scale: Annotated[
        float,
        typer.Option(help="Multiplies the noise: 16 brings that of 8-bit images to 12-bit ones, up to 4095."),
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=1, help="Decides where in the recipe's ranges each image lies.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files in OUT.")] = False,
) -> None:
    """Make low-resolution twins of images as a model's training did, to see what the model makes of them.

    Then compare: napari-sr evaluate OUT IMAGES --model MODEL --model bicubic.
    """
    from napari_sr.evaluation.folders import image_files
    from napari_sr.imaging.axes import parse_axes
    from napari_sr.imaging.files import read_image, write_image
    from napari_sr.training.degradation import degrade_image, describe_degradation, with_noise_times

    how, factor = _degradation(recipe)
    factor = scale or factor
    if factor is None:
        raise InputError(f"The recipe {recipe} names no factor: give --scale.")
    how = with_noise_times(how, noise_scale)
    sources = image_files(images)
    targets = [out / f"{path.stem}.tif" for path in sources]
    taken = [path for path in targets if path.exists()]
    if taken and not overwrite:
        raise InputError(f"{taken[0]} exists already: give another folder, or --overwrite.")
    if out.resolve() in {path.resolve().parent for path in sources}:
        raise InputError(f"{out} is the folder of the images themselves: give another one.")
    out.mkdir(parents=True, exist_ok=True)
    for number, (source, target) in enumerate(zip(sources, targets, strict=True)):
        image = read_image(source)
        axes = parse_axes(image.axes, image.data.shape)
        size = image.pixel_size.get("Y")
        low = degrade_image(image.data, axes, factor, how, seed=seed + number, pixel_size=size)
        write_image(target, low, axes.letters, metadata=image.resampled({"Y": 1 / factor, "X": 1 / factor}))
    typer.echo(f"{out}: {len(sources)} images, {factor} times smaller: {describe_degradation(how)}.")


def _degradation(name: str) -> tuple[Degradation, int | None]:
    """The degradation of a recipe's file or of a model's card, and its factor where it is known."""
    from napari_sr.training.recipe import Recipe, load_recipe
    from napari_sr.zoo.card import AS_TAKEN

    if name.endswith(".toml"):
        recipe = load_recipe(name)
        settings: dict[str, Any] = {} if recipe.network is None else recipe.network.settings
        return recipe.degradation, settings.get("scale")
    from napari_sr.zoo import load_model

    card = load_model(name).card
    if card.recipe is None or card.degradation == AS_TAKEN:
        raise InputError(f"The card of {name} tells no degradation that could be made: give a recipe's file instead.")
    return Recipe.from_toml(card.recipe, f"the recipe on the card of {name}").degradation, card.scale
