"""Rows for the destination of results: in memory, on disk, or computed where they are displayed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, FileEdit
from magicgui.widgets.bases import Widget
from qtpy.QtCore import QUrl

from napari_sr.widgets.qt.path_drop import PathDrop
from napari_sr.widgets.qt.rows import shrinkable

MEMORY, DISK, LAZY = "memory", "disk", "lazy"

# File systems allow 255 bytes or more for a name, of which some are for a number, the ending, and a temporary name.
_MOST_BYTES = 180


class OutputChoice:
    """The list of destinations, and the folder for results on disk.

    Parameters
    ----------
    on_change : callable
        Called without arguments when the choice changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self.kind = shrinkable(
            ComboBox(
                name="output",
                label="Output",
                choices=[
                    ("A layer in memory", MEMORY),
                    ("A layer on disk (OME-Zarr)", DISK),
                    ("Only what is displayed", LAZY),
                ],
                tooltip=(
                    "In memory: save the layer before you close napari. On disk: the result may be larger than "
                    "memory, and other programs can open it. Only what is displayed: a layer at once, whose pixels are "
                    "computed where you look. Layers of dask arrays begin with this."
                ),
            )
        )
        self.folder = FileEdit(
            name="folder",
            label="Folder",
            mode=FileDialogMode.EXISTING_DIRECTORY,
            value=Path.home(),
            tooltip="Folder for the results, one OME-Zarr store each. Nothing is overwritten.",
            visible=False,
        )
        self._begun_lazy = False
        take_dropped_folder(self.folder)
        self.kind.changed.connect(self._changed)
        self.folder.changed.connect(lambda: self._on_change())

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.kind, self.folder)

    @property
    def store(self) -> Path | None:
        """Folder for OME-Zarr stores; None for other results."""
        return typed_folder(str(self.folder.value)) if self.kind.value == DISK else None

    @property
    def lazy(self) -> bool:
        """Whether pixels are computed where they are displayed."""
        return bool(self.kind.value == LAZY)

    def show(self, store: Path | None, lazy: bool = False) -> None:
        """Show a destination: a folder for OME-Zarr stores, or else lazy results, or layers in memory."""
        if store is not None:
            self.folder.value = store
        self.kind.value = DISK if store is not None else LAZY if lazy else MEMORY

    def begin_with(self, image: Any) -> None:
        """Choose the destination for another image, unless it was chosen by hand: lazy for a dask array."""
        lazy = hasattr(image, "__dask_graph__")
        if lazy and self.kind.value == MEMORY:
            self.kind.value = LAZY
            self._begun_lazy = True
        elif not lazy and self._begun_lazy:
            self.kind.value = MEMORY

    def _changed(self, value: str) -> None:
        self._begun_lazy = False
        self.folder.visible = value == DISK
        self._on_change()


def take_dropped_folder(row: FileEdit) -> None:
    """Let a row for a folder take one that is dropped onto it; Qt would insert its address into the text.

    Parameters
    ----------
    row : FileEdit
        The row. A dropped file stands for the folder that it is in.
    """

    def take(paths: list[Path]) -> None:
        row.line_edit.value = str(paths[0] if paths[0].is_dir() else paths[0].parent)

    PathDrop(row.line_edit.native, take)


def typed_folder(text: str) -> Path:
    """Return the folder that was typed into a row as an absolute path, which may not exist.

    An address that begins with "file:", as file managers copy it, is one too. "~" at the beginning is the home folder,
    and a relative path begins in the working directory.
    """
    if (address := QUrl(text)).isLocalFile():
        text = address.toLocalFile()
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        # "~name" of no user of this computer is a name as any other.
        return Path(text).absolute()


def store_in(folder: Path, name: str) -> Path:
    """Return the path of a new OME-Zarr store in a folder: "cells-ESRGAN-x4.ome.zarr" for "cells (ESRGAN x4)".

    A name that is too long for a file is cut in its middle, and a number is added if there is such a file already.
    """
    stem = _cut(re.sub(r"[^\w.=-]+", "-", name)).strip("-.") or "result"
    paths = (folder / f"{stem}{'' if n == 1 else f'-{n}'}.ome.zarr" for n in count(1))
    return next(path for path in paths if not path.exists())


def _cut(stem: str) -> str:
    encoded = stem.encode()
    if len(encoded) <= _MOST_BYTES:
        return stem
    begin, end = encoded[: _MOST_BYTES // 2], encoded[-_MOST_BYTES // 2 :]
    # A character of several bytes may have been cut, too.
    return f"{begin.decode(errors='ignore')}-{end.decode(errors='ignore')}"
