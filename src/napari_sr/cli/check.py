"""`napari-sr check`: a check of this computer, whose text belongs into a report of a problem."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from napari_sr.cli.options import Json

#: Exit status if something is not as it should be.
PROBLEM = 1


def check(as_json: Json = False) -> None:
    """Check this computer: versions, devices, memory, folders, files, and a self-test on each device.

    Each line is ok or says what to do. The exit status is 1 if a check has failed.
    """
    from napari_sr.inference.check import check_computer

    lines = []
    for line in check_computer():
        lines.append(line)
        if not as_json:
            typer.echo(line.line())
    if as_json:
        typer.echo(json.dumps([asdict(line) for line in lines], indent=2))
    if not all(line.ok for line in lines):
        raise typer.Exit(PROBLEM)
