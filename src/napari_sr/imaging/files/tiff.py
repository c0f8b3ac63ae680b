"""Reading TIFF, OME-TIFF, ImageJ TIFF and what else tifffile knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_sr.errors import InputError
from napari_sr.imaging import pixel_size as sizes
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.files import icc, imagej, makers, meaning, ome, orientation
from napari_sr.imaging.files.image_file import ImageFile, Metadata, from_luts
from napari_sr.imaging.files.limits import check_memory
from napari_sr.imaging.files.pictures import can_decode_page, decode_pages
from napari_sr.imaging.files.series import (
    PLAIN,
    check_complete,
    choose_series,
    held_log,
    image_numbers,
    missing_partners,
    open_tiff,
    refuse_missing,
)

#: First bytes of a TIFF and of a BigTIFF in both byte orders.
STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_ICC_PROFILE, _INK_SET, _WHITE_POINT = 34675, 332, 318
_YCBCR_WEIGHTS, _REFERENCE_BLACK_WHITE = 529, 532
_RESOLUTION_X, _RESOLUTION_Y, _RESOLUTION_UNIT = 282, 283, 296
_PHOTOMETRIC = 262


@dataclass(frozen=True, eq=False)
class _Plan:
    """How a series is read, found out before its pixels are."""

    source: Path
    tiff: tifffile.TiffFile
    series: Any
    letters: str
    stored: meaning.Stored
    meaning: meaning.Meaning
    orientation: int
    by_pillow: bool


def read_tiff(source: Path, wanted: int | str | None) -> ImageFile:
    """Read a TIFF.

    Parameters
    ----------
    source : Path
        The file.
    wanted : int, str or None
        Number or name of a series; the largest when None.

    Returns
    -------
    ImageFile
        The series, with the meaning and the metadata that the file gives it.

    Raises
    ------
    InputError
        The series is not complete, does not fit into memory, or has axes or samples of no known meaning.
    """
    with held_log(), open_tiff(source) as tiff:
        number, left, image = _choose(tiff, source, wanted)
        plan = _plan(tiff, tiff.series[number], source)
        check_complete(tiff, plan.series, source)
        data, letters = _pixels(plan)
        metadata = _metadata(plan, data, letters, image)
    known = replace(metadata, name=metadata.name or str(plan.series.name))
    return ImageFile(data, letters, source, number, left, **known.fields()).of_axes(letters)


def readable_axes(source: Path) -> bool:
    """Whether the image of a TIFF has axes and samples that are known; its pixels are not read.

    Parameters
    ----------
    source : Path
        The file, a TIFF by its first bytes.

    Returns
    -------
    bool
        True as well for an image with missing planes, which `read_tiff` refuses.

    Raises
    ------
    Exception
        Whatever a damaged file makes its reader raise.
    """
    with held_log(), open_tiff(source) as tiff:
        found = [(str(one.name), tuple(one.shape)) for one in tiff.series]
        number, _ = choose_series(found, None, str(source))
        plan = _plan(tiff, tiff.series[number], source)
        shape = np.broadcast_to(np.zeros((), np.uint8), plan.series.shape)
        return bool(_arranged(shape, plan)[1])


def _choose(
    tiff: tifffile.TiffFile, source: Path, wanted: int | str | None
) -> tuple[int, tuple[str, ...], ome.OmeImage | None]:
    """Number of the series, the others in words, and the OME image of it."""
    images = ome.images_of(tiff.ome_metadata) if tiff.ome_metadata else []
    missing = missing_partners(source, images)
    try:
        series = tiff.series
    except ValueError as error:
        if missing:
            raise refuse_missing(source, next(iter(missing.values()))) from error
        raise
    own = [one for one in series if one.kind in ("ome", "mmstack")]
    if missing and not own:
        raise refuse_missing(source, next(iter(missing.values())))
    number, left = choose_series([(str(one.name), tuple(one.shape)) for one in series], wanted, str(source))
    if not own:
        return number, left, None
    image = image_numbers(images, series)[number]
    if image is None:
        image = 0 if series[number].kind == "mmstack" and images else None
    if image is not None and image in missing:
        raise refuse_missing(source, missing[image])
    return number, left, None if image is None else images[image]


def _plan(tiff: tifffile.TiffFile, series: Any, source: Path) -> _Plan:
    page = series.keyframe
    shape, letters = tuple(series.shape), str(series.axes)
    if len(shape) < 2 or 0 in shape:
        raise InputError(f"The file {source} holds no image; pick another one.")
    samples = int(page.samplesperpixel)
    if series.kind == "shaped" and "S" not in letters and samples > 1:
        letters = _with_samples(letters, shape, samples, source)
    turn = int(page.tags.valueof(orientation.TAG, default=1))
    if turn not in orientation.KNOWN:
        raise InputError(f"The file {source} has the unknown orientation {turn}; save it upright.")
    by_pillow = can_decode_page(page)
    stored = _stored(page, series, samples if "S" in letters else 1)
    if by_pillow:
        # Pillow decodes such pages to gray or RGB of 8 bits, with their color map.
        color = page.photometric in (meaning.RGB, meaning.PALETTE, meaning.YCBCR)
        photometric = meaning.RGB if color else meaning.BLACK_IS_ZERO
        count = 3 if color else 1
        stored = replace(stored, photometric=photometric, dtype=np.dtype(np.uint8), bits=8, samples=count, table=None)
    found = meaning.meaning_of(stored, str(source))
    return _Plan(source, tiff, series, letters, stored, found, turn, by_pillow)


def _with_samples(letters: str, shape: tuple[int, ...], samples: int, source: Path) -> str:
    """Letters with S for the samples, which tifffile's own metadata may name C."""
    if "C" not in letters or shape[letters.index("C")] != samples:
        raise InputError(f"The file {source} names no axis for the {samples} samples of a pixel; save it as RGB.")
    return letters.replace("C", "S")


