"""A list whose last entry opens a file dialog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent, QStandardItemModel
from qtpy.QtWidgets import QComboBox, QFileDialog, QWidget

from napari_sr.widgets.qt.rows import refresh_choices, shrinkable

OPEN_A_FILE = "Open a file…"
"""Text of the last entry."""

_OPEN = "open a file"
_KEYS_THAT_OPEN = (Qt.Key.Key_Space, Qt.Key.Key_F4)
_WEIGHTS = "Model files (*.safetensors *.pth *.pt *.ckpt *.pkl *.bin *.mat);;All files (*)"

FileDialog = Callable[[QWidget], Path | None]
"""Shows a dialog over a widget, and returns the chosen file; None if it was closed without a choice."""


def model_file_dialog(parent: QWidget) -> Path | None:
    """Show the system's dialog for opening a model file; return None if it was closed without a choice."""
    name, _ = QFileDialog.getOpenFileName(parent, "Open a model file", "", _WEIGHTS)
    return Path(name) if name else None


class FileChoice:
    """A list of choices, with an entry at the end that opens a file.

    Parameters
    ----------
    name, label, tooltip : str
        Of the list.
    on_choice : callable
        Called with the value of each new choice.
    on_file : callable
        Called with the path of a file that was opened. The present choice stays until `offer` or `select` changes it.
    """

    def __init__(
        self,
        *,
        name: str,
        label: str,
        tooltip: str,
        on_choice: Callable[[Any], None],
        on_file: Callable[[Path], None],
    ) -> None:
        self._on_choice, self._on_file = on_choice, on_file
        self.dialog: FileDialog = model_file_dialog
        """Shows the file dialog."""
        self._choices: list[tuple[str, Any]] = []
        self.widget = shrinkable(ComboBox(name=name, label=label, tooltip=tooltip, choices=self._all_choices))
        self._current: Any = None
        self.widget.native.installEventFilter(_ClosedList(self.widget.native))
        self.widget.changed.connect(self._changed)

    @property
    def value(self) -> Any:
        """The value of the present choice."""
        return self._current

    def offer(self, choices: Sequence[tuple[str, Any]], value: Any) -> None:
        """Replace the choices, each a text and a value, and select a value without calling `on_choice`."""
        self._choices = list(choices)
        refresh_choices(self.widget, value)
        self._current = value

    def select(self, value: Any) -> None:
        """Select a value and call `on_choice`; raises ValueError if it is not in the list."""
        self.widget.value = value

    def _all_choices(self, widget: object) -> list[tuple[str, Any]]:
        return [*self._choices, (OPEN_A_FILE, _OPEN)]

    def _changed(self, value: Any) -> None:
        if value == _OPEN:
            self.offer(self._choices, self._current)
            path = self.dialog(self.widget.native)
            if path is not None:
                self._on_file(path)
        elif value != self._current:
            self._current = value
            self._on_choice(value)


class _ClosedList(QObject):
    """Makes the keys and the wheel skip the entry that opens a file while the list is closed.

    Qt chooses each entry that they reach, so that the way through the list would end in a dialog.
    """

    def __init__(self, combo: QComboBox) -> None:
        super().__init__(combo)
        self._combo, self._passing = combo, False

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name)
        """Pass the event on with the entry disabled, which Qt skips."""
        if event is None or self._passing or not _moves(event):
            return False
        self._passing = True
        self._enable(False)
        try:
            self._combo.event(event)
        finally:
            self._passing = False
            self._enable(True)
        return True

    def _enable(self, enabled: bool) -> None:
        # The choice of another entry may have filled the list again.
        model, row = self._combo.model(), self._combo.findText(OPEN_A_FILE)
        item = model.item(row) if isinstance(model, QStandardItemModel) and row >= 0 else None
        if item is not None:
            item.setEnabled(enabled)


def _moves(event: QEvent) -> bool:
    """Return whether an event of a closed list may choose another entry without opening the list."""
    if event.type() == QEvent.Type.Wheel:
        return True
    if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
        return False
    return event.key() not in _KEYS_THAT_OPEN and not event.modifiers() & Qt.KeyboardModifier.AltModifier
