"""The group of commands: errors are printed as one sentence, and signals end a command without incomplete files."""

from __future__ import annotations

import errno
from typing import Any

import typer
from typer.core import TyperGroup

from napari_sr.cli.signals import Ended, signals
from napari_sr.errors import NapariSRError
from napari_sr.imaging.atomic import delete_own

FAILED = 2
#: Remedies for errors of the system.
_REMEDIES = {
    errno.ENOSPC: "make room, or choose another place",
    errno.EDQUOT: "make room, or choose another place",
    errno.EROFS: "choose another place",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.ENAMETOOLONG: "choose a shorter name",
}


class Commands(TyperGroup):
    """Group of commands with errors of one sentence, and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Parameters
        ----------
        ctx : click.Context
            Context of the command.

        Returns
        -------
        object
            Result of the command.

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
            except NapariSRError as error:
                sentence = " ".join(str(error).split())
            except OSError as error:
                sentence = describe_system_error(error)
            except MemoryError:
                sentence = "There is not enough memory: choose a smaller image or model, or close other programs."
            except KeyboardInterrupt as error:
                # Cleaning up was perhaps interrupted by a second signal.
                signals.ignore()
                delete_own()
                ended = error if isinstance(error, Ended) else Ended(2)
                typer.echo(ended.sentence, err=True)
                raise typer.Exit(ended.status) from None
            typer.echo(f"napari-sr: {sentence}", err=True)
            raise typer.Exit(FAILED)


def describe_system_error(error: OSError) -> str:
    """Describe an error of the system by file, cause and remedy.

    Parameters
    ----------
    error : OSError
        The error.

    Returns
    -------
    str
        One sentence.
    """
    where = f"{error.filename}: " if error.filename else ""
    cause = " ".join((error.strerror or str(error) or type(error).__name__).split()).rstrip(".")
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{where}{cause}{f': {remedy}' if remedy else ''}."