def _stored(page: Any, series: Any, samples: int) -> meaning.Stored:
    tags = page.tags
    extra = tuple(int(one) for one in page.extrasamples)
    photometric = int(page.photometric)
    known = _PHOTOMETRIC in tags or photometric != 0
    decoded = meaning.decoded_photometric(photometric, int(page.compression), int(page.planarconfig), extra)
    profile = tags.valueof(_ICC_PROFILE)
    profile = profile if isinstance(profile, bytes) else None
    if decoded != photometric:
        profile = icc.held(profile, color=True) or icc.srgb_profile()
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
    """Numbers of a tag of fractions, numerator and denominator in turn."""
    if not isinstance(value, tuple) or len(value) != 2 * count or 0 in value[1::2]:
        return None
    return tuple(top / bottom for top, bottom in zip(value[::2], value[1::2], strict=True))


def _pixels(plan: _Plan) -> tuple[npt.NDArray[Any], str]:
    """Read, interpret and turn the pixels upright; give them with their letters."""
    series, stored = plan.series, plan.stored
    converted = plan.meaning.color or plan.orientation > 1 or plan.by_pillow
    # What is stored, and what is made of it: at most RGBA of each value.
    wide = 4 if plan.meaning.color and stored.samples == 1 else 1
    check_memory(str(plan.source), tuple(series.shape), int(series.nbytes) * (1 + (1 + wide if converted else 0)))
    if plan.by_pillow:
        values = decode_pages(plan.source, plan.tiff, series)
    else:
        values = series.asarray()
    if values.ndim < 2 or values.size == 0:
        raise InputError(f"The file {plan.source} holds no image; pick another one.")
    data, letters = _with_channels(*_arranged(values, plan), plan)
    said = plan.tiff.imagej_metadata if plan.tiff.is_imagej else None
    if said is not None and not plan.meaning.color:
        data = imagej.calibrated(data, said, str(plan.source))
    return data if plan.by_pillow else orientation.upright(data, letters, plan.orientation), letters


def _arranged(values: npt.NDArray[Any], plan: _Plan) -> tuple[npt.NDArray[Any], str]:
    """Bring the samples (S) to a last axis of their own, and give the other axes letters of ours."""
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
        raise InputError(f"The file {plan.source} has channels of several colors each; save each channel alone.")
    return values, _named(letters, values.shape, plan.source, taken="C" if several else "")


