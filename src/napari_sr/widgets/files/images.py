"""Rows for the images of a run over files, the folder of the results, and their format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, Container, FileEdit, PushButton
from magicgui.widgets.bases import Widget
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_sr.imaging.files import ENDINGS
from napari_sr.widgets.choices.output import take_dropped_folder, typed_folder
from napari_sr.widgets.qt.rows import shrinkable, side_by_side
from napari_sr.widgets.qt.text.wrapped_text import WrappedText

_FORMATS = (
    ("As the image", ""),
    ("OME-TIFF", ".ome.tif"),
    ("TIFF", ".tif"),
    ("PNG (one plane)", ".png"),
    ("OME-Zarr", ".ome.zarr"),
)
_FILES = f"Images ({' '.join(f'*{ending}' for ending in ENDINGS if ending != '.zarr')});;All files (*)"
_BUTTON_WIDTH = 32
_NONE = "Choose a folder of images, or files."


def folder_dialog(parent: QWidget) -> list[Path]:
    """Show the system's dialog for choosing a folder; the list is empty if it was closed without a choice."""
    name = QFileDialog.getExistingDirectory(parent, "Upscale all images of a folder")
    return [Path(name)] if name else []


def files_dialog(parent: QWidget) -> list[Path]:
    """Show the system's dialog for choosing files; the list is empty if it was closed without a choice."""
    names, _ = QFileDialog.getOpenFileNames(parent, "Upscale files", "", _FILES)
    return [Path(name) for name in names]


class ImagesChoice:
    """The buttons for a folder and for files, the folder of the results, and their format.

    Parameters
    ----------
    on_change : callable
        Called without arguments when the choice changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self.inputs: tuple[Path, ...] = ()
        """The chosen folder, or the chosen files."""
        self._proposed = ""
        self.folder_dialog, self.files_dialog = folder_dialog, files_dialog
        self.folder_button = PushButton(
            name="choose_folder",
            text="Folder…",
            tooltip="All images of a folder, and of the folders in it. Other files and hidden ones are left out.",
        )
        self.files_button = PushButton(name="choose_files", text="Files…", tooltip="One image or several of a folder.")
        self.buttons: Container[Widget] = side_by_side("images", "Images", [self.folder_button, self.files_button])
        self.chosen = WrappedText(name="chosen", value=_NONE, tooltip="The images that will be upscaled.")
        self.out_folder = FileEdit(
            name="out_folder",
            label="Results",
            mode=FileDialogMode.EXISTING_DIRECTORY,
            tooltip="Folder of the results, which is made if it does not exist. A folder of images is mirrored in it.",
        )
        # The path needs the width.
        self.out_folder.choose_btn.text = "…"
        self.out_folder.choose_btn.max_width = _BUTTON_WIDTH
        take_dropped_folder(self.out_folder)
        self.format = shrinkable(
            ComboBox(
                name="format",
                label="Format",
                choices=list(_FORMATS),
                tooltip=(
                    "Format of the results. “As the image” is that of TIFF, PNG and Zarr, OME-TIFF for other "
                    "microscopy formats, and PNG for other pictures."
                ),
            )
        )
        self.folder_button.changed.connect(lambda: self._choose(self.folder_dialog))
        self.files_button.changed.connect(lambda: self._choose(self.files_dialog))
        self.out_folder.changed.connect(lambda: on_change())
        self.format.changed.connect(lambda: on_change())

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order; `chosen` has no label and is not one of them."""
        return (self.buttons, self.out_folder, self.format)

    @property
    def folder(self) -> Path | None:
        """Folder of the results; None if none was given."""
        text = str(self.out_folder.line_edit.value).strip()
        return typed_folder(text) if text else None

    @property
    def result_format(self) -> str | None:
        """Format of the results; None for that of each image."""
        return str(self.format.value) or None

    def choose(self, inputs: Sequence[Path]) -> None:
        """Choose a folder or files, as the buttons do, and propose a folder for the results."""
        self.inputs = tuple(inputs)
        if not self.inputs or str(self.out_folder.line_edit.value) not in ("", self._proposed):
            # A folder that was chosen by hand stays.
            self._on_change()
            return
        first = self.inputs[0]
        source = first if first.is_dir() else first.parent
        self._proposed = str(source.with_name(f"{source.name or 'images'}-upscaled"))
        with self.out_folder.changed.blocked():
            self.out_folder.line_edit.value = self._proposed
        self._on_change()

    def set_enabled(self, enabled: bool) -> None:
        """Enable or disable the rows.

        Parameters
        ----------
        enabled : bool
            False while the images are upscaled: what is shown about them is that of the run.
        """
        for row in self.widgets:
            row.enabled = enabled

    def show_count(self, count: int) -> None:
        """Show how many images were found."""
        images = "1 image" if count == 1 else f"{count} images"
        first = self.inputs[0]
        where = f"in {first}" if len(self.inputs) == 1 and first.is_dir() else f"of {first.parent}"
        self.chosen.value = f"{images} {where}"

    def show_problem(self, text: str) -> None:
        """Show why the choice cannot be used; an empty text for the request to choose images."""
        self.chosen.value = text or _NONE

    def _choose(self, dialog: Callable[[QWidget], list[Path]]) -> None:
        paths = dialog(self.buttons.native)
        if paths:
            self.choose(paths)
