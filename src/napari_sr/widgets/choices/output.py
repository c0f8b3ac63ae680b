"""Where results are kept: in memory, or on disk where they do not fit or are to stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, FileEdit
from magicgui.widgets.bases import Widget

from napari_sr.widgets.qt.rows import shrinkable

MEMORY, DISK = "memory", "disk"


class OutputChoice:
    """The list of outputs, and the folder for those on disk.

    Parameters
    ----------
    on_change : callable
        Told when something else was chosen.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self.kind = shrinkable(
            ComboBox(
                name="output",
                label="Output",
                choices=[("A layer in memory", MEMORY), ("A layer on disk (OME-Zarr)", DISK)],
                tooltip=(
                    "In memory it is gone when napari is closed unless you save it. On disk it may be larger than "
                    "memory, and other programs can open it."
                ),
            )
        )
        self.folder = FileEdit(
            name="folder",
            label="Folder",
            mode=FileDialogMode.EXISTING_DIRECTORY,
            value=Path.home(),
            tooltip="Where the results go, one OME-Zarr store each. None that is there is written over.",
            visible=False,
        )
        self.kind.changed.connect(self._changed)
        self.folder.changed.connect(lambda: self._on_change())

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.kind, self.folder)

    @property
    def store(self) -> Path | None:
        """Folder for the stores; None for results in memory."""
        return Path(str(self.folder.value)) if self.kind.value == DISK else None

    def _changed(self, value: str) -> None:
        self.folder.visible = value == DISK
        self._on_change()


def store_in(folder: Path, name: str) -> Path:
    """Name a store for a result that is not there yet: "cells-ESRGAN-x4.ome.zarr"."""
    stem = re.sub(r"[^\w.=-]+", "-", name).strip("-.") or "result"
    found = (folder / f"{stem}{'' if n == 1 else f'-{n}'}.ome.zarr" for n in count(1))
    return next(path for path in found if not path.exists())
