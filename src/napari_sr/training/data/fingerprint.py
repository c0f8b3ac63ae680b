"""Hashes of training images: for a model's card, for the comparison of a checkpoint with a run, and of images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.training.recipe.table import RecipeTable

#: Fields that are always part of a fingerprint, in this order. A field that is added later is part of it only if it
#: differs from its default, so that runs that were started before can continue. Do not add fields here.
_ALWAYS = {
    "IntensityMap": ("low", "high", "to"),
    "Degradation": ("blur", "shrink", "noise", "offset", "variants"),
    "GaussianBlur": ("kind", "sigma"),
    "OpticsBlur": ("kind", "numerical_aperture", "wavelength", "pixel_size"),
    "Noise": ("gain", "read"),
}


def array_hash(arrays: Iterable[npt.NDArray[Any]]) -> str:
    """Return the SHA-256 of types, shapes and values of arrays, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for array in arrays:
        add_array(digest, array)
    return digest.hexdigest()


def shared_planes(
    training: Iterable[npt.NDArray[Any]], validation: Iterable[tuple[str, npt.NDArray[Any]]]
) -> tuple[str, ...]:
    """Return a warning if images are used for training and for validation.

    Returns
    -------
    tuple of str
        A sentence that names the first image of which a plane is used for both; () if there is none. Constant planes
        do not count.
    """
    held: dict[str, str] = {}
    shapes = set()
    for name, plane in validation:
        # Blank planes of different images are equal, too.
        if plane.min() < plane.max():
            held.setdefault(array_hash([plane]), name)
            shapes.add(plane.shape)
    used = {array_hash([plane]) for plane in training if plane.shape in shapes}
    names = list(dict.fromkeys(name for key, name in held.items() if key in used))
    if not names:
        return ()
    verb = "is" if len(names) == 1 else "are"
    return (
        f"{_first_of(names)} {verb} used for training and for validation, so that the figures are not those of unseen "
        "images: name others for validation.",
    )


def repeated_images(planes: Iterable[tuple[int, str, npt.NDArray[Any]]]) -> tuple[str, ...]:
    """Return a warning if images of which parts are kept for validation have equal planes.

    Parameters
    ----------
    planes : iterable of (int, str, array)
        Numbers and names of images, and their high-resolution planes.

    Returns
    -------
    tuple of str
        A sentence that names the first image that repeats a plane of one before; () if there is none. Constant planes
        do not count.
    """
    first: dict[str, int] = {}
    repeated: dict[int, str] = {}
    for number, name, plane in planes:
        # Blank planes of different images are equal, too.
        if plane.min() < plane.max() and first.setdefault(array_hash([plane]), number) != number:
            repeated[number] = name
    if not repeated:
        return ()
    verb, remedy = ("has", "leave it out") if len(repeated) == 1 else ("have", "leave them out")
    return (
        f"{_first_of(list(repeated.values()))} {verb} the pixels of an earlier image, so that what is kept for "
        f"validation in one can be trained on in the other: {remedy}.",
    )


def _first_of(names: Sequence[str]) -> str:
    """Return the first of some names, and the number of the others in words."""
    others = {1: "", 2: " and another image"}.get(len(names), f" and {len(names) - 1} other images")
    return f"{names[0]}{others}"


def add_array(digest: hashlib._Hash, array: npt.NDArray[Any]) -> None:
    """Add type, shape and values of an array to a hash."""
    digest.update(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)


def stable_repr(value: Any) -> str:
    """Return a text of a value that does not change when a field with a default is added to a class.

    Parameters
    ----------
    value : object
        A table of a recipe, a dataclass, a tuple of such values, or any other value.

    Returns
    -------
    str
        The text of `repr`, without fields that were added to a table or dataclass later and have their defaults.
    """
    if isinstance(value, tuple):
        parts = [stable_repr(part) for part in value]
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    if isinstance(value, RecipeTable):
        defaults = {
            name: field.get_default(call_default_factory=True) for name, field in type(value).model_fields.items()
        }
    elif is_dataclass(value) and not isinstance(value, type):
        defaults = {field.name: field.default for field in fields(value)}
    else:
        return repr(value)
    kind = type(value).__name__
    always = _ALWAYS.get(kind, ())
    added = [name for name in defaults if name not in always and _differs(getattr(value, name), defaults[name])]
    return f"{kind}({', '.join(f'{name}={stable_repr(getattr(value, name))}' for name in (*always, *added))})"


def _differs(value: Any, default: Any) -> bool:
    return default is MISSING or bool(value != default)
