"""The command `napari-sr`, also as ``python -m napari_sr``. Ctrl-C ends it in order from its first moment on.

Importing the modules of the command line takes a noticeable part of a second.
"""

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line."""
    # A signal that is ignored, as in a job of a shell's background, remains ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
    from napari_sr.cli import main as run

    run()


def _stop(number: int, frame: FrameType | None) -> None:
    """End the process before any file is written; an exception could be lost in an import."""
    if sys.stderr is not None:
        sys.stderr.write("Stopped: no incomplete file is left.\n")
        sys.stderr.flush()
    os._exit(128 + number)


if __name__ == "__main__":
    main()
