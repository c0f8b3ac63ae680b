"""Whether a window can be opened on this computer, and why not."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
# A display of another computer may not respond at all.
_WAIT_SECONDS = 30


def why_no_window() -> str | None:
    """Return why no window can be opened.

    Returns
    -------
    str or None
        The reason, such as "there is no display"; None if a window can be opened.
    """
    with_display = sys.platform not in ("darwin", "win32")
    if with_display and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "there is no display"
    if find_spec("napari") is None or not any(map(find_spec, _BINDINGS)):
        return "napari is not installed (pip install 'napari-sr[gui]')"
    return _why_not_displayed() if with_display else None


def _why_not_displayed() -> str | None:
    """Start Qt in a process of its own: without a display that responds, or without its libraries, Qt aborts."""
    command = [sys.executable, "-c", "from qtpy.QtWidgets import QApplication; QApplication([])"]
    try:
        tried = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        return "the display does not respond"
    if tried.returncode == 0:
        return None
    lines = [line.strip() for line in tried.stderr.splitlines() if line.strip()]
    # The cause is the first message of Qt's platform plugin, or the last line of a failed import.
    causes = [line.partition(": ")[2] for line in lines if line.startswith("qt.qpa.")] or lines[-1:]
    return f"Qt cannot use the display ({causes[0].rstrip('.')})" if causes else "Qt cannot use the display"
