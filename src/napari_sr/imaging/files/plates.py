"""Plates of OME-Zarr: their wells, and the images of the wells, which are called fields.

References
----------
Next-generation file formats (NGFF) 0.5, https://ngff.openmicroscopy.org/0.5/, sections "plate" and "well".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from napari_sr.errors import InputError
from napari_sr.imaging.files.names import is_store

# Number of folders between a plate and a field: the row, the column and the field.
_DEPTH = 3


def plate_of(path: Path) -> Path | None:
    """Return the plate that a path is, or in which it is.

    Returns
    -------
    Path or None
        Folder of the plate; None if the path is neither a plate nor a row, well or field of one.
    """
    for folder in [path, *path.parents][: _DEPTH + 1]:
        attributes = _attributes(folder)
        if attributes is None:
            return None
        if isinstance(attributes.get("plate"), Mapping):
            return folder
    return None


def is_plate_part(path: Path) -> bool:
    """Whether a folder is a plate, or a row or well of one, and not an image."""
    plate = plate_of(path)
    if plate is None:
        return isinstance((_attributes(path) or {}).get("well"), Mapping)
    return len(path.relative_to(plate).parts) < _DEPTH


def fields_of(path: Path) -> list[Path]:
    """Return the images of a plate, or of a row or well of one.

    Returns
    -------
    list of Path
        Folders of the images, in the order of the plate. A well whose list of images is missing is in their place, so
        that reading it gives an error.

    Raises
    ------
    InputError
        If the plate names a place outside of it.
    """
    plate = plate_of(path)
    if plate is None:
        return [path / name for name in _names(_attributes(path), "well", "images", path)]
    named = path.relative_to(plate)
    fields: list[Path] = []
    for name in _names(_attributes(plate), "plate", "wells", plate):
        well = plate / name
        if named == Path() or named == Path(name) or named in Path(name).parents:
            inside = list(_names(_attributes(well), "well", "images", well))
            fields += [well / field for field in inside] or [well]
    return fields


def plate_error(path: Path) -> InputError:
    """Return the error for a plate or well that is given in place of an image.

    Returns
    -------
    InputError
        The error, which names an image if there is one.
    """
    fields = fields_of(path)
    if not fields:
        return InputError(f"{path} is a plate or a well of images without an image in it: choose another one.")
    count = "one image" if len(fields) == 1 else f"{len(fields)} images"
    return InputError(
        f"{path} is a plate or a well with {count}: give one of them, such as {fields[0]}; `napari-sr upscale`, "
        "upscale_files and the panel for files and folders take all of them."
    )


def _names(attributes: Mapping[str, Any] | None, kind: str, entries: str, where: Path) -> Iterator[str]:
    """Paths of the wells of a plate or of the images of a well, relative to it."""
    described = (attributes or {}).get(kind)
    listed = described.get(entries) if isinstance(described, Mapping) else None
    for entry in listed if isinstance(listed, list) else []:
        name = entry.get("path") if isinstance(entry, Mapping) else None
        if not isinstance(name, str):
            continue
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or PurePosixPath(name).is_absolute() or "\\" in name or ":" in name:
            raise InputError(f"The {kind} {where} names the place {name!r}, which is not in it: save it again.")
        yield name


def _attributes(folder: Path) -> dict[str, Any] | None:
    """Attributes of a group, those of OME-Zarr 0.5 on the level of 0.4; None for what is not a folder of Zarr."""
    if not folder.is_dir():
        # Of a folder of images, each file would be searched for six others, which takes long on a network.
        return None
    for mark, read in (("zarr.json", lambda content: content.get("attributes")), (".zattrs", lambda content: content)):
        try:
            found = read(json.loads((folder / mark).read_text(encoding="utf-8")))
        except (OSError, ValueError, AttributeError):
            # Absent, or damaged: the store itself is read, and refused, later.
            continue
        attributes = found if isinstance(found, dict) else {}
        ome = attributes.get("ome")
        return {**attributes, **ome} if isinstance(ome, Mapping) else attributes
    return {} if is_store(folder) else None
