"""Many images against their references: two files, or two folders matched by file name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.evaluation.fidelity import Channels, Fidelity, evaluate
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.files import ImageFile, read_image

#: Endings of the files looked at in a folder; others, a list of sources say, are left alone.
ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
_NAMED = 5

Upscale = Callable[[ImageFile], npt.NDArray[Any]]


@dataclass(frozen=True)
class Pair:
    """An image and the reference it is compared with.

    Parameters
    ----------
    name : str
        The reference's file name without its ending.
    image, reference : Path
        The two files.
    """

    name: str
    image: Path
    reference: Path


@dataclass(frozen=True)
class FileFidelity:
    """The fidelity of one image by one method.

    Parameters
    ----------
    name : str
        The image's name.
    method : str
        The model or interpolation that made it; "" for results that were there already.
    fidelity : Fidelity
        The figures and their protocol.
    """

    name: str
    method: str
    fidelity: Fidelity


def pair_files(images: Path, reference: Path, *, scale: int | None = None) -> list[Pair]:
    """Match two files, or the image files of two folders by name.

    Parameters
    ----------
    images, reference : Path
        Two files, which are a pair whatever their names, or two folders.
    scale : int, optional
        The factor that low-resolution names may end with: ``babyx4.png`` is then ``baby.png``'s. Any when left out.

    Returns
    -------
    list of Pair
        Sorted by name.

    Raises
    ------
    InputError
        If a file or folder is missing, one is a file and the other a folder, or a name has no counterpart or several.
    """
    for path in (images, reference):
        if not path.exists():
            raise InputError(f"There is no file or folder {path}: check the name.")
    if images.is_dir() != reference.is_dir():
        raise InputError(f"{images} and {reference} are a file and a folder: give two files or two folders.")
    if not images.is_dir():
        return [Pair(reference.stem, images, reference)]
    references = _by_stem(reference)
    matched: dict[str, Path] = {}
    unmatched: list[str] = []
    for stem, path in _by_stem(images).items():
        name = stem if stem in references else _without_factor(stem, scale)
        if name not in references:
            unmatched.append(path.name)
        elif name in matched:
            raise InputError(f"Both {matched[name].name} and {path.name} belong to {references[name].name}: keep one.")
        else:
            matched[name] = path
    unmatched += [path.name for stem, path in references.items() if stem not in matched]
    if unmatched:
        raise InputError(f"{_listed(unmatched)} without a counterpart: give two folders of the same images.")
    return [Pair(name, matched[name], references[name]) for name in sorted(matched)]


def scale_of_sizes(image: ImageFile, reference: ImageFile) -> int:
    """Find the factor between an image and its reference from their sizes.

    Parameters
    ----------
    image, reference : ImageFile
        The low-resolution image and its reference.

    Returns
    -------
    int
        The whole factor, 1 or more; what the factor leaves over at the reference's bottom and right is less than it.

    Raises
    ------
    InputError
        If there is no such factor.
    """
    small, large = (parse_axes(file.axes, file.data.shape) for file in (image, reference))
    lengths = [(small.shape[s], large.shape[n]) for s, n in ((small.y, large.y), (small.x, large.x))]
    scale = lengths[0][1] // lengths[0][0]
    if scale < 1 or any(not 0 <= high - scale * low < scale for low, high in lengths):
        raise InputError(
            f"{reference.path.name} of {lengths[0][1]} x {lengths[1][1]} pixels is no whole multiple of "
            f"{image.path.name} of {lengths[0][0]} x {lengths[1][0]}: give the factor."
        )
    return scale


def evaluate_files(
    pairs: Sequence[Pair],
    methods: Mapping[str, Upscale | None] = MappingProxyType({"": None}),
    *,
    scale: int,
    channels: Channels = "luma",
    border: int | None = None,
    data_range: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[FileFidelity]:
    """Compare every pair by every method, reading one pair at a time.

    Parameters
    ----------
    pairs : sequence of Pair
        What `pair_files` found.
    methods : mapping of str to callable or None
        By its name, what makes a result of a low-resolution image, with the same axes; None where the images are
        results already.
    scale : int
        The factor between low and high resolution.
    channels, border, data_range
        As for `evaluate`.
    progress : callable, optional
        Called as ``progress(done, total)`` after every comparison.

    Returns
    -------
    list of FileFidelity
        Pair after pair, and for each its methods in their order.

    Raises
    ------
    InputError
        If a file cannot be read, or its images cannot be compared; the sentence names the file.
    """
    rows: list[FileFidelity] = []
    for pair in pairs:
        image, reference = read_image(pair.image), read_image(pair.reference)
        if image.axes != reference.axes:
            raise InputError(
                f"{pair.image.name} has the axes {image.axes}, the reference {reference.axes}: make them equal."
            )
        for method, upscale in methods.items():
            result = image.data if upscale is None else upscale(image)
            try:
                fidelity = evaluate(
                    result,
                    reference.data,
                    scale=scale,
                    channels=channels,
                    border=border,
                    data_range=data_range,
                    axes=reference.axes,
                )
            except InputError as error:
                raise InputError(f"{pair.image.name}: {error}") from error
            rows.append(FileFidelity(pair.name, method, fidelity))
            if progress is not None:
                progress(len(rows), len(pairs) * len(methods))
    return rows


def image_files(place: Path) -> list[Path]:
    """Give a file itself, or the image files of a folder, sorted by name.

    Raises
    ------
    InputError
        If there is nothing of that name, or no image in the folder.
    """
    if not place.exists():
        raise InputError(f"There is no file or folder {place}: check the name.")
    return list(_by_stem(place).values()) if place.is_dir() else [place]


def _by_stem(folder: Path) -> dict[str, Path]:
    """Image files of a folder by their name without ending."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not path.name.lower().endswith(ENDINGS) or path.name.startswith(".") or not path.is_file():
            continue
        stem = path.stem.removesuffix(".ome")
        if stem in found:
            raise InputError(f"{found[stem].name} and {path.name} in {folder} have the same name: keep one of them.")
        found[stem] = path
    if not found:
        raise InputError(f"The folder {folder} holds no image file ({', '.join(ENDINGS)}).")
    return found


def _without_factor(stem: str, scale: int | None) -> str:
    return re.sub(rf"[-_]?[xX]{scale if scale is not None else '[0-9]+'}$", "", stem)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{shown}{more} {'are' if len(names) > 1 else 'is'}"
