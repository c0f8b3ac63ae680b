"""The button "Check this computer…" and its dialog: a self-test whose text a user pastes into a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import PushButton
from qtpy import compat
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import QApplication, QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from napari_sr.progress import Cancel, Progress
from napari_sr.widgets.qt.executor import Executor
from napari_sr.widgets.qt.run import Run
from napari_sr.widgets.qt.torch_loading import load_torch

if TYPE_CHECKING:
    from napari_sr.inference.check import Check

_CHECKING = "Checking this computer. This takes about 20 seconds, and longer while something else is computed."
# The number of checks depends on the devices, which are looked for meanwhile.
_UNKNOWN_TOTAL = 0


class ComputerCheck:
    """The button that opens the check of this computer in a dialog.

    Parameters
    ----------
    executor : Executor
        Does the checks.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.button = PushButton(
            name="check_computer",
            text="Check this computer…",
            tooltip="Test devices, memory, folders and files; copy the result into a report if something is wrong.",
        )
        self.button.changed.connect(lambda: self.open())
        self.dialog: CheckDialog | None = None
        """The dialog that was opened last."""

    def open(self) -> None:
        """Open the dialog and start the checks; a dialog that is open already is brought to the front."""
        if self.dialog is None or not compat.isalive(self.dialog) or not self.dialog.isVisible():
            self.close()
            self.dialog = CheckDialog(self.button.native.window(), self._executor)
            self.dialog.show()
            self.dialog.start()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def close(self) -> None:
        """Close the dialog, if there is one, and stop its checks."""
        dialog, self.dialog = self.dialog, None
        # Qt deletes the dialog with the window.
        if dialog is not None and compat.isalive(dialog):
            dialog.close()
            dialog.deleteLater()


class CheckDialog(QDialog):
    """The lines of the check, as they come, and a button that copies them. Closing the dialog stops the check.

    Parameters
    ----------
    parent : QWidget
        The window above which the dialog is shown.
    executor : Executor
        Does the checks.
    """

    def __init__(self, parent: QWidget, executor: Executor) -> None:
        super().__init__(parent)
        self._executor = executor
        self._run: Run[list[Check]] | None = None
        self.setWindowTitle("Check this computer")
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.copy_button, self.close_button = QPushButton("Copy"), QPushButton("Close")
        self.copy_button.setToolTip("Copy all lines to the clipboard.")
        self.copy_button.clicked.connect(self._copy)
        self.close_button.clicked.connect(self.close)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.copy_button)
        buttons.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.summary)
        layout.addWidget(self.text, stretch=1)
        layout.addLayout(buttons)
        self.resize(820, 460)

    def start(self) -> None:
        """Start the checks."""
        self.summary.setText(_CHECKING)
        self.copy_button.setEnabled(False)
        lines: list[Check] = []

        def work(progress: Progress, cancel: Cancel) -> list[Check]:
            load_torch()
            from napari_sr.inference.check import check_computer

            for line in check_computer(cancel):
                lines.append(line)
                progress(len(lines), _UNKNOWN_TOTAL)
            return lines

        self._run = Run(
            "checking this computer",
            work,
            returned=self._show_all,
            errored=lambda error: self._show_summary(f"The check has failed ({type(error).__name__}: {error})."),
            progressed=lambda done, total: self._show_lines(lines[:done]),
        )
        self._executor.submit(self._run)

    def done(self, result: int) -> None:
        """Close the dialog and stop the checks, for Close, Escape and the button of the window."""
        if self._run is not None:
            self._run.abandon()
        super().done(result)

    def _show_lines(self, lines: list[Check]) -> None:
        """Show the lines that are not shown yet."""
        shown = len(self.text.toPlainText().splitlines())
        for line in lines[shown:]:
            self.text.appendPlainText(line.line())

    def _show_all(self, lines: list[Check]) -> None:
        self._show_lines(lines)
        failed = [line.name for line in lines if not line.ok]
        if not failed:
            self._show_summary("All checks are ok.")
            return
        number = "1 check has" if len(failed) == 1 else f"{len(failed)} checks have"
        self._show_summary(
            f"{number} failed: {', '.join(failed)}. If what the lines advise does not help, copy all of them into a "
            "report."
        )

    def _show_summary(self, sentence: str) -> None:
        self.summary.setText(sentence)
        self.copy_button.setEnabled(True)

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        assert clipboard is not None
        clipboard.setText(self.text.toPlainText() + "\n")
