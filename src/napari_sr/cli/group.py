"""The group of commands: errors are printed as one sentence, and signals end a command without incomplete files."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from napari_sr.cli.signals import Ended, signals
from napari_sr.errors import describe_error
from napari_sr.imaging.atomic import delete_own

FAILED = 2


class Commands(TyperGroup):
    """Group of commands with errors of one sentence, and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises
        ------
        typer.Exit
            With status 2 after an error, and 128 and the number of the signal after a signal.
        """
        with signals:
            try:
                return super().invoke(ctx)
            except BrokenPipeError:
                # As in `napari-sr models | head`; typer exits without a message.
                raise
            except Exception as error:
                sentence = describe_error(error)
                if sentence is None:
                    raise
            except KeyboardInterrupt as error:
                # Cleaning up was perhaps interrupted by a second signal.
                signals.ignore()
                delete_own()
                ended = error if isinstance(error, Ended) else Ended(2)
                typer.echo(ended.sentence, err=True)
                raise typer.Exit(ended.status) from None
            typer.echo(f"napari-sr: {sentence}", err=True)
            raise typer.Exit(FAILED)
