"""Which of a file's images is read, and whether all of its planes are there."""

from __future__ import annotations

import logging
import math
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_sr.errors import InputError
from napari_sr.imaging.files import imagej, ome, orientation

# Series of pages that nothing but their order brings together.
_UNNAMED = ("uniform", "generic")
#: Series of pages without metadata of a microscope.
PLAIN = ("shaped", *_UNNAMED)

# Series whose list of pages has None for each plane that is missing.
_LISTED = ("ome", "mmstack", "ndtiff")
# Tags that pages of one image have in common: kind, turn, color map, opacity.
_SHARED = (262, orientation.TAG, 320, 338)
_SHOWN = 8
# tifffile makes a list of all planes that an OME-XML declares.
_MOST_PLANES = 10**7


def choose_series(
    found: Sequence[tuple[str, tuple[int, ...]]], wanted: int | str | None, name: str
) -> tuple[int, tuple[str, ...]]:
    """Choose an image of a file.

    Parameters
    ----------
    found : sequence of (str, tuple of int)
        Name and shape of each image.
    wanted : int, str or None
        Number from 0, or name, of one of them; None for the largest, of equal ones the first.
    name : str
        Path of the file, for messages.

    Returns
    -------
    number : int
        Which one.
    left : tuple of str
        Number, name and size of each other one.

    Raises
    ------
    InputError
        There is no image of that number or name.
    """
    described = [_described(number, *one) for number, one in enumerate(found)]
    if not described:
        raise InputError(f"The file {name} holds no image; pick another one.")
    if wanted is None:
        number = max(range(len(found)), key=lambda n: (math.prod(found[n][1]), -n))
    else:
        named = _number_of(found, wanted)
        if named is None:
            known = ", ".join(described[:_SHOWN]) + (" and more" if len(described) > _SHOWN else "")
            raise InputError(f"The file {name} has no series {wanted!r}; it has {known}.")
        number = named
    return number, tuple(text for n, text in enumerate(described) if n != number)


def _number_of(found: Sequence[tuple[str, tuple[int, ...]]], wanted: int | str) -> int | None:
    if isinstance(wanted, str):
        names = [n for n, one in enumerate(found) if one[0] == wanted]
        if names:
            return names[0]
        if not wanted.isdecimal() or len(wanted) > 9:
            return None
    try:
        number = int(wanted) if isinstance(wanted, str) else index(wanted)
    except TypeError:
        # Another object than a number or a name.
        return None
    return number if not isinstance(wanted, bool) and 0 <= number < len(found) else None


def _described(number: int, name: str, shape: tuple[int, ...]) -> str:
    size = " x ".join(str(length) for length in shape)
    return f'{number} "{name}" ({size})' if name else f"{number} ({size})"


class _Holder(logging.Filter):
    """Keeps the records of one thread back."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        self.records: list[logging.LogRecord] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the records of other threads through."""
        if record.thread != self._thread:
            return True
        self.records.append(record)
        return False


@contextmanager
def held_log() -> Iterator[None]:
    """Hold tifffile's log back until a file is read: a file that is refused has one sentence already.

    Yields
    ------
    None
        What tifffile logs on this thread meanwhile is logged at the end, and left out if an exception ends the block.
    """
    log, holder = logging.getLogger("tifffile"), _Holder()
    log.addFilter(holder)
    try:
        yield
    finally:
        log.removeFilter(holder)
    for record in holder.records:
        log.handle(record)


def open_tiff(source: Path) -> tifffile.TiffFile:
    """Open a TIFF, with the OME-XML of its companion file where it has one.

    Parameters
    ----------
    source : Path
        The file.

    Returns
    -------
    tifffile.TiffFile
        To be closed by the caller.

    Raises
    ------
    InputError
        The file with its metadata is missing.
    """
    tiff = tifffile.TiffFile(source)
    try:
        xml = tiff.ome_metadata
        companion = ome.metadata_file(xml) if xml else None
        renamed = _renamed(tiff, source, xml) if xml and companion is None else None
        if companion is None and renamed is None:
            return tiff
    except Exception:
        tiff.close()
        raise
    tiff.close()
    if companion is None:
        return tifffile.TiffFile(source, omexml=renamed)
    path = source.parent / companion
    if not path.is_file():
        raise InputError(
            f"The file {source} holds only pixels of an image that {companion} describes, and {path} is missing; "
            "put it beside the file."
        )
    return tifffile.TiffFile(source, omexml=_companion_xml(path))


