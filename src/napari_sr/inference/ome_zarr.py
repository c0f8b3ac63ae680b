"""Results on disk as OME-Zarr: a pyramid of arrays with axes, pixel sizes and units that other programs read.

References
----------
Next-generation file formats (NGFF) 0.5, https://ngff.openmicroscopy.org/0.5/, section "multiscales".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_sr.errors import Cancelled
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.files import STORE_KEY
from napari_sr.imaging.pixel_size import METERS
from napari_sr.inference.store import CHUNK, fresh_store
from napari_sr.progress import Cancel

_KINDS = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}


@contextmanager
def ome_zarr(
    path: Path,
    axes: Axes,
    *,
    name: str,
    scale: Sequence[float],
    translate: Sequence[float],
    units: Sequence[str | None],
    cancel: Cancel = lambda: False,
) -> Iterator[Path]:
    """Make an OME-Zarr store of a result, whole or not at all.

    Parameters
    ----------
    path : Path
        Of the store, which is not there yet.
    axes : Axes
        Of the result.
    name : str
        What is written down as its name.
    scale, translate : sequence of float
        Size of a pixel and place of the first one along each axis, the colors of RGB left out.
    units : sequence of str or None
        Of each of these axes, "pixel" or None where it has none.
    cancel : callable
        Asked while the coarser levels are made.

    Yields
    ------
    Path
        Where the array of the finest level is to be made. When that is done the coarser levels are made of it.

    Raises
    ------
    InputError
        If the store is there already, or its folder is missing.
    Cancelled
        If `cancel` said yes; nothing is left then.

    Notes
    -----
    Each level is the one before with 2 x 2 pixels averaged, down to planes of at most 1024 pixels a side. The order of
    axes that OME-Zarr demands (T, C, Z, Y, X) leaves out some images, RGB among them: their store has our own
    attributes only.
    """
    with fresh_store(path) as part:
        group = zarr.create_group(part)
        yield part / "0"
        levels = [zarr.open_array(part / "0", mode="r")]
        while max(levels[-1].shape[axes.y], levels[-1].shape[axes.x]) > CHUNK:
            levels.append(_coarser(part / str(len(levels)), levels[-1], axes, cancel))
        group.attrs.update(_attributes(axes, len(levels), name, scale, translate, units))


def open_levels(path: Path) -> list[Any]:
    """Arrays of a store that `ome_zarr` made, the finest first."""
    group = zarr.open_group(path, mode="r")
    return [group[name] for name in sorted(group.array_keys(), key=int)]


def _coarser(path: Path, finer: Any, axes: Axes, cancel: Cancel) -> Any:
    """Average 2 x 2 pixels, a block of rows at a time."""
    shape = list(finer.shape)
    for axis in (axes.y, axes.x):
        shape[axis] = -(-shape[axis] // 2)
    chunks = tuple(min(chunk, length) for chunk, length in zip(finer.chunks, shape, strict=True))
    level = zarr.create_array(path, shape=tuple(shape), chunks=chunks, dtype=finer.dtype)
    height, width = finer.shape[axes.y], finer.shape[axes.x]
    for index in axes.plane_indices():
        for top in range(0, height, 2 * CHUNK):
            for left in range(0, width, 2 * CHUNK):
                if cancel():
                    raise Cancelled("The work was cancelled; nothing was changed.")
                rows = slice(top, min(top + 2 * CHUNK, height))
                columns = slice(left, min(left + 2 * CHUNK, width))
                block = axes.plane(finer, axes.part(index, rows, columns))
                there = axes.part(index, slice(top // 2, -(-rows.stop // 2)), slice(left // 2, -(-columns.stop // 2)))
                axes.place(level, there, _halved(block))
    return level


def _halved(block: NDArray[Any]) -> NDArray[Any]:
    """Average 2 x 2 pixels of (Y, X) or (Y, X, C); an odd last row or column is repeated."""
    odd = [(0, length % 2) for length in block.shape[:2]]
    even = np.pad(block, odd + [(0, 0)] * (block.ndim - 2), mode="edge")
    pairs = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, *even.shape[2:])
    mean: NDArray[np.float64] = pairs.mean(axis=(1, 3), dtype=np.float64)
    return (np.rint(mean) if block.dtype.kind in "biu" else mean).astype(block.dtype)


def _attributes(
    axes: Axes,
    levels: int,
    name: str,
    scale: Sequence[float],
    translate: Sequence[float],
    units: Sequence[str | None],
) -> dict[str, Any]:
    letters = axes.letters[:-1] if axes.rgb else axes.letters
    known = dict(zip(letters, units, strict=True))
    attributes: dict[str, Any] = {
        STORE_KEY: {
            "name": name,
            "axes": axes.letters,
            "scale": [float(size) for size in scale],
            "translate": [float(shift) for shift in translate],
            "units": list(units),
        }
    }
    if axes.rgb or letters != "".join(letter for letter in "TCZYX" if letter in letters):
        return attributes
    described = [{"name": letter.lower(), "type": _KINDS[letter]} for letter in letters]
    for entry, letter in zip(described, letters, strict=True):
        if letter in "ZYX" and known[letter] in METERS:
            entry["unit"] = str(known[letter])
    datasets = []
    for level in range(levels):
        grown = [2.0**level if letter in "YX" else 1.0 for letter in letters]
        datasets.append(
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [float(s) * g for s, g in zip(scale, grown, strict=True)]},
                    {
                        "type": "translation",
                        # The center of a coarse pixel lies between those of the fine ones.
                        "translation": [
                            float(t) + float(s) * (g - 1) / 2 for t, s, g in zip(translate, scale, grown, strict=True)
                        ],
                    },
                ],
            }
        )
    attributes["ome"] = {"version": "0.5", "multiscales": [{"name": name, "axes": described, "datasets": datasets}]}
    return attributes
