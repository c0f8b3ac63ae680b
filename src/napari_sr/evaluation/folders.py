"""Comparison of many images with their references: two files, or two folders whose files are matched by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy.typing as npt

from napari_sr.conversion import check_no_address
from napari_sr.errors import InputError
from napari_sr.evaluation.fidelity import Channels, Fidelity, evaluate
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.files import ENDINGS, ImageFile, find_images, is_image, read_image, stem_of

_NAMED = 5

Upscale = Callable[[ImageFile], npt.NDArray[Any]]


@dataclass(frozen=True)
class FilePair:
    """An image file and its reference.

    Parameters
    ----------
    name : str
        Name of the reference without its ending.
    image, reference : Path
        The two files.
    """

    name: str
    image: Path
    reference: Path


@dataclass(frozen=True)
class FileFidelity:
    """Fidelity of one image by one method.

    Parameters
    ----------
    name : str
        Name of the image.
    method : str
        Name of the model or the interpolation; "" if the image is a result itself.
    fidelity : Fidelity
        The figures and their protocol.
    """

    name: str
    method: str
    fidelity: Fidelity


def pair_files(images: Path, reference: Path, *, scale: int | None = None) -> list[FilePair]:
    """Match two files, or the image files of two folders by name.

    Parameters
    ----------
    images, reference : Path
        Two files with any names, or two folders.
    scale : int, optional
        Factor at the end of low-resolution names: ``babyx4.png`` belongs to ``baby.png``. By default any factor.

    Returns
    -------
    list of FilePair
        The pairs, sorted by name.

    Raises
    ------
    InputError
        If a file or folder is missing, one is an image and the other a folder, or a name has no counterpart or several.
    """
    for path in (images, reference):
        if not path.exists():
            check_no_address(path)
            raise InputError(f"There is no file or folder {path}: check the name.")
    if is_image(images) != is_image(reference):
        kinds = "an image and a folder" if is_image(images) else "a folder and an image"
        raise InputError(f"{images} and {reference} are {kinds}: give two images or two folders.")
    if is_image(images):
        return [FilePair(stem_of(reference), images, reference)]
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
    return [FilePair(name, matched[name], references[name]) for name in sorted(matched)]


def scale_of_sizes(image: ImageFile, reference: ImageFile) -> int:
    """Return the factor between the sizes of an image and its reference.

    Parameters
    ----------
    image, reference : ImageFile
        The low-resolution image and its reference.

    Returns
    -------
    int
        The whole factor, 1 or more. The remainder at the bottom and right of the reference is less than the factor.

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
            f"{reference.path.name} of {lengths[0][1]} x {lengths[1][1]} pixels is not a whole multiple of "
            f"{image.path.name} of {lengths[0][0]} x {lengths[1][0]}: give the factor."
        )
    return scale


def evaluate_files(
    pairs: Sequence[FilePair],
    methods: Mapping[str, Upscale | None] = MappingProxyType({"": None}),
    *,
    scale: int,
    channels: Channels = "luma",
    border: int | None = None,
    data_range: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[FileFidelity]:
    """Compare pairs of files by several methods; one pair at a time is in memory.

    Parameters
    ----------
    pairs : sequence of FilePair
        The pairs, from `pair_files`.
    methods : mapping of str to callable or None
        Functions by their names that compute a result with the same axes from a low-resolution `ImageFile`; None if the
        images are results themselves.
    scale : int
        Factor between low and high resolution, 1 or more.
    channels : {"luma", "plain"}, default "luma"
        Channels of RGB images that are compared.
    border : int, optional
        Number of pixels left out on each side along Y and X; by default `scale`.
    data_range : float, optional
        Range of the values; by default that of the integer dtype.
    progress : callable, optional
        Called as ``progress(done, total)`` after every comparison.

    Returns
    -------
    list of FileFidelity
        For each pair the methods in their order.

    Raises
    ------
    InputError
        If a file cannot be read, or its images cannot be compared; the message names the file.
    """
    rows: list[FileFidelity] = []
    for pair in pairs:
        image, reference = read_image(pair.image), read_image(pair.reference)
        if image.axes != reference.axes:
            raise InputError(
                f"{pair.image.name} has the axes {image.axes}, and its reference {reference.axes}: use equal axes."
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


def image_files(path: Path) -> list[Path]:
    """Return the image files of a folder, sorted by name, or the file itself.

    Raises
    ------
    InputError
        If it does not exist, or the folder has no image files.
    """
    if not path.exists():
        check_no_address(path)
        raise InputError(f"There is no file or folder {path}: check the name.")
    return [path] if is_image(path) else list(_by_stem(path).values())


def _by_stem(folder: Path) -> dict[str, Path]:
    """Return the image files of a folder by their names without endings."""
    files: dict[str, Path] = {}
    for path in find_images(folder):
        stem = stem_of(path)
        if stem in files:
            raise InputError(f"{files[stem].name} and {path.name} in {folder} have the same name: keep one of them.")
        files[stem] = path
    if not files:
        raise InputError(f"The folder {folder} has no image: give one with {', '.join(ENDINGS)} files.")
    return files


def _without_factor(stem: str, scale: int | None) -> str:
    return re.sub(rf"[-_]?[xX]{scale if scale is not None else '[0-9]+'}$", "", stem)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{shown}{more} {'are' if len(names) > 1 else 'is'}"