def _renamed(tiff: tifffile.TiffFile, source: Path, xml: str) -> str | None:
    """OME-XML of a file that was renamed: it names one file, which is missing, and this one has all the planes."""
    images = ome.images_of(xml)
    for image in images:
        if image.planes > _MOST_PLANES:
            raise InputError(f"The file {source} declares {image.planes} planes, more than a file holds.")
    names = {file for image in images for file in image.files}
    if len(names) != 1 or (source.parent / next(iter(names))).is_file():
        return None
    samples = int(tiff.pages.first.samplesperpixel)
    declared = sum(image.shape["Z"] * image.shape["C"] * image.shape["T"] for image in images)
    return ome.with_file(xml, source.name) if len(tiff.pages) in (declared, declared // samples) else None


def _companion_xml(path: Path) -> str:
    with path.open("rb") as stream:
        tiff = stream.read(4)[:2] in (b"II", b"MM")
    if not tiff:
        return path.read_text(encoding="utf-8-sig")
    with tifffile.TiffFile(path) as main:
        return str(main.ome_metadata or "")


def missing_partners(source: Path, images: Sequence[ome.OmeImage]) -> dict[int, str]:
    """First missing file of each image of a multi-file OME-TIFF.

    Parameters
    ----------
    source : Path
        The file with the OME-XML.
    images : sequence of OmeImage
        The images of the XML.

    Returns
    -------
    dict of int to str
        By the number of the image; images whose files are all there are left out.
    """
    own = source.name.lower()
    missing: dict[int, str] = {}
    for number, image in enumerate(images):
        absent = (file for file in image.files if file.lower() != own and not (source.parent / file).is_file())
        first = next(absent, None)
        if first is not None:
            missing[number] = first
    return missing


def refuse_missing(source: Path, partner: str) -> InputError:
    """Error for an image with a missing partner.

    Parameters
    ----------
    source : Path
        The file that was to be read.
    partner : str
        Name of the missing one.

    Returns
    -------
    InputError
        With a sentence that says what is missing and where it belongs.
    """
    return InputError(
        f"The image of {source} goes on in the file {partner}, which is missing; "
        f"put it into the folder {source.parent}."
    )


def image_numbers(images: Sequence[ome.OmeImage], series: Sequence[Any]) -> list[int | None]:
    """Number of the OME image that each series shows.

    Parameters
    ----------
    images : sequence of OmeImage
        The images of the XML.
    series : sequence of tifffile.TiffPageSeries
        The series that tifffile made of them, in their order; it leaves out images without any plane.

    Returns
    -------
    list of int or None
        None for a series that fits none of the remaining images.
    """
    numbers: list[int | None] = []
    first = 0
    for one in series:
        lengths = dict(zip(one.get_axes(False), one.get_shape(False), strict=True))
        number = next(
            (
                n
                for n in range(first, len(images))
                if all(lengths.get(letter) == images[n].shape[letter] for letter in "YX")
                and images[n].metadata.name == (one.name if images[n].metadata.name else "")
            ),
            None,
        )
        numbers.append(number)
        first = first if number is None else number + 1
    return numbers


def check_complete(tiff: tifffile.TiffFile, series: Any, source: Path) -> None:
    """Refuse a series with planes that are declared and not there, or that differ in their meaning.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        The file.
    series : tifffile.TiffPageSeries
        The series that will be read.
    source : Path
        Path of the file, for messages.

    Raises
    ------
    InputError
        Planes are missing, or the pages of a plain stack are of several kinds.
    """
    if series.kind in _LISTED:
        pages = list(series.pages)
        missing = sum(page is None for page in pages)
        if missing:
            raise InputError(
                f"The file {source} declares {len(pages)} planes and {missing} of them are missing; "
                "save those that are there as a new file."
            )
    said = tiff.imagej_metadata if tiff.is_imagej else None
    if said is not None:
        lengths = dict(zip(series.get_axes(False), series.get_shape(False), strict=True))
        there = math.prod(length for letter, length in lengths.items() if letter not in "YX")
        declared = imagej.planes_of(said)
        if there < declared:
            raise InputError(
                f"The file {source} declares {declared} planes and holds {there}; it may be cut off: copy it again."
            )
    if series.kind in PLAIN:
        _check_chain(tiff, source)
    if series.kind in _UNNAMED:
        _check_alike(series, source)


def _check_chain(tiff: tifffile.TiffFile, source: Path) -> None:
    """Refuse a file whose last page points to another one that is not there."""
    last, layout, stream = tiff.pages[-1], tiff.tiff, tiff.filehandle
    if not last.offset:
        return
    stream.seek(last.offset)
    (count,) = struct.unpack(layout.tagnoformat, stream.read(layout.tagnosize))
    stream.seek(last.offset + layout.tagnosize + count * layout.tagsize)
    following = stream.read(layout.offsetsize)
    if len(following) < layout.offsetsize or struct.unpack(layout.offsetformat, following)[0]:
        raise InputError(
            f"The file {source} ends after {len(tiff.pages)} pages and points to another one; "
            "it may be cut off: copy it again."
        )


def _check_alike(series: Any, source: Path) -> None:
    shared = None
    for number, page in enumerate(series.pages, start=1):
        full = page.aspage() if isinstance(page, tifffile.TiffFrame) else page
        if full is None:
            continue
        found = [_comparable(full.tags.valueof(code)) for code in _SHARED]
        shared = shared or found
        if found != shared:
            raise InputError(
                f"The file {source} has pages that differ in kind, colors or orientation (page {number}); "
                "save each page alone."
            )


def _comparable(value: Any) -> Any:
    return value.tobytes() if isinstance(value, np.ndarray) else value
