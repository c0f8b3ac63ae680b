"""The group of commands: errors are printed as one sentence, and signals end a command without incomplete files."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

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


class IntoOne(TyperCommand):
    """A command with the arguments ``IN... OUT``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; a single one is IN.

        Raises
        ------
        typer.BadParameter
            If an argument or an option is missing or cannot be used.
        """
        try:
            return super().parse_args(ctx, list(args))
        except typer.BadParameter as error:
            arguments: list[Any] = [parameter for parameter in self.params if parameter.param_type_name == "argument"]
            several, last = arguments
            given, _, _ = self.make_parser(ctx).parse_args(list(args))
            # The last argument gets a single one, so that IN would be missing.
            if error.param is several and isinstance(given[last.name], str):
                error.param = last
            raise
