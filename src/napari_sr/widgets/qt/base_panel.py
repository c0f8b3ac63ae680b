"""Base of all panels: background work, model files, defaults, devices, errors, layout and closing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from weakref import WeakSet

from magicgui.widgets import Container
from magicgui.widgets.bases import Widget
from napari.utils.notifications import show_warning
from napari.viewer import Viewer
from qtpy import compat
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QMainWindow

from napari_sr.config import load_settings
from napari_sr.errors import NapariSRError
from napari_sr.settings import JobSettings
from napari_sr.widgets.qt.accessibility import FocusFrame, name_controls
from napari_sr.widgets.qt.computer_check import ComputerCheck
from napari_sr.widgets.qt.errors import NOTHING_CHANGED, notify_error, worded_for_window
from napari_sr.widgets.qt.executor import Executor
from napari_sr.widgets.qt.queues import WorkQueues, queues_on, shared_queues
from napari_sr.widgets.qt.rows import LabelAlignment, VerticalScrollArea, leaf_widgets, set_tab_order
from napari_sr.widgets.qt.run import Run
from napari_sr.widgets.qt.sliders import need_focus_for_wheel, read_both_signs
from napari_sr.widgets.qt.text.contrast import readable, theme_colors
from napari_sr.widgets.qt.text.text_size import TextSize
from napari_sr.widgets.qt.torch_loading import load_torch
from napari_sr.widgets.qt.work_controls import WorkControls
from napari_sr.widgets.window.closing import ask_before_closing, format_work
from napari_sr.widgets.window.docking import join_tabs, main_window_of

if TYPE_CHECKING:
    from napari_sr.inference import DeviceList

T = TypeVar("T")

# Time in which the panel is drawn before torch is imported, which slows the main thread down.
_WARM_UP_MS = 200

_open_panels: WeakSet[BasePanel] = WeakSet()


class BasePanel(Container[Widget]):
    """A panel that is docked in a viewer.

    After the constructor of this class, a subclass creates its rows and `controls`, and calls `_set_content` and
    `_complete`.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer in which the panel is docked.
    executor : Executor, optional
        Does all work of the panel. By default the work queues that all panels share.
    """

    controls: WorkControls
    """Buttons and message, which are always in view below the rows."""

    unaffected: ClassVar[str] = NOTHING_CHANGED
    """What an unexpected error has not affected, as the end of a sentence."""

    _preloaded: ClassVar[tuple[str, ...]] = ()
    """Modules that are imported in the background together with torch."""

    def __init__(self, napari_viewer: Viewer, *, executor: Executor | None = None) -> None:
        super().__init__(labels=False)
        self.margins = (0, 0, 0, 0)
        self._viewer = napari_viewer
        self._queues: WorkQueues = shared_queues() if executor is None else queues_on(executor)
        self.computer_check = ComputerCheck(self._queues.background)
        self._background: list[Run[Any]] = []
        self._completed = self._shut = False

    @property
    def unfinished(self) -> Sequence[str]:
        """Descriptions of the work that closing the panel ends, such as "upscaling “cells” with srcnn-x2"."""
        return ()

    def shut_down(self) -> None:
        """Stop all work and disconnect from the viewer; called when the panel is closed. A second call does nothing."""
        if self._shut:
            return
        self._shut = True
        _open_panels.discard(self)
        for run in self._background:
            run.abandon()
        self.computer_check.close()
        self._viewer.events.theme.disconnect(self._color_focus)
        self._disconnect()

    # For subclasses to call.

    def _set_content(self, widgets: Sequence[Widget], stacks: Sequence[Container[Widget]]) -> None:
        """Lay out the rows in a scroll area, with the controls below it, and align the labels of stacks of rows."""
        self.content: Container[Widget] = Container(widgets=list(widgets), labels=False)
        self.footer: Container[Widget] = Container(widgets=[self.controls], labels=False)
        for part in (self.content, self.footer):
            self._complete_controls(part)
        self._focus_frames = [FocusFrame(part.native, "") for part in (self.content, self.footer)]
        self._viewer.events.theme.connect(self._color_focus)
        self._color_focus()
        self.scroll = VerticalScrollArea(self.content.native)
        self.native.layout().addWidget(self.scroll, 1)
        self.native.layout().addWidget(self.footer.native)
        set_tab_order(self.content, self.footer)
        TextSize(self.native)
        LabelAlignment(self.native, stacks)

    def _complete_controls(self, container: Container[Widget]) -> None:
        """Prepare controls for the wheel, the keyboard and screen readers; also for rows that are added later."""
        for widget in leaf_widgets(container):
            need_focus_for_wheel(widget)
            read_both_signs(widget)
        name_controls(container)

    def _complete(self) -> None:
        """End the construction: connect the closing of the panel, show the defaults, and import torch in a moment."""
        self._completed = True
        _open_panels.add(self)
        self.native_parent_changed.connect(self._parent_changed)
        self.native.destroyed.connect(self.shut_down)
        try:
            self._set_defaults(load_settings())
        except NapariSRError as error:
            sentence = self._notify(error)
            # The rest of the construction updates the message of the panel.
            QTimer.singleShot(0, lambda: self._show_at_first(sentence))
        QTimer.singleShot(_WARM_UP_MS, self._warm_up)

    def _in_background(
        self,
        name: str,
        work: Callable[[], T],
        returned: Callable[[T], None],
        errored: Callable[[Exception], None] | None = None,
    ) -> Run[T]:
        """Do short work on another thread; an error is shown in the panel unless `errored` is given."""
        run: Run[T] = Run(
            name,
            lambda progress, cancel: work(),
            returned=returned,
            errored=errored or self._report,
        )
        self._background = [*(other for other in self._background if not other.ended), run]
        self._queues.background.submit(run)
        return run

    def _check_in_background(self, name: str, work: Callable[[], object], refuse: Callable[[str], None]) -> None:
        """Do short work on another thread whose result is not needed; call `refuse` with the sentence of an error."""

        def failed(error: Exception) -> None:
            refuse(worded_for_window(str(error)) if isinstance(error, NapariSRError) else self._notify(error))

        self._in_background(name, work, lambda result: None, failed)

    def _read_model_file(
        self, name: str, read: Callable[[], T], complete: Callable[[T], None], refuse: Callable[[], None]
    ) -> None:
        """Read a model file in the background. `complete` is called with the result, `refuse` after an error."""

        def failed(error: Exception) -> None:
            refuse()
            self._changed()
            self._report(error)

        self._show_reading(name)
        self._in_background(f"reading {name}", read, complete, failed)

    def _show_message(self, text: str) -> None:
        """Show a sentence in the panel."""
        self.controls.show_message(text)

    def _notify(self, error: Exception) -> str:
        """Show an error as a notification, and return its sentence."""
        return notify_error(error, self.unaffected)

    def _report(self, error: Exception) -> None:
        """Show an error as a notification and in the panel."""
        self._show_message(self._notify(error))

    # For subclasses to define.

    def refresh_models(self) -> None:
        """Read the catalog of models again."""
        raise NotImplementedError

    def _changed(self) -> None:
        """Update the panel after a choice has changed."""
        raise NotImplementedError

    def _show_reading(self, name: str) -> None:
        """Show that a model file is being read; nothing can be started meanwhile."""
        self.controls.set_can_start(False)
        self._show_message(f"Reading {name}…")

    def _set_defaults(self, settings: JobSettings) -> None:
        """Show the settings that the settings file shares."""
        raise NotImplementedError

    def _offer_devices(self, devices: DeviceList) -> None:
        """List the devices of this computer."""
        raise NotImplementedError

    def _disconnect(self) -> None:
        """Stop the work of the parts of the panel, and disconnect them from the viewer."""
        raise NotImplementedError

    # Of this class alone.

    def _color_focus(self, event: object = None) -> None:
        color = readable(*theme_colors(self._viewer, "current", "background"))
        for frame in self._focus_frames:
            frame.set_color(color)

    def _show_at_first(self, sentence: str) -> None:
        if not self._shut and compat.isalive(self.native):
            self._show_message(sentence)

    def _warm_up(self) -> None:
        if not self._shut:
            self._in_background("looking for devices", self._find_devices, self._offer_devices)

    def _find_devices(self) -> DeviceList:
        load_torch()
        from napari_sr.inference import list_devices

        for module in self._preloaded:
            import_module(module)
        return list_devices()

    def _parent_changed(self, parent: object) -> None:
        if self.native.parent() is not None:
            # napari adds the dock to its window after this.
            QTimer.singleShot(0, self._docked)
            return
        # napari removes the panel from its dock when the dock is closed.
        work = tuple(self._describe_unfinished())
        self.shut_down()
        if work:
            show_warning(f"Closing the panel has ended {format_work(work)}: {self.unaffected}.")

    def _describe_unfinished(self) -> Sequence[str]:
        return () if self._shut else self.unfinished

    def _docked(self) -> None:
        if self._shut or not compat.isalive(self.native):
            return
        window = main_window_of(self.native)
        if window is not None:
            ask_before_closing(window, self._describe_unfinished)
            join_tabs(self.native, [panel.native for panel in _panels_in(window) if panel is not self])


def refresh_all_models() -> None:
    """Read the catalog of models again in the panels of all windows, which offer the models of one folder."""
    for panel in tuple(_open_panels):
        panel.refresh_models()


def _panels_in(window: QMainWindow) -> list[BasePanel]:
    return [panel for panel in _open_panels if main_window_of(panel.native) is window]
