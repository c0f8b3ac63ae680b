"""Fingerprints of models, jobs and images, which tell whether a result has to be computed again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from napari_sr import __version__
from napari_sr.imaging.axes import ImageArray
from napari_sr.imaging.files import ImageFile
from napari_sr.inference.facts.calibration import Calibration
from napari_sr.inference.region import Region
from napari_sr.inference.stamp import stamp_of_file, stamps_in
from napari_sr.settings import JobSettings
from napari_sr.zoo.model import Model

#: Settings by which the pixels of a result do not change, but for rounding.
_WITHOUT_EFFECT = ("device", "memory", "batch")


def fingerprint(model: Model | str, settings: JobSettings, others: Mapping[str, Any]) -> str:
    """Return a hash of model, settings and other values that decide the pixels of a result.

    Parameters
    ----------
    model : Model or str
        The model, of which all weights are hashed, or a text in its place.
    settings : JobSettings
        The settings. Device, memory and batch are left out.
    others : mapping of str to object
        Further values, such as the axes, that can be written as JSON.

    Returns
    -------
    str
        SHA-256 as 64 hexadecimal digits.
    """
    chosen = {name: value for name, value in settings.as_plain().items() if name not in _WITHOUT_EFFECT}
    content = {"model": model if isinstance(model, str) else _of_model(model), "settings": chosen, **others}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def fingerprint_of_region(
    model: Model,
    settings: JobSettings,
    image: ImageArray,
    region: Region,
    identity: str | None,
    calibration: Calibration,
    **others: str,
) -> str:
    """Return a hash of all that decides the pixels of a store, as `Job.fingerprint` describes it."""
    identity = identity_of(image) if identity is None else identity
    if identity is None:
        return ""
    facts = {
        "version": __version__,
        "image": identity,
        "axes": region.axes.letters,
        "ranges": region.ranges,
        "result": (region.rows.result_range, region.columns.result_range),
        "margin": region.margin,
        "along": region.along,
        "intensity": repr(sorted(calibration.maps.items(), key=repr)),
    }
    return fingerprint(model, settings, {**facts, **others})


def identity_of(image: Any) -> str | None:
    """Return a text that changes with the pixels of an image.

    Returns
    -------
    str or None
        A hash of the pixels of an array in memory; of path, size and time of the file of a lazy `ImageFile`, or of all
        files of a store or a zarr array on disk. None for other lazy arrays, which would be read as a whole, and where
        not all files can be listed.
    """
    data = image.data if isinstance(image, ImageFile) else image
    if isinstance(data, np.ndarray):
        return _of_pixels(data)
    root = getattr(getattr(data, "store", None), "root", None)
    try:
        if isinstance(image, ImageFile):
            return f"{_of_files(image.path)} {image.series}"
        return f"{_of_files(root)} {data.path}" if isinstance(root, Path) else None
    except OSError:
        # A folder that cannot be listed.
        return None


def _of_pixels(image: np.ndarray[Any, Any]) -> str:
    digest = hashlib.sha256(f"{image.dtype.str} {image.shape}".encode())
    # One part of the first axis after the other, so that no copy of the whole is made.
    for part in image:
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _of_files(path: Path) -> str:
    """Return a hash of size and time of a file, or of all files in a folder."""
    digest = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape"))
    stamps = [(".", stamp_of_file(path))] if path.is_file() else sorted(stamps_in(path), key=itemgetter(0))
    for name, stamp in stamps:
        digest.update(f"{name} {stamp}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _of_model(model: Model) -> str:
    """Return a hash of the weights and of all else that decides the result of a model."""
    digest = hashlib.sha256(f"{model.card.architecture!r} {model.alpha} {model.mixing}".encode())
    digest.update(model.card.model_dump_json().encode())
    for name, weights in sorted(model.endpoints.items()):
        for key, tensor in sorted(weights.items()):
            digest.update(f"{name} {key} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
