"""Conversion of the images of callers: arrays of any library, lists, image files and arrays with named dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.array_like import convert_array, is_masked, is_named, shape_of
from napari_sr.imaging.axes import LETTERS, Axes, ImageArray, parse_axes
from napari_sr.imaging.files import ImageFile, Metadata
from napari_sr.imaging.pixel_size import PixelSize, given_or_own, in_one_unit, unit_name

#: Axis letters by the lowercase names of dimensions, as in xarray; S are the samples of RGB.
_LETTERS = {
    "t": "T",
    "time": "T",
    "c": "C",
    "channel": "C",
    "channels": "C",
    "rgb": "C",
    "rgba": "C",
    "s": "C",
    "z": "Z",
    "y": "Y",
    "x": "X",
}
#: Largest relative deviation of the steps of coordinates that are evenly spaced.
_UNEVEN = 1e-3


@dataclass(frozen=True, eq=False)
class ImageInput:
    """An image with its axes and metadata.

    Parameters
    ----------
    data : array
        The pixels: a numpy array, or a lazy one (dask, zarr and others that are read where they are indexed).
    axes : Axes
        Axes of the image.
    metadata : Metadata, optional
        Pixel size and unit, and for an image from a file its position, channels and time interval.
    missing : bool, default False
        Whether pixels may be missing. They are NaN in `data`.
    """

    data: ImageArray
    axes: Axes
    metadata: Metadata = field(default_factory=Metadata)
    missing: bool = False

    @property
    def pixel_size(self) -> dict[str, float]:
        """Size of a pixel by axis letter, in `unit`; empty if it is not known."""
        return self.metadata.pixel_size

    @property
    def unit(self) -> str | None:
        """Name of the unit, such as "micrometer"; None if it is not known."""
        return self.metadata.unit


def as_image(
    image: Any,
    axes: str | Axes | None = None,
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
) -> ImageInput:
    """Convert the image of a caller to an array with axes and pixel size.

    Parameters
    ----------
    image : array-like
        A numpy array, a dask or zarr array (which stays lazy), an xarray DataArray, an `ImageFile`, an `ImageInput`, or
        whatever ``numpy.asarray`` converts to integers, floats or bools, such as a list or a torch tensor on the CPU.
        Masked pixels of a numpy masked array are missing; they become NaN in an image of floats.
    axes : str or Axes, optional
        A letter of T, C, Z, Y, X for each dimension. By default those of the file, or the dimensions of an xarray
        DataArray if they are t, c, z, y and x, or else those that follow from the shape.
    pixel_size : mapping of str to float, optional
        Pixel size by axis letter. By default that of the file, or the step of evenly spaced coordinates of an xarray
        DataArray.
    unit : str, optional
        Unit of `pixel_size`, or of the pixel size of an image that states none. Without `pixel_size` it is by default
        that of the file, or the attribute "units" of the coordinates.

    Raises
    ------
    InputError
        If it is not an image of real numbers, has missing pixels in integers, or axes, pixel size or unit do not fit.

    Examples
    --------
    >>> as_image([[1, 2, 3], [4, 5, 6]]).axes
    Axes(letters='YX', shape=(2, 3))
    """
    if isinstance(image, ImageFile) and axes is not None:
        image = image.in_axes(axes.letters if isinstance(axes, Axes) else axes)
    missing = isinstance(image, ImageInput) and image.missing
    data = as_array(image)
    if is_masked(image):
        missing = bool(np.ma.is_masked(image)) if isinstance(image, np.ma.MaskedArray) else True
    parsed = _axes(image, data, axes)
    size, name = given_or_own(pixel_size, unit, _own_pixel_size(image, parsed))
    return ImageInput(data, parsed, _own_metadata(image, size, name), missing)


def as_array(image: Any) -> ImageArray:
    """Convert the image of a caller to an array of real numbers.

    Parameters
    ----------
    image : array-like
        As for `as_image`.

    Returns
    -------
    array
        A numpy array, or the lazy array itself.

    Raises
    ------
    InputError
        If it is not an image of real numbers, or has missing pixels in integers.
    """
    return convert_array(image.data if isinstance(image, ImageFile | ImageInput) else image)


def _axes(image: Any, data: ImageArray, axes: str | Axes | None) -> Axes:
    if isinstance(axes, Axes):
        axes = axes.letters
    if axes is None:
        axes = _own_letters(image)
    return parse_axes(axes, shape_of(data))


def _own_letters(image: Any) -> str | None:
    """Return the axes that an image states itself; None if it does not name its dimensions."""
    if isinstance(image, ImageFile):
        return image.axes
    if isinstance(image, ImageInput):
        return image.axes.letters
    if not is_named(image):
        return None
    names = [str(name) for name in image.dims]
    letters = [_LETTERS.get(name.lower(), "") for name in names]
    if not any(letters):
        return None
    if "" in letters or len(set(letters)) < len(letters):
        raise InputError(
            f"The dimensions {', '.join(names)} are not all among t, c, z, y and x: give the axes, "
            f"one letter of {', '.join(LETTERS)} for each."
        )
    return "".join(letters)


def _own_pixel_size(image: Any, axes: Axes) -> PixelSize:
    """Return the pixel size and unit that an image states itself."""
    if isinstance(image, ImageFile | ImageInput):
        return dict(image.pixel_size), image.unit
    if not is_named(image):
        return {}, None
    sizes: dict[str, tuple[float, str | None]] = {}
    for letter, name in zip(axes.letters, image.dims, strict=True):
        if letter in "ZYX" and name in image.coords:
            coordinate = image.coords[name]
            step = _step(np.asarray(coordinate))
            attributes = getattr(coordinate, "attrs", {})
            text = attributes.get("units", attributes.get("unit"))
            unit = None if text is None else unit_name(str(text))
            # Degrees and other units that are no length are not a pixel size.
            if step is not None and (text is None or unit is not None):
                sizes[letter] = step, unit
    return in_one_unit(sizes)


def _own_metadata(image: Any, pixel_size: dict[str, float], unit: str | None) -> Metadata:
    """Return the metadata that an image states itself, with another pixel size and unit."""
    own = Metadata()
    if isinstance(image, ImageFile):
        own = Metadata(**image.fields())
    elif isinstance(image, ImageInput):
        own = image.metadata
    # A position in another unit does not fit the pixel size.
    origin = own.origin if unit == own.unit else {}
    return replace(own, pixel_size=pixel_size, unit=unit, origin=origin)


def _step(values: npt.NDArray[Any]) -> float | None:
    """Return the step of evenly spaced coordinates; None for others."""
    if values.ndim != 1 or len(values) < 2 or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        return None
    positions = values.astype(np.float64)
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    rounding = np.finfo(values.dtype).eps * np.abs(positions).max() if values.dtype.kind == "f" else 0.0
    even = np.abs(np.diff(positions) - step).max() <= _UNEVEN * abs(step) + 4 * rounding
    return abs(float(step)) if even and step else None
