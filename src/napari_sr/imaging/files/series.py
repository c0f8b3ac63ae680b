"""Choice of an image of a file, and checks that its files are there and that it fits into memory."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import index
from pathlib import Path
from typing import Any

import psutil
import tifffile

from napari_sr.conversion import shorten
from napari_sr.errors import InputError
from napari_sr.imaging.files.descriptions import ome

# Largest number of series in a message.
_SHOWN = 8
# Largest number of planes. tifffile creates a list of all planes that an OME-XML declares.
_MOST_PLANES = 10**7
_GIB = 2**30


def choose_series(
    available: Sequence[tuple[str, tuple[int, ...]]],
    series: int | str | None,
    path: str,
    *,
    own: Sequence[int] = (),
) -> tuple[int, tuple[str, ...]]:
    """Choose an image of a file.

    Parameters
    ----------
    available : sequence of (str, tuple of int)
        Name and shape of each image.
    series : int, str or None
        Number, from 0, or name of an image; None for the largest one, and the first of several of this size.
    path : str
        Path of the file, for messages.
    own : sequence of int, default ()
        Numbers of the images with pixels in this file, where others are in other files. One of them is chosen if
        `series` is None; by default one of all images.

    Returns
    -------
    number : int
        Number of the chosen image.
    others : tuple of str
        Number, name and size of each other image.

    Raises
    ------
    InputError
        If the file has no image, or none of this number or name.
    """
    described = [_described(number, name, shape) for number, (name, shape) in enumerate(available)]
    if not described:
        raise InputError(f"The file {path} contains no image: choose another one.")
    if series is None:
        number = max(own or range(len(available)), key=lambda n: (math.prod(available[n][1]), -n))
    else:
        named = _number_of(available, series)
        if named is None:
            known = ", ".join(described[:_SHOWN]) + (" and more" if len(described) > _SHOWN else "")
            raise InputError(f"The file {path} has no series {shorten(series)}: choose one of {known}.")
        number = named
    return number, tuple(text for n, text in enumerate(described) if n != number)


def choose_in_tiff(tiff: tifffile.TiffFile, series: int | str | None, source: Path) -> tuple[int, tuple[str, ...]]:
    """Choose an image of a TIFF, as `choose_series` does; by default one with pixels in this file.

    Of several images in several files, each file lists all of them.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        The file.
    series : int, str or None
        Number or name of an image; None for the largest one of the file.
    source : Path
        Path of the file.

    Returns
    -------
    number : int
        Number of the chosen image.
    others : tuple of str
        Number, name and size of each other image.

    Raises
    ------
    InputError
        If the file has no image, or none of this number or name.
    """
    available = [(str(entry.name), tuple(entry.shape)) for entry in tiff.series]
    own = [number for number, entry in enumerate(tiff.series) if _has_pixels_in(entry, source.name)]
    return choose_series(available, series, str(source), own=own)


def _has_pixels_in(series: Any, name: str) -> bool:
    return any(page is not None and page.parent.filename.lower() == name.lower() for page in series.pages)


def _number_of(available: Sequence[tuple[str, tuple[int, ...]]], series: int | str) -> int | None:
    if isinstance(series, str):
        numbers = [n for n, (name, _) in enumerate(available) if name == series]
        if numbers:
            return numbers[0]
        if not series.isdecimal() or len(series) > 9:
            return None
    try:
        number = int(series) if isinstance(series, str) else index(series)
    except TypeError:
        # Neither a number nor a name.
        return None
    return number if not isinstance(series, bool) and 0 <= number < len(available) else None


def _described(number: int, name: str, shape: tuple[int, ...]) -> str:
    size = " x ".join(str(length) for length in shape)
    return f'{number} "{name}" ({size})' if name else f"{number} ({size})"


def check_memory(path: str, shape: tuple[int, ...], needed: int) -> None:
    """Check that an image fits into the free memory, before it is read.

    Parameters
    ----------
    path : str
        Path of the file, for messages.
    shape : tuple of int
        Shape of the image.
    needed : int
        Memory to read it, in bytes.

    Raises
    ------
    InputError
        If less memory is free.
    """
    free = int(psutil.virtual_memory().available)
    if needed > free:
        size = " x ".join(str(length) for length in shape)
        raise InputError(
            f"The file {path} contains {size} values, which need {needed / _GIB:.1f} GiB of memory, and "
            f"{free / _GIB:.1f} GiB are free: cut out a part of it, or save it as Zarr."
        )


class _RecordsOfThread(logging.Filter):
    """Filter that collects the log records of the thread that created it, so that they are not logged."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        self.records: list[logging.LogRecord] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass the records of other threads."""
        if record.thread != self._thread:
            return True
        self.records.append(record)
        return False


@contextmanager
def delayed_log() -> Iterator[None]:
    """Delay the log of tifffile until a file is read, because an exception has its own message.

    Yields
    ------
    None
        The records of this thread are logged at the end of the block. After an exception they are discarded.
    """
    log, delayed = logging.getLogger("tifffile"), _RecordsOfThread()
    log.addFilter(delayed)
    try:
        yield
    finally:
        log.removeFilter(delayed)
    for record in delayed.records:
        log.handle(record)


