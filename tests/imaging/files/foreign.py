"""OME-Zarr as other programs write it, made without the writer of napari-sr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

DATA = np.random.default_rng(0).integers(0, 4000, (2, 3, 20, 25), np.uint16)


def multiscale(units: bool = True, translation: bool = True, **others: Any) -> dict[str, Any]:
    """The description of an image with the axes c, z, y and x."""
    unit = {"unit": "micrometer"} if units else {}
    axes = [{"name": "c", "type": "channel"}, *({"name": letter, "type": "space", **unit} for letter in "zyx")]
    transformations: list[dict[str, Any]] = [{"type": "scale", "scale": [1.0, 0.5, 0.2, 0.1]}]
    if translation:
        transformations.append({"type": "translation", "translation": [0.0, 0.0, 4.0, -3.0]})
    return {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": transformations}], **others}


def group(path: Path, version: str = "0.4", **attributes: Any) -> Any:
    """A group with attributes, as OME-Zarr 0.4 in Zarr 2 or 0.5 in Zarr 3."""
    made = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    made.attrs.update(attributes if version == "0.4" else {"ome": {"version": version, **attributes}})
    return made


def image(path: Path, version: str = "0.4", data: np.ndarray = DATA, array: Any = None, **attributes: Any) -> Path:
    """An image; `array` are further arguments of the array."""
    made = group(path, version, **{"multiscales": [multiscale()], **attributes})
    options = {"chunks": (1,) * (data.ndim - 2) + (8, 8)}
    if version == "0.4":
        options["chunk_key_encoding"] = {"name": "v2", "separator": "/"}
    made.create_array("0", data=data, **{**options, **(array or {})})
    return path


def plate(path: Path, version: str = "0.4", wells: tuple[str, ...] = ("A/1", "B/12"), fields: int = 2) -> Path:
    """A plate, whose wells have the same number of fields, each with other values."""
    group(path, version, plate={"name": "plate", "wells": [{"path": name} for name in wells]})
    for row in {name.split("/")[0] for name in wells}:
        group(path / row, version)
    for number, name in enumerate(wells):
        group(path / name, version, well={"images": [{"path": str(field)} for field in range(fields)]})
        for field in range(fields):
            image(path / name / str(field), version, DATA + np.uint16(10 * number + field))
    return path
