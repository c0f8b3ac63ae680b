"""Checks that all planes, tags and pixels that a TIFF declares are in the file."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_sr.errors import InputError
from napari_sr.imaging.files import orientation
from napari_sr.imaging.files.descriptions import imagej

# Kinds of series in tifffile: pages that are grouped by their shape and data type only.
_UNNAMED = ("uniform", "generic")
#: Kinds of series in tifffile without the metadata of a microscope.
PLAIN = ("shaped", *_UNNAMED)

# Kinds of series in tifffile with None in the list of pages for each missing plane.
_LISTED = ("ome", "mmstack", "ndtiff")
# Tags that are equal in all pages of an image: PhotometricInterpretation, Orientation, ColorMap and ExtraSamples.
_SHARED = (262, orientation.TAG, 320, 338)
# Numbers of tags from this one on are private.
_PRIVATE = 32768


def check_complete(tiff: tifffile.TiffFile, series: Any, source: Path) -> None:
    """Check that all planes of a series are in the file and are of the same kind.

    Raises
    ------
    InputError
        If planes are missing, or the pages of a plain stack are of several kinds.
    """
    if series.kind in _LISTED:
        pages = list(series.pages)
        missing = sum(page is None for page in pages)
        if missing:
            raise InputError(
                f"The file {source} declares {len(pages)} planes, and {missing} of them are missing: "
                "save the others as a new file."
            )
    description = tiff.imagej_metadata if tiff.is_imagej else None
    if description is not None:
        lengths = dict(zip(series.axes, series.shape, strict=True))
        present = math.prod(length for letter, length in lengths.items() if letter not in "YX")
        declared = imagej.planes_of(description)
        if present < declared:
            raise InputError(
                f"The file {source} declares {declared} planes and contains {present}, as a truncated file does: "
                "copy it again."
            )
    if series.kind in PLAIN:
        _check_chain(tiff, source)
    if series.kind in _UNNAMED:
        _check_alike(series, source)
    _check_pixels(series, source)


def check_tags(page: Any, source: Path) -> None:
    """Check that the values of the tags of a page are in the file. tifffile leaves the others out.

    Raises
    ------
    InputError
        If the value of a tag of the TIFF standard is missing.
    """
    layout = page.parent.tiff
    if not page.offset:
        return
    # tifffile closes the other files of an image in several files.
    with Path(page.parent.filehandle.path).open("rb") as stream:
        stream.seek(page.offset)
        (count,) = struct.unpack(layout.tagnoformat, stream.read(layout.tagnosize))
        entries = stream.read(count * layout.tagsize)
    codes = {struct.unpack_from(layout.byteorder + "H", entries, n * layout.tagsize)[0] for n in range(count)}
    lost = sorted(code for code in codes - {tag.code for tag in page.tags} if code < _PRIVATE)
    if lost:
        name = tifffile.TIFF.TAGS.get(lost[0], str(lost[0]))
        raise InputError(
            f"The file {source} ends before the value of its tag {name}, as a truncated file does: copy it again."
        )


def _check_chain(tiff: tifffile.TiffFile, source: Path) -> None:
    """Check that the last page does not refer to another page, which is missing."""
    last, layout, stream = tiff.pages[-1], tiff.tiff, tiff.filehandle
    if not last.offset:
        return
    stream.seek(last.offset)
    (count,) = struct.unpack(layout.tagnoformat, stream.read(layout.tagnosize))
    stream.seek(last.offset + layout.tagnosize + count * layout.tagsize)
    following = stream.read(layout.offsetsize)
    if len(following) < layout.offsetsize or struct.unpack(layout.offsetformat, following)[0]:
        raise InputError(
            f"The file {source} ends after {len(tiff.pages)} pages and refers to another one, "
            "as a truncated file does: copy it again."
        )


def _check_pixels(series: Any, source: Path) -> None:
    """Check that each page has as many strips or tiles as its size requires, and that they begin in the file."""
    for number, page in enumerate(series.pages, start=1):
        if page is None or series.dataoffset is not None:
            continue
        expected = math.prod(series.keyframe.chunked)
        size = page.parent.filehandle.size
        outside = sum(offset >= size for offset in page.dataoffsets)
        if len(page.dataoffsets) < expected or outside:
            raise InputError(
                f"The file {source} declares {expected} strips or tiles in page {number} and contains "
                f"{len(page.dataoffsets) - outside}, as a damaged file does: copy it again."
            )


def _check_alike(series: Any, source: Path) -> None:
    """Check that all pages of a series have the same values of the shared tags."""
    shared = None
    for number, page in enumerate(series.pages, start=1):
        full = page.aspage() if isinstance(page, tifffile.TiffFrame) else page
        if full is None:
            continue
        check_tags(full, source)
        values = [_comparable(full.tags.valueof(code)) for code in _SHARED]
        shared = shared or values
        if values != shared:
            raise InputError(
                f"The file {source} has pages that differ in kind, colors or orientation (page {number}): "
                "save each page as a file of its own."
            )


def _comparable(value: Any) -> Any:
    return value.tobytes() if isinstance(value, np.ndarray) else value
