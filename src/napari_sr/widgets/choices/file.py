"""A list whose last entry opens a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_sr.widgets.qt.rows import list_anew, shrinkable

OPEN_A_FILE = "Open a file…"
_OPEN = "open a file"
_WEIGHTS = "Model files (*.safetensors *.pth *.pt *.ckpt *.pkl *.bin *.mat);;All files (*)"

AskForFile = Callable[[QWidget], Path | None]


def ask_for_model_file(parent: QWidget) -> Path | None:
    """Ask for a model file with the system's dialog; None when the user thinks better of it."""
    name, _ = QFileDialog.getOpenFileName(parent, "Open a model file", "", _WEIGHTS)
    return Path(name) if name else None


class FileChoice:
    """A list of offers, with an entry below them that asks for a file.

    Parameters
    ----------
    name, label, tooltip : str
        Of the list.
    on_choice : callable
        Hears the value of each new choice, whoever made it.
    on_file : callable
        Hears the path of a file that was opened; the choice stays what it was until `offer` and `select` change it.
    ask : callable
        Asks for the file.
    """

    def __init__(
        self,
        *,
        name: str,
        label: str,
        tooltip: str,
        on_choice: Callable[[Any], None],
        on_file: Callable[[Path], None],
        ask: AskForFile = ask_for_model_file,
    ) -> None:
        self._on_choice, self._on_file, self.ask = on_choice, on_file, ask
        self._choices: list[tuple[str, Any]] = []
        self.widget = shrinkable(ComboBox(name=name, label=label, tooltip=tooltip, choices=self._all_choices))
        self._current: Any = None
        self.widget.changed.connect(self._changed)

    @property
    def value(self) -> Any:
        """The value of the chosen offer."""
        return self._current

    def offer(self, choices: Sequence[tuple[str, Any]], value: Any) -> None:
        """Replace the offers, (text, value) each, and choose one without telling."""
        self._choices = list(choices)
        list_anew(self.widget, value)
        self._current = value

    def select(self, value: Any) -> None:
        """Choose an offer, and tell."""
        self.widget.value = value

    def _all_choices(self, widget: object) -> list[tuple[str, Any]]:
        return [*self._choices, (OPEN_A_FILE, _OPEN)]

    def _changed(self, value: Any) -> None:
        if value == _OPEN:
            self.offer(self._choices, self._current)
            path = self.ask(self.widget.native)
            if path is not None:
                self._on_file(path)
        elif value != self._current:
            self._current = value
            self._on_choice(value)
