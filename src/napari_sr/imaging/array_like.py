"""Conversion of array-like objects to arrays of real numbers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_sr.conversion import quote, shorten
from napari_sr.errors import InputError, one_line
from napari_sr.imaging.axes import ImageArray

#: Attributes of objects that numpy converts without iterating over them.
_ARRAY_INTERFACES = ("__array__", "__array_interface__", "__array_struct__")
#: Modes of Pillow whose samples are gray values, RGB or RGBA; and of the others, those without transparency.
_PLAIN_MODES = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N", "RGB", "RGBA")
_OPAQUE_MODES = ("P", "CMYK", "YCbCr", "LAB", "HSV", "RGBX")


def convert_array(image: Any) -> ImageArray:
    """Convert an array-like object to an array of real numbers.

    Parameters
    ----------
    image : array-like
        A numpy array, a dask or zarr array (which stays lazy), an xarray DataArray, or whatever ``numpy.asarray``
        converts to integers, floats or bools, such as a list or a torch tensor on the CPU. Masked pixels become NaN.

    Returns
    -------
    array
        A numpy array, or the lazy array itself.

    Raises
    ------
    InputError
        If it is not an array of real numbers, or has missing pixels in integers.
    """
    _refuse_others(image)
    if is_named(image):
        image = image.data
    if not _is_lazy(image):
        array = _without_mask(image) if isinstance(image, np.ma.MaskedArray) else _converted(image)
        check_real(array.dtype)
        return array
    check_real(np.dtype(image.dtype))
    if image.shape is None:
        # As for an empty dataset of HDF5.
        raise InputError("The image is empty: give one with at least one pixel.")
    lazy: ImageArray = _lazy_without_mask(image) if is_masked(image) else image
    return lazy


def _refuse_others(image: Any) -> None:
    """Refuse objects that are often given in place of an image, with a remedy for each."""
    if image is None:
        raise InputError("None is not an image: give an array.")
    if isinstance(image, str | os.PathLike):
        raise InputError(f"{quote(image)} is a path, not an image: read it with read_image first.")
    kind = type(image).__name__
    if hasattr(type(image), "data_vars"):
        raise InputError(f"A {kind} of xarray has arrays by name: give one of {shorten(list(image))}.")
    if hasattr(type(image), "__dask_graph__") and not hasattr(type(image), "shape"):
        # A Delayed has an attribute of every name, so this test is the first one.
        raise InputError(f"A {kind} of dask has no shape: make an array of it with dask.array.from_delayed first.")
    if isinstance(image, Image.Image) and image.mode not in _PLAIN_MODES:
        mode = "RGB" if image.mode in _OPAQUE_MODES else "RGBA"
        raise InputError(
            f"A picture of Pillow in the mode {image.mode} has neither gray values nor RGB: "
            f'convert it with its convert("{mode}") first.'
        )
    if hasattr(image, "todense"):
        raise InputError(f"A {kind} is a sparse array: give what its todense() returns.")
    if hasattr(image, "affine") and hasattr(image, "translate") and hasattr(image, "data"):
        raise InputError(
            f"{quote(getattr(image, 'name', kind))} is a napari layer: use upscale_layer, or give its data."
        )
    if hasattr(image, "to_numpy") and hasattr(image, "columns"):
        raise InputError(f"A {kind} is a table, not an image: give an array with the axes Y and X.")
    if hasattr(image, "data_vars"):
        raise InputError(f"A {kind} has several arrays: give one of them.")
    if hasattr(image, "__cuda_array_interface__"):
        raise InputError(f"The {kind} is in the memory of a GPU: copy it to the CPU first.")


def shape_of(data: ImageArray) -> tuple[int, ...]:
    """Return the shape of an array.

    Parameters
    ----------
    data : array
        The array, from `convert_array`.

    Raises
    ------
    InputError
        If the length of an axis is not known.
    """
    try:
        return tuple(int(length) for length in data.shape)
    except ValueError:
        # dask writes NaN for the length of an axis that depends on values.
        raise InputError(
            f"The image has axes of unknown length, {data.shape}: call its compute_chunk_sizes first."
        ) from None


def is_named(image: Any) -> bool:
    """Whether an object is an array with named dimensions and coordinates, such as a DataArray of xarray."""
    return all(hasattr(image, name) for name in ("dims", "coords", "data", "shape"))


def _is_lazy(image: Any) -> bool:
    """Whether an object is an array of another library that can be indexed like a numpy array."""
    if isinstance(image, np.ndarray | np.generic):
        return False
    try:
        if not all(hasattr(image, name) for name in ("shape", "dtype", "__getitem__")):
            return False
        np.dtype(image.dtype)
    except RuntimeError as error:
        # As for a dataset of a file that was closed.
        raise _unusable(image, error) from error
    except TypeError:
        # A dtype of its own, as in torch.
        return False
    return True


def _converted(image: Any) -> npt.NDArray[Any]:
    kind = _kind_of(image)
    # numpy makes an array of any object that can be iterated over, such as the names in a Zarr group.
    if not isinstance(image, Sequence) and not any(hasattr(image, name) for name in _ARRAY_INTERFACES):
        raise InputError(f"An object of type {kind} is not an image: give an array of numbers with the axes Y and X.")
    try:
        array = np.asarray(image)
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(image, list | tuple):
            raise InputError(f"The {kind} is not an image: give numbers, and rows of one length.") from error
        raise _unusable(image, error) from error
    if array.ndim == 0 or (array.dtype.kind not in "buifc" and not isinstance(image, np.ndarray)):
        raise InputError(f"An object of type {kind} is not an image: give an array of numbers with the axes Y and X.")
    return array


def _kind_of(image: Any) -> str:
    """Return the name of a type with that of its package, because several have an Image."""
    package = type(image).__module__.partition(".")[0]
    return f"{'' if package == 'builtins' else f'{package}.'}{type(image).__name__}"


def _unusable(image: Any, error: Exception) -> InputError:
    reason = one_line(error).rstrip(".")
    return InputError(f"The {_kind_of(image)} cannot be used as an image ({reason}): give a numpy array.")


def check_real(dtype: np.dtype[Any]) -> None:
    """Check that a dtype holds real numbers.

    Raises
    ------
    InputError
        If it is complex or not a number.
    """
    if dtype.kind not in "buif":
        raise InputError(f"The image has the type {dtype}: convert it to integers or floats first.")


def is_masked(image: Any) -> bool:
    """Whether an object is a masked array of numpy, or a dask array of such arrays."""
    return isinstance(image, np.ma.MaskedArray) or isinstance(getattr(image, "_meta", None), np.ma.MaskedArray)


def _without_mask(image: np.ma.MaskedArray[Any, Any]) -> npt.NDArray[Any]:
    count = int(np.count_nonzero(np.ma.getmaskarray(image)))
    if count == 0:
        return np.asarray(image.data)
    check_real(image.dtype)
    if image.dtype.kind != "f":
        raise InputError(_unfilled(f"{count} missing pixels", image.dtype))
    return np.asarray(image.filled(np.nan))


def _lazy_without_mask(image: Any) -> Any:
    dtype = np.dtype(image.dtype)
    if dtype.kind != "f":
        raise InputError(_unfilled("a mask", dtype))
    return image.map_blocks(np.ma.filled, np.nan, dtype=dtype, meta=np.empty((0,) * image.ndim, dtype))


def _unfilled(problem: str, dtype: np.dtype[Any]) -> str:
    return (
        f"The image has {problem}, and {dtype} has no value for missing pixels: fill them with numpy.ma.filled first, "
        "or convert the image to floats."
    )
