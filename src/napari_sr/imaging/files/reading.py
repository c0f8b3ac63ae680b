"""Reading an image, whatever its file is, and what a user reads when that fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from napari_sr.errors import InputError
from napari_sr.imaging.files.image_file import ImageFile
from napari_sr.imaging.files.pictures import read_picture
from napari_sr.imaging.files.stores import is_store, read_store, refuse_folder
from napari_sr.imaging.files.tiff import STARTS, read_tiff, readable_axes

# As much of a file as the readers look at to tell what it is.
_START = 26


def read_image(path: str | os.PathLike[str], *, series: int | str | None = None) -> ImageFile:
    """Read an image; its format is told by the content of the file, not by its name.

    Parameters
    ----------
    path : path
        A TIFF, OME-TIFF, ImageJ TIFF, PNG, JPEG or another picture, or the folder of a Zarr store. Of a pyramid the
        finest level is read.
    series : int or str, optional
        Number, from 0, or name of an image in a file with several. By default the largest, and of equal ones the
        first. The result lists the others in `left_series`.

    Returns
    -------
    ImageFile
        Pixels with the meaning that the file gives them, axes and metadata.

    Raises
    ------
    InputError
        There is no such file or series; the file is no image, or damaged, or not complete; it does not fit into memory;
        or it has axes, samples or frames of a kind that is not read. The sentence names the file.

    Notes
    -----
    Pixels become gray values with black as 0, or RGB, or RGBA with straight opacity, upright. CMYK is converted by its
    ICC profile or by the plain formula, CIE L*a*b* and YCbCr to sRGB; a color map becomes RGB, but for microscopy
    formats, in which it is a lookup table for display. ImageJ's calibrated values are those that ImageJ shows.

    Pixel sizes come from the OME-XML, from ImageJ's description, from the tags of FEI, Zeiss and TESCAN, and else from
    the resolution tags, unless these hold the density of a screen, a printer or a fax.

    Examples
    --------
    >>> image = read_image("cells.ome.tif")  # doctest: +SKIP
    >>> image.axes, image.pixel_size, image.unit  # doctest: +SKIP
    ('ZYX', {'Z': 0.3, 'Y': 0.1, 'X': 0.1}, 'micrometer')
    """
    source = Path(path)
    if source.is_dir():
        if not is_store(source):
            raise refuse_folder(source)
        return _read(lambda: read_store(source, series), source)
    if not source.is_file():
        raise InputError(f"There is no image file {source}; check the name and the folder.")
    return _read(lambda: _read_file(source, series), source)


def is_readable_tiff(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a TIFF whose image has axes and samples that are known; its pixels are not read.

    Parameters
    ----------
    path : path
        Any file; it need not exist.

    Returns
    -------
    bool
        True as well for an image with missing planes, so that `read_image` says what is missing.
    """
    source = Path(path)
    try:
        with source.open("rb") as stream:
            if stream.read(4) not in STARTS:
                return False
        return readable_axes(source)
    except Exception:
        # Whatever keeps it from being understood: it is not ours to open.
        return False


def _read_file(source: Path, series: int | str | None) -> ImageFile:
    with source.open("rb") as stream:
        start = stream.read(_START)
    return read_tiff(source, series) if start[:4] in STARTS else read_picture(source, start, series)


def _read(read: Callable[[], ImageFile], source: Path) -> ImageFile:
    try:
        return read()
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"The image {source} does not fit into memory; cut a part out of it.") from error
    except Exception as error:
        # A damaged file makes its reader fail in any way there is; the user needs the name and the reason.
        raise InputError(_sentence(error, source)) from error


def _sentence(error: Exception, source: Path) -> str:
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        return f"The file {source} cannot be read ({error.strerror}); check it and its permissions."
    if "imagecodecs" in reason:
        return (
            f"The file {source} is packed or compressed in a way that needs the package imagecodecs; "
            "install it (pip install 'napari-sr[compression]'), or save the file without compression."
        )
    return f"The file {source} cannot be read as an image ({reason}); pick a TIFF, PNG or JPEG."