def _with_channels(values: npt.NDArray[Any], letters: str, plan: _Plan) -> tuple[npt.NDArray[Any], str]:
    """Interpret samples on the last axis, and put separate channels before Y and X."""
    values = meaning.interpreted(values, plan.stored, plan.meaning)
    if plan.meaning.color:
        return values, parse_axes(letters + "C", values.shape).letters
    if plan.meaning.channels:
        values = np.moveaxis(values, -1, 0)
        return values, parse_axes("C" + letters, values.shape).letters
    values = values[..., 0]
    if letters.endswith("C") and values.shape[-1] in (3, 4):
        # A last C of this length would be read as colors.
        values, letters = np.moveaxis(values, -1, 0), "C" + letters[:-1]
    return values, parse_axes(letters, values.shape).letters


def _named(letters: str, shape: tuple[int, ...], source: Path, taken: str) -> str:
    """Letters of ours: axes without a name get the last of T, C and Z that are free."""
    nameless = sum(letter in "IQ" for letter in letters)
    free = [letter for letter in "TCZ" if letter not in letters + taken]
    names = iter(free[max(0, len(free) - nameless) :])
    named = "".join(next(names, letter) if letter in "IQ" else letter for letter in letters)
    for axis, letter in enumerate(named):
        if letter not in "TCZYX":
            kind = tifffile.TIFF.AXES_NAMES.get(letter, letter)
            raise InputError(
                f'The file {source} has an axis "{kind}" of length {shape[axis]}, which is none of T, C, Z, Y '
                "and X; save each of its positions alone."
            )
    return named


def _metadata(plan: _Plan, data: npt.NDArray[Any], letters: str, image: ome.OmeImage | None) -> Metadata:
    page, tiff = plan.series.keyframe, plan.tiff
    channels = data.shape[letters.index("C")] if "C" in letters and not plan.meaning.color else 1
    resolution = (_density(page, _RESOLUTION_X), _density(page, _RESOLUTION_Y))
    if image is not None:
        found = image.metadata
    elif tiff.imagej_metadata:
        found = imagej.metadata_of(tiff.imagej_metadata, resolution, channels, str(plan.source))
        if plan.meaning.kind is meaning.KINDS[meaning.WHITE_IS_ZERO]:
            most = 2**plan.stored.bits - 1
            found = replace(found, limits=tuple(one and (most - one[1], most - one[0]) for one in found.limits))
    else:
        found = Metadata()
    if plan.stored.measured and channels == 1 and not found.colors:
        colors, luts = from_luts((_display_table(plan.stored),))
        found = replace(found, colors=colors, luts=luts)
    if not found.pixel_size and image is None:
        size, unit = makers.from_makers({tag.code: tag.value for tag in page.tags})
        if not size:
            size, unit = sizes.from_resolution(resolution, int(page.tags.valueof(_RESOLUTION_UNIT, default=1)))
        found = replace(found, pixel_size=size, unit=unit)
    if orientation.turned(plan.orientation):
        found = replace(found, pixel_size=_swapped(found.pixel_size), origin=_swapped(found.origin))
    return replace(_per_channel(found, channels), icc_profile=meaning.profile_of(plan.stored, plan.meaning))


def _display_table(stored: meaning.Stored) -> npt.NDArray[np.uint8] | None:
    """Color map of a single image as a lookup table of 8 bits."""
    table = stored.table
    return None if table is None or table.shape != (256, 3) else (table >> 8).astype(np.uint8)


def _per_channel(found: Metadata, channels: int) -> Metadata:
    """Drop what names another number of channels than there are."""
    return replace(
        found,
        channels=found.channels if len(found.channels) == channels else (),
        colors=found.colors if len(found.colors) == channels else (),
        luts=found.luts if len(found.luts) == channels else (),
        limits=found.limits if len(found.limits) == channels else (),
    )


def _swapped(lengths: dict[str, float]) -> dict[str, float]:
    names = {"Y": "X", "X": "Y"}
    return {names.get(letter, letter): value for letter, value in lengths.items()}


def _density(page: Any, tag: int) -> float:
    value = page.tags.valueof(tag, default=(0, 1))
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return 0.0
    return float(value[0] / value[1])
