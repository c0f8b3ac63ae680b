"""Reading of an image of any format, with one sentence for each kind of failure."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

from PIL import UnidentifiedImageError

from napari_sr.conversion import check_no_address, read_flag, read_path
from napari_sr.errors import InputError, one_line
from napari_sr.imaging.atomic import restore_interrupted
from napari_sr.imaging.files.image_file import ImageFile
from napari_sr.imaging.files.names import folder_error, is_store
from napari_sr.imaging.files.pictures import read_picture
from napari_sr.imaging.files.stores import read_store
from napari_sr.imaging.files.tiff import STARTS, has_known_axes, read_tiff

# Number of bytes from which the format is detected.
_START = 26


def read_image(path: str | os.PathLike[str], *, series: int | str | None = None, lazy: bool = False) -> ImageFile:
    """Read an image. The format is detected from the content of the file, not from its name.

    Parameters
    ----------
    path : str or Path
        A TIFF, OME-TIFF, ImageJ TIFF, PNG, JPEG or another picture, or the folder of a Zarr store. Of a pyramid the
        finest level is read.
    series : int or str, optional
        Number, from 0, or name of an image in a file with several. By default the largest one with pixels in this file,
        and the first of several of this size; the others are listed in ``other_series`` of the result.
    lazy : bool, default False
        Whether the pixels of a TIFF are read where they are indexed, so that the image may be larger than memory. This
        is done from 64 MiB on, for gray values, channels and RGB(A) that need no conversion; other images are read at
        once. The file must not be changed meanwhile.

    Returns
    -------
    ImageFile
        The image: ``data``, ``axes`` and the metadata of the file, such as ``pixel_size`` and ``unit``. The data of a
        Zarr store are read where they are indexed.

    Raises
    ------
    InputError
        If there is no such file or series; if the file is not an image, or damaged or incomplete; if it does not fit
        into memory; or if it has axes, samples or frames of an unknown kind. The message names the file.

    Notes
    -----
    The pixels are gray values with black as 0, separate channels, RGB, or RGBA with straight alpha, upright. CMYK is
    converted by its ICC profile or a simple formula, and CIE L*a*b* and YCbCr are converted to sRGB. A color map is
    converted to RGB, except in microscopy formats, where it is a lookup table for display. Values that ImageJ has
    calibrated are those that ImageJ displays.

    The pixel size is that of the OME-XML, of ImageJ's description, of the tags of FEI, Zeiss, TESCAN, MetaMorph,
    Micro-Manager and Aperio, or of the resolution tags if these are not the density of a screen, a printer or a fax.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> stack = np.zeros((3, 16, 20), np.uint16)
    >>> sr.write_image("cells.ome.tif", stack, "ZYX", {"Z": 0.3, "Y": 0.1, "X": 0.1}, "um")
    >>> image = sr.read_image("cells.ome.tif")
    >>> image.axes, image.pixel_size, image.unit
    ('ZYX', {'Z': 0.3, 'Y': 0.1, 'X': 0.1}, 'micrometer')
    """
    source, lazy = read_path(path, "image file"), read_flag(lazy, "lazy")
    if source.suffix.lower() == ".zarr":
        restore_interrupted(source)
    if source.is_dir():
        if not is_store(source):
            raise folder_error(source)
        return _read(lambda: read_store(source, series), source)
    if not source.is_file():
        check_no_address(source)
        raise InputError(f"There is no image file {source}: check the name and the folder.")
    return _read(lambda: _read_file(source, series, lazy), source)


def is_readable_tiff(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a TIFF with axes and samples of a known kind. Its pixels are not read.

    Parameters
    ----------
    path : str or Path
        Any path, of an existing file or not.

    Returns
    -------
    bool
        True for an image with missing planes as well, so that the error of `read_image` names them.
    """
    source = Path(path)
    try:
        with source.open("rb") as stream:
            if stream.read(4) not in STARTS:
                return False
        return has_known_axes(source)
    except Exception:
        # A damaged file can raise any exception.
        return False


def _read_file(source: Path, series: int | str | None, lazy: bool) -> ImageFile:
    with source.open("rb") as stream:
        start = stream.read(_START)
    if start[:4] not in STARTS:
        return read_picture(source, start, series)
    return read_tiff(source, series, describe=(lambda error: _sentence(error, source)) if lazy else None)


def _read(read: Callable[[], ImageFile], source: Path) -> ImageFile:
    try:
        return read()
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"The image {source} does not fit into memory: cut out a part of it.") from error
    except Exception as error:
        # A damaged file can raise any exception.
        raise InputError(_sentence(error, source)) from error


def _sentence(error: Exception, source: Path) -> str:
    if isinstance(error, UnidentifiedImageError):
        return (
            f"The file {source} cannot be read as an image (its format is not supported, or it is damaged): "
            "save it as OME-TIFF, for example with Fiji."
        )
    reason = one_line(error).rstrip(".")
    # Of damaged files some exceptions have no text, or only a number, or describe a step of the reader.
    if isinstance(error, LookupError | struct.error) or not any(map(str.isalpha, reason)):
        reason = "it is damaged or incomplete"
    if isinstance(error, OSError) and error.strerror:
        return f"The file {source} cannot be read ({error.strerror}): check it and its permissions."
    if "imagecodecs" in reason:
        return (
            f"The file {source} is packed or compressed in a way that needs the package imagecodecs: "
            "install it (pip install 'napari-sr[compression]'), or save the file without compression."
        )
    return f"The file {source} cannot be read as an image ({reason}): choose a TIFF, PNG or JPEG."
