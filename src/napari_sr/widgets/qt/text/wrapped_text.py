"""A text that wraps, within long words too: names and paths of files have no spaces."""

from __future__ import annotations

import re
from typing import Any

from magicgui.widgets import Label
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import (  # type: ignore[attr-defined]  # qtpy brings QAction here from QtGui
    QAction,
    QApplication,
    QLabel,
    QSizePolicy,
)

_BREAK = "\N{ZERO WIDTH SPACE}"
# Shorter words fit into every panel.
_LONG_WORD = re.compile(r"\S{25,}")
# A long word is divided after these signs, and where there are none for some characters.
_PIECES = re.compile(r"[^_./\\-]{1,12}[_./\\-]*|[_./\\-]+")


class WrappedText(Label):
    """A text that wraps, selectable with the mouse, and no larger than it needs to be.

    Qt wraps at spaces alone, and cuts off what is longer than a line. In the displayed text long words have places to
    wrap at, which are neither in `value` nor in text that is copied or read aloud.

    Parameters
    ----------
    **options
        Of `magicgui.widgets.Label`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        native: QLabel = self.native
        native.setWordWrap(True)
        native.setTextFormat(Qt.TextFormat.PlainText)
        native.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        _Copy(native)

    def get_value(self) -> str:
        """Return the text without the places to wrap at."""
        return super().get_value().replace(_BREAK, "")

    def set_value(self, value: str) -> None:
        """Show a text, whose long words may be wrapped anywhere."""
        super().set_value(_LONG_WORD.sub(lambda word: _BREAK.join(_PIECES.findall(word[0])), value))
        self.native.setAccessibleName(value)


class _Copy(QObject):
    """Copies selected text as it was given."""

    def __init__(self, label: QLabel) -> None:
        super().__init__(label)
        self._label = label
        label.installEventFilter(self)
        action = QAction("Copy", label)
        action.triggered.connect(self._copy)
        label.addAction(action)
        label.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name)
        """Copy on the keys for it."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        copies = event.matches(QKeySequence.StandardKey.Copy)
        if copies:
            self._copy()
        return copies

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        assert clipboard is not None
        clipboard.setText(self._label.selectedText().replace(_BREAK, ""))
