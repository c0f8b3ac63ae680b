"""The progress bar of a command."""

from __future__ import annotations

import sys


class Bar:
    """Progress bar on standard error if it is a terminal; called as ``progress(done, total)``.

    Parameters
    ----------
    quiet : bool
        Whether no bar is shown.
    unit : str
        What is counted.
    form : str, optional
        Format of the bar, as tqdm's ``bar_format``; by default that of tqdm.
    """

    def __init__(self, quiet: bool, unit: str, form: str | None = None) -> None:
        from tqdm import tqdm

        # Standard error is None if the program was started with it closed.
        hidden = quiet or sys.stderr is None
        # disable=None: no bar if standard error is not a terminal.
        self._bar = tqdm(unit=unit, leave=False, disable=hidden or None, file=sys.stderr, bar_format=form)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def __call__(self, done: int, total: int) -> None:
        """Show the progress."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def describe(self, text: str) -> None:
        """Show a text in place of ``{desc}`` in the format."""
        self._bar.set_description_str(text, refresh=False)
