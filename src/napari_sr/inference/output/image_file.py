"""Results in image files: TIFF of any size, and PNG."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from napari_sr.imaging.atomic import scratch_folder
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.axis_view import AxisView
from napari_sr.imaging.files import Metadata, read_image, write_image
from napari_sr.imaging.files.writing import check_writable, writing_error
from napari_sr.imaging.files.writing.disk_array import disk_array
from napari_sr.inference.output.destination import destination
from napari_sr.inference.output.paths import check_new
from napari_sr.progress import Cancel, never

#: Largest result in bytes that is kept in memory until it is written to a TIFF.
IN_MEMORY = 1 << 28


@contextmanager
def new_image(
    path: Path,
    axes: Axes,
    dtype: Any,
    metadata: Metadata,
    *,
    overwrite: bool = False,
    cancel: Cancel = never,
    completed: Callable[[Path], None] | None = None,
) -> Iterator[Any]:
    """Write a result to a TIFF or PNG atomically: completely or not at all.

    Parameters
    ----------
    path : Path
        The file.
    axes : Axes
        Axes of the result.
    dtype : dtype
        Data type of the result.
    metadata : Metadata
        Metadata of the result.
    overwrite : bool, default False
        Whether an existing file is replaced.
    cancel : callable, optional
        Called between two parts of a large file; returning True ends the writing with `Cancelled`.
    completed : callable, optional
        Called with the temporary path of the complete file, before it is renamed.

    Yields
    ------
    array
        The array to be filled. On exit the file is written from it. For a TIFF of more than 256 MiB it is in a
        temporary file beside `path`, so that the result may be larger than memory; otherwise it is in memory.

    Raises
    ------
    InputError
        If the format cannot contain the result, the file exists and `overwrite` is False, its folder is missing, a PNG
        does not fit into memory, or the file cannot be written, for example because the disk is full.
    Cancelled
        If `cancel` returned True.
    """
    check_writable(path, axes, dtype, metadata)
    check_new(path, overwrite)

    def complete(temporary: Path) -> None:
        # Another program may have written it during the computation.
        check_new(path, overwrite)
        if completed is not None:
            completed(temporary)

    if prod(axes.shape) * np.dtype(dtype).itemsize <= IN_MEMORY or path.suffix.lower() == ".png":
        with destination(None, axes, dtype) as target:
            yield target.array
        write_image(path, target.array, axes.letters, metadata=metadata, completed=complete, cancel=cancel)
        return
    try:
        with scratch_folder(path) as folder:
            array, view = disk_array(folder / "pixels", axes, dtype)
            with array:
                yield view
                write_image(path, view, axes.letters, metadata=metadata, completed=complete, cancel=cancel)
    except OSError as error:
        # Other errors are those of the input, which is read meanwhile.
        if error.filename != str(path):
            raise
        raise writing_error(path, error) from error


def open_image(path: Path, axes: Axes) -> Any:
    """Open the file of a result with the axes of the result.

    Parameters
    ----------
    path : Path
        The file, from `new_image`.
    axes : Axes
        Axes of the result.

    Returns
    -------
    AxisView
        The pixels; those of a large TIFF are read where they are indexed.
    """
    image = read_image(path, lazy=True)
    # Files have their own order of axes, and those of length 1 are not read.
    return AxisView(image.data, [image.axes.find(letter) for letter in axes.letters])
