"""Reading of TIFF, OME-TIFF, ImageJ TIFF and the other formats of tifffile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_sr.errors import InputError
from napari_sr.imaging import pixel_size as sizes
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.files import icc, meaning, orientation
from napari_sr.imaging.files.completeness import PLAIN, check_complete, check_tags
from napari_sr.imaging.files.descriptions import imagej, makers, ome
from napari_sr.imaging.files.image_file import ImageFile, Metadata, from_luts
from napari_sr.imaging.files.lazy_tiff import LARGE, LazyTiff
from napari_sr.imaging.files.pictures import can_decode_page, decode_pages
from napari_sr.imaging.files.series import (
    check_memory,
    choose_in_tiff,
    delayed_log,
    image_numbers,
    missing_partner_error,
    missing_partners,
    open_tiff,
)

#: First bytes of a TIFF and of a BigTIFF in both byte orders.
STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_ICC_PROFILE, _INK_SET, _WHITE_POINT = 34675, 332, 318
_YCBCR_WEIGHTS, _REFERENCE_BLACK_WHITE = 529, 532
_RESOLUTION_X, _RESOLUTION_Y, _RESOLUTION_UNIT = 282, 283, 296
_PHOTOMETRIC = 262


@dataclass(frozen=True, eq=False)
class _Plan:
    """The properties of a series that are determined before its pixels are read."""

    source: Path
    tiff: tifffile.TiffFile
    series: Any
    letters: str
    stored: meaning.Stored
    meaning: meaning.Meaning
    orientation: int
    by_pillow: bool


def read_tiff(
    source: Path, series: int | str | None, *, describe: Callable[[Exception], str] | None = None
) -> ImageFile:
    """Read a TIFF.

    Parameters
    ----------
    source : Path
        The file.
    series : int, str or None
        Number or name of a series; None for the largest one.
    describe : callable, optional
        Returns the sentence about an exception of the reader, for pixels that are read lazily. By default all pixels
        are read at once.

    Returns
    -------
    ImageFile
        The pixels of the series with their metadata.

    Raises
    ------
    InputError
        If the series is incomplete, does not fit into memory, or has axes or samples of an unknown kind.
    """
    with delayed_log(), open_tiff(source) as tiff:
        # The description of all images is in the first page.
        check_tags(tiff.pages.first, source)
        number, others, image = _choose(tiff, source, series)
        plan = _plan(tiff, tiff.series[number], source)
        check_tags(plan.series.keyframe, source)
        for other in tiff.series:
            # A page that has lost a tag looks like another kind of image, and is missing in the stack.
            if other.kind in PLAIN:
                check_tags(other.keyframe, source)
        check_complete(tiff, plan.series, source)
        lazy = _lazy_pixels(plan, number, describe) if describe is not None else None
        pixels, letters = _pixels(plan) if lazy is None else lazy
        data, *levels = pixels if isinstance(pixels, list) else [pixels]
        metadata = _metadata(plan, data, letters, image)
    named = replace(metadata, name=metadata.name or str(plan.series.name))
    file = ImageFile(data, letters, source, number, others, tuple(levels), _planar(plan), **named.fields())
    return file.of_axes(letters)


def has_known_axes(source: Path) -> bool:
    """Whether the image of a TIFF has axes and samples of a known kind. Its pixels are not read.

    Parameters
    ----------
    source : Path
        The file, a TIFF by its first bytes.

    Returns
    -------
    bool
        True for an image with missing planes as well, which `read_tiff` refuses.

    Raises
    ------
    Exception
        If the file is damaged, any exception of its reader.
    """
    with delayed_log(), open_tiff(source) as tiff:
        number, _ = choose_in_tiff(tiff, None, source)
        plan = _plan(tiff, tiff.series[number], source)
        values = np.broadcast_to(np.zeros((), np.uint8), plan.series.shape)
        return bool(_arranged(values, plan)[1])


def _choose(
    tiff: tifffile.TiffFile, source: Path, series: int | str | None
) -> tuple[int, tuple[str, ...], ome.OmeImage | None]:
    """Number of the series, descriptions of the others, and its OME image."""
    images = ome.images_of(tiff.ome_metadata) if tiff.ome_metadata else []
    missing = missing_partners(source, images)
    try:
        available = tiff.series
    except ValueError as error:
        if missing:
            raise missing_partner_error(source, next(iter(missing.values()))) from error
        raise
    of_ome = any(entry.kind in ("ome", "mmstack") for entry in available)
    if missing and not of_ome:
        raise missing_partner_error(source, next(iter(missing.values())))
    number, others = choose_in_tiff(tiff, series, source)
    if not of_ome:
        return number, others, None
    image = image_numbers(images, available)[number]
    if image is None:
        image = 0 if available[number].kind == "mmstack" and images else None
    if image is not None and image in missing:
        raise missing_partner_error(source, missing[image])
    return number, others, None if image is None else images[image]


def _plan(tiff: tifffile.TiffFile, series: Any, source: Path) -> _Plan:
    page = series.keyframe
    shape, letters = tuple(series.shape), str(series.axes)
    if len(shape) < 2 or 0 in shape:
        raise InputError(f"The file {source} contains no image: choose another one.")
    samples = int(page.samplesperpixel)
    if series.kind == "shaped" and "S" not in letters and samples > 1:
        letters = _with_samples(letters, page, shape, source)
    turn = int(page.tags.valueof(orientation.TAG, default=1))
    if turn not in orientation.KNOWN:
        raise InputError(f"The file {source} has the unknown orientation {turn}: save it upright.")
    by_pillow = can_decode_page(page)
    stored = _stored(page, series, samples if "S" in letters else 1)
    if series.kind == "shaped" and "S" not in letters and samples > 1:
        stored = replace(stored, photometric=meaning.BLACK_IS_ZERO)
    if stored.photometric == meaning.WHITE_IS_ZERO and imagej.is_calibrated(tiff.imagej_metadata or {}):
        # ImageJ inverts only the display of such images, and the calibration is that of the stored values.
        stored = replace(stored, photometric=meaning.BLACK_IS_ZERO)
    if by_pillow:
        # Pillow decodes such pages, also those with a color map, to gray values or RGB of 8 bits.
        color = page.photometric in (meaning.RGB, meaning.PALETTE, meaning.YCBCR)
        photometric = meaning.RGB if color else meaning.BLACK_IS_ZERO
        count = 3 if color else 1
        stored = replace(stored, photometric=photometric, dtype=np.dtype(np.uint8), bits=8, samples=count, table=None)
    return _Plan(source, tiff, series, letters, stored, meaning.meaning_of(stored, str(source)), turn, by_pillow)


def _with_samples(letters: str, page: Any, shape: tuple[int, ...], source: Path) -> str:
    """Letters with S for the samples, if the metadata of tifffile call them C; the same letters if they are no colors.

    Unless told otherwise, tifffile declares three or four planes to be colors, whatever the name of their axis is.
    """
    place = len(letters) - (1 if page.planarconfig == 1 else 3)
    color = place >= 0 and letters[place] == "C"
    plain = int(page.photometric) in (meaning.BLACK_IS_ZERO, meaning.RGB) and not can_decode_page(page)
    if place < 0 or shape[place] != page.samplesperpixel or not (color or plain):
        raise InputError(
            f"The file {source} names no axis for the {page.samplesperpixel} samples of a pixel: save it as RGB."
        )
    return f"{letters[:place]}S{letters[place + 1 :]}" if color else letters


def _stored(page: Any, series: Any, samples: int) -> meaning.Stored:
    tags = page.tags
    extra = tuple(int(code) for code in page.extrasamples)
    photometric = int(page.photometric)
    known = _PHOTOMETRIC in tags or photometric != 0
    decoded = meaning.decoded_photometric(photometric, int(page.compression), int(page.planarconfig), extra)
    profile = tags.valueof(_ICC_PROFILE)
    profile = profile if isinstance(profile, bytes) else None
    if decoded != photometric:
        profile = icc.fitting_profile(profile, color=True) or icc.srgb_profile()
    white = _fractions(tags.valueof(_WHITE_POINT), 2)
    weights = _fractions(tags.valueof(_YCBCR_WEIGHTS), 3)
    bits = page.bitspersample
    options: dict[str, Any] = {}
    if white is not None and min(white) > 0:
        options["white"] = white
    if weights is not None and min(weights) > 0:
        options["weights"] = weights
    reference = _fractions(tags.valueof(_REFERENCE_BLACK_WHITE), 6)
    if reference is not None and all(high > low for low, high in zip(reference[::2], reference[1::2], strict=True)):
        options["reference"] = reference
    return meaning.Stored(
        photometric=decoded if known else None,
        dtype=np.dtype(series.dtype),
        bits=int(bits if isinstance(bits, int) else max(bits)),
        samples=samples,
        extra=extra if samples > 1 else (),
        table=None if page.colormap is None else np.asarray(page.colormap, np.uint16).T,
        profile=profile,
        measured=series.kind not in PLAIN,
        inks=int(tags.valueof(_INK_SET, default=1)),
        **options,
    )


def _fractions(value: Any, count: int) -> tuple[float, ...] | None:
    """Values of a tag of fractions, which is a list of numerators and denominators in turn."""
    if not isinstance(value, tuple) or len(value) != 2 * count or 0 in value[1::2]:
        return None
    return tuple(numerator / denominator for numerator, denominator in zip(value[::2], value[1::2], strict=True))


def _pixels(plan: _Plan) -> tuple[npt.NDArray[Any], str]:
    """Upright pixels with their interpretation, and the letters of their axes."""
    series, stored = plan.series, plan.stored
    converted = plan.meaning.color or plan.orientation > 1 or plan.by_pillow
    # The stored values, a converted copy of up to four samples for each, and the upright copy.
    widening = 4 if plan.meaning.color and stored.samples == 1 else 1
    check_memory(str(plan.source), tuple(series.shape), int(series.nbytes) * (1 + (1 + widening if converted else 0)))
    if plan.by_pillow:
        values = decode_pages(plan.source, plan.tiff, series)
    else:
        values = series.asarray()
    if values.ndim < 2 or values.size == 0:
        raise InputError(f"The file {plan.source} contains no image: choose another one.")
    data, letters = _with_channels(*_arranged(values, plan), plan)
    description = plan.tiff.imagej_metadata if plan.tiff.is_imagej else None
    if description is not None and not plan.meaning.color:
        data = imagej.calibrated(data, description, str(plan.source))
    return data if plan.by_pillow else orientation.upright(data, letters, plan.orientation), letters


def _lazy_pixels(plan: _Plan, number: int, describe: Callable[[Exception], str]) -> tuple[list[LazyTiff], str] | None:
    """All levels of pixels that are read where they are indexed; None if they are few, or have to be converted."""
    series, stored, letters = plan.series, plan.stored, plan.letters
    samples = plan.meaning.kind.samples + (plan.meaning.alpha is not None)
    plain = plan.meaning.kind in (meaning.KINDS[meaning.BLACK_IS_ZERO], meaning.KINDS[meaning.RGB])
    if (
        series.nbytes < LARGE
        or plan.by_pillow
        or plan.orientation > 1
        or not plain
        or plan.meaning.channels
        or plan.meaning.alpha == "premultiplied"
        or (plan.meaning.alpha is not None and not plan.meaning.kind.color)
        or samples != stored.samples
        or stored.bits != 8 * stored.dtype.itemsize
        or not letters.endswith("YXS" if plan.meaning.color else "YX")
        or (plan.tiff.is_imagej and imagej.is_calibrated(plan.tiff.imagej_metadata or {}))
    ):
        return None
    before = letters[: letters.index("Y")]
    kept = [axis for axis, letter in enumerate(before) if series.shape[axis] > 1]
    named = _named("".join(before[axis] for axis in kept) + "YX", tuple(series.shape), plan.source, used="")
    levels: list[LazyTiff] = []
    for level in range(len(series.levels)):
        if series.levels[level].axes != letters or series.levels[level].dtype != series.dtype:
            break
        # A file of its own, because that of the plan is closed when the metadata are read.
        tiff = open_tiff(plan.source)
        try:
            levels.append(LazyTiff(tiff, tiff.series[number].levels[level], len(before), kept, describe))
        except BaseException:
            tiff.close()
            raise
    return levels, parse_axes(named + "C" * plan.meaning.color, levels[0].shape).letters


def _planar(plan: _Plan) -> int | None:
    """Axis of colors that are stored plane by plane and are read as they are; None for others."""
    if not plan.meaning.color or plan.by_pillow or plan.meaning.kind is not meaning.KINDS[meaning.RGB]:
        return None
    axes = zip(plan.letters, plan.series.shape, strict=True)
    letters = [letter for letter, length in axes if length > 1 or letter in "YXS"]
    place = letters.index("S")
    # Of premultiplied and undefined samples others remain than the file has.
    straight = plan.meaning.alpha != "premultiplied" and plan.stored.samples == 3 + (plan.meaning.alpha is not None)
    return place if straight and place < len(letters) - 1 else None


def _arranged(values: npt.NDArray[Any], plan: _Plan) -> tuple[npt.NDArray[Any], str]:
    """Values with the samples on the last axis, and the letters of the other axes."""
    letters = plan.letters
    if plan.by_pillow and values.ndim == len(letters.replace("S", "")) + int(plan.meaning.color):
        letters = letters.replace("S", "") + ("S" if plan.meaning.color else "")
    single = tuple(axis for axis, letter in enumerate(letters) if values.shape[axis] == 1 and letter not in "YXS")
    values = np.squeeze(values, axis=single)
    letters = "".join(letter for axis, letter in enumerate(letters) if axis not in single)
    if "S" in letters:
        values = np.moveaxis(values, letters.index("S"), -1)
        letters = letters.replace("S", "")
    else:
        values = values[..., None]
    several = plan.meaning.color or plan.meaning.channels
    if "C" in letters and several:
        raise InputError(
            f"The file {plan.source} has channels of several colors each: save each channel as a file of its own."
        )
    return values, _named(letters, values.shape, plan.source, used="C" if several else "")


def _with_channels(values: npt.NDArray[Any], letters: str, plan: _Plan) -> tuple[npt.NDArray[Any], str]:
    """Interpreted values, with separate channels before Y and X, and the letters of all axes."""
    values = meaning.interpreted(values, plan.stored, plan.meaning)
    if plan.meaning.color:
        return values, parse_axes(letters + "C", values.shape).letters
    if plan.meaning.channels:
        values = np.moveaxis(values, -1, 0)
        return values, parse_axes("C" + letters, values.shape).letters
    values = values[..., 0]
    if letters.endswith("C") and values.shape[-1] in (3, 4):
        # A last C of this length is RGB(A).
        values, letters = np.moveaxis(values, -1, 0), "C" + letters[:-1]
    return values, parse_axes(letters, values.shape).letters


def _named(letters: str, shape: tuple[int, ...], source: Path, used: str) -> str:
    """Letters of axes among T, C, Z, Y and X; axes without a name get the last of T, C and Z that are not used."""
    nameless = sum(letter in "IQ" for letter in letters)
    free = [letter for letter in "TCZ" if letter not in letters + used]
    names = iter(free[max(0, len(free) - nameless) :])
    named = "".join(next(names, letter) if letter in "IQ" else letter for letter in letters)
    for axis, letter in enumerate(named):
        if letter not in "TCZYX":
            kind = tifffile.TIFF.AXES_NAMES.get(letter, letter)
            raise InputError(
                f'The file {source} has an axis "{kind}" of length {shape[axis]}, which is none of T, C, Z, Y '
                "and X: save each position along it as a file of its own."
            )
    return named


def _metadata(plan: _Plan, data: LazyTiff | npt.NDArray[Any], letters: str, image: ome.OmeImage | None) -> Metadata:
    page, tiff = plan.series.keyframe, plan.tiff
    channels = data.shape[letters.index("C")] if "C" in letters and not plan.meaning.color else 1
    resolution = (_density(page, _RESOLUTION_X), _density(page, _RESOLUTION_Y))
    if image is not None:
        metadata = image.metadata
    elif tiff.imagej_metadata:
        metadata = imagej.metadata_of(tiff.imagej_metadata, resolution, channels, str(plan.source))
        if plan.meaning.kind is meaning.KINDS[meaning.WHITE_IS_ZERO]:
            most = 2**plan.stored.bits - 1
            limits = tuple(pair and (most - pair[1], most - pair[0]) for pair in metadata.limits)
            metadata = replace(metadata, limits=limits)
    else:
        metadata = Metadata()
    if plan.stored.measured and channels == 1 and not metadata.colors:
        colors, luts = from_luts((_display_table(plan.stored),))
        metadata = replace(metadata, colors=colors, luts=luts)
    if not metadata.pixel_size and image is None:
        size, unit = makers.from_makers({tag.code: tag.value for tag in page.tags})
        if not size:
            size, unit = sizes.from_resolution(resolution, int(page.tags.valueof(_RESOLUTION_UNIT, default=1)))
        metadata = replace(metadata, pixel_size=size, unit=unit)
    if orientation.exchanges_axes(plan.orientation):
        metadata = replace(metadata, pixel_size=_exchanged(metadata.pixel_size), origin=_exchanged(metadata.origin))
    return replace(metadata.of_channels(channels), icc_profile=meaning.profile_of(plan.stored, plan.meaning))


def _display_table(stored: meaning.Stored) -> npt.NDArray[np.uint8] | None:
    """Color map of an image as a lookup table of 8 bits."""
    table = stored.table
    return None if table is None or table.shape != (256, 3) else (table >> 8).astype(np.uint8)


def _exchanged(lengths: dict[str, float]) -> dict[str, float]:
    """Lengths with the letters Y and X exchanged."""
    names = {"Y": "X", "X": "Y"}
    return {names.get(letter, letter): value for letter, value in lengths.items()}


def _density(page: Any, tag: int) -> float:
    value = page.tags.valueof(tag, default=(0, 1))
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return 0.0
    return float(value[0] / value[1])