def open_tiff(source: Path) -> tifffile.TiffFile:
    """Open a TIFF, with the OME-XML of its companion file if it has one.

    Positions of Micro-Manager are the images of its OME-XML. By itself, tifffile makes one image of all positions.

    Returns
    -------
    tifffile.TiffFile
        The open file, which the caller closes.

    Raises
    ------
    InputError
        If the companion file is missing.
    """
    tiff = tifffile.TiffFile(source)
    try:
        xml = tiff.ome_metadata
        companion = ome.metadata_file(xml) if xml else None
        renamed = _renamed(tiff, source, xml) if xml and companion is None else None
        # None leaves it to tifffile.
        single = False if xml and _has_positions(tiff) else None
        if companion is None and renamed is None and single is None:
            return tiff
    except Exception:
        tiff.close()
        raise
    tiff.close()
    if companion is None:
        return tifffile.TiffFile(source, omexml=renamed, is_mmstack=single)
    path = source.parent / companion
    if not path.is_file():
        raise InputError(
            f"The file {source} contains only the pixels of an image; its metadata are in {companion}, which is "
            f"missing: put it into the folder {source.parent}."
        )
    # tifffile would take the planes of the TIFF with this XML for those of this file, by its identifier.
    return tifffile.TiffFile(source, omexml=ome.without_identifier(_companion_xml(path)), is_mmstack=single)


def _has_positions(tiff: tifffile.TiffFile) -> bool:
    """Whether a file of Micro-Manager is one of an acquisition at several positions."""
    described = tiff.micromanager_metadata if tiff.is_mmstack else None
    if not described or "Summary" not in described or "IndexMap" not in described:
        return False
    last = int(described["IndexMap"][:, 3].max(initial=0))
    return last > 0 or int(described["Summary"].get("Positions", 1)) > 1


def _renamed(tiff: tifffile.TiffFile, source: Path, xml: str) -> str | None:
    """OME-XML with the new name of a renamed file: it names a single file that is missing, and has all planes."""
    images = ome.images_of(xml)
    for image in images:
        if image.planes > _MOST_PLANES:
            raise InputError(
                f"The file {source} declares {image.planes} planes, more than a file can contain: save it again."
            )
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


def partner_files(source: Path) -> list[str]:
    """Return the other files of a multi-file OME-TIFF: those with planes of its images, and that with their metadata.

    Returns
    -------
    list of str
        Paths of those that exist, relative to the folder of `source`; none for any other file, and for one that cannot
        be read.
    """
    try:
        with delayed_log(), tifffile.TiffFile(source) as tiff:
            xml = str(tiff.ome_metadata or "")
        if not xml:
            return []
        main = ome.metadata_file(xml)
        if main is not None:
            xml = _companion_xml(source.parent / main)
        names = [*([main] if main is not None else []), *(file for image in ome.images_of(xml) for file in image.files)]
        paths = {name: source.parent / name for name in names}
        return [name for name, path in paths.items() if path.is_file() and not path.samefile(source)]
    except Exception:
        # Of any kind for a damaged file, which reading it describes.
        return []


def missing_partners(source: Path, images: Sequence[ome.OmeImage]) -> dict[int, str]:
    """Return the first missing file of each image of a multi-file OME-TIFF.

    Returns
    -------
    dict of int to str
        Name of the file by the number of the image; complete images are left out.
    """
    own = source.name.lower()
    missing: dict[int, str] = {}
    for number, image in enumerate(images):
        absent = (file for file in image.files if file.lower() != own and not (source.parent / file).is_file())
        first = next(absent, None)
        if first is not None:
            missing[number] = first
    return missing


def missing_partner_error(source: Path, partner: str) -> InputError:
    """Return the error for an image with a missing file.

    Returns
    -------
    InputError
        The error, which names the missing file and its folder.
    """
    return InputError(
        f"A part of the image of {source} is in the file {partner}, which is missing: "
        f"put it into the folder {source.parent}."
    )


def image_numbers(images: Sequence[ome.OmeImage], series: Sequence[Any]) -> list[int | None]:
    """Return the number of the OME image of each series.

    Parameters
    ----------
    images : sequence of OmeImage
        The images of the XML.
    series : sequence of tifffile.TiffPageSeries
        The series of tifffile in their order, which has none for an image without planes.

    Returns
    -------
    list of int or None
        Number of the image of each series; None if none of the remaining images matches.
    """
    numbers: list[int | None] = []
    first = 0
    for entry in series:
        lengths = dict(zip(entry.axes, entry.shape, strict=True))
        number = next(
            (
                n
                for n in range(first, len(images))
                if all(lengths.get(letter, 1) == images[n].shape[letter] for letter in "YX")
                and images[n].metadata.name == (entry.name if images[n].metadata.name else "")
            ),
            None,
        )
        numbers.append(number)
        first = first if number is None else number + 1
    return numbers
