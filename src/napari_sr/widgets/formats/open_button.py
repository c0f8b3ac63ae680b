"""The button "Open with pixel size" of the panels, with a menu."""

from __future__ import annotations

from magicgui.widgets import PushButton
from napari.viewer import Viewer
from qtpy.QtWidgets import QAction, QMenu  # type: ignore[attr-defined]  # qtpy brings QAction here from QtGui

from napari_sr.widgets.formats.opening import (
    open_result_on_disk,
    open_with_pixel_size,
    opens_ome_tiff,
    set_opens_ome_tiff,
)


class OpenButton(PushButton):
    """A button with a menu: open files, open a result on disk, and open OME-TIFF with this plugin always.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer to which the layers are added.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(
            name="open_with_pixel_size",
            text="Open with pixel size",
            tooltip=(
                "Open images with the pixel size, position and channels of their files, which napari's own reader "
                "drops, and results on disk in their places."
            ),
        )
        self.menu = QMenu(self.native)
        self.menu.setToolTipsVisible(True)
        self.files = self._add("Image files…")
        self.store = self._add("A result on disk (OME-Zarr)…")
        self.menu.addSeparator()
        self.always = self._add("Always open *.ome.tif like this")
        self.always.setCheckable(True)
        self.always.setToolTip("Sets napari's own preference: see Preferences > Plugins, File extension readers.")
        self.files.triggered.connect(lambda: open_with_pixel_size(viewer))
        self.store.triggered.connect(lambda: open_result_on_disk(viewer))
        self.always.triggered.connect(set_opens_ome_tiff)
        self.menu.aboutToShow.connect(lambda: self.always.setChecked(opens_ome_tiff()))
        self.native.setMenu(self.menu)

    def _add(self, text: str) -> QAction:
        action = QAction(text, self.menu)
        self.menu.addAction(action)
        return action
