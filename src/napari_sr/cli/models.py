"""`napari-sr models`: the list of the models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from napari_sr.cli.options import Json

if TYPE_CHECKING:
    from napari_sr.zoo import ModelEntry


def models(as_json: Json = False) -> None:
    """List the available and the published models."""
    from napari_sr.text_table import as_columns
    from napari_sr.zoo import list_models, model_folder
    from napari_sr.zoo.published import find_published

    entries = list_models()
    if as_json:
        typer.echo(json.dumps([_as_record(entry) for entry in entries], indent=2))
        return
    header = ["NAME", "FAMILY", "FACTOR", "COLOR", "DOMAIN", "WHERE", "LICENSE"]
    typer.echo(as_columns([header, *(_model_row(entry) for entry in entries)]))
    for entry in entries:
        if entry.problem is not None:
            typer.echo(f"\n{entry.name}: {entry.problem}")
    absent = [(entry, find_published(entry.name)) for entry in entries if entry.path is None]
    if absent:
        typer.echo(f"\nTo use a published model, download its file and put it into {model_folder()}:")
        typer.echo(as_columns([[f"  {entry.name}", p.file if p else "", entry.url or ""] for entry, p in absent]))


def _as_record(entry: ModelEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "where": entry.where,
        "path": None if entry.path is None else str(entry.path),
        "url": entry.url,
        "license": entry.license,
        "problem": entry.problem,
        "card": None if entry.card is None else entry.card.model_dump(mode="json"),
    }


def _model_row(entry: ModelEntry) -> list[str]:
    return [
        entry.name,
        entry.family or "",
        "" if entry.scale is None else f"x{entry.scale}",
        "" if entry.card is None else entry.card.color,
        entry.domain or "",
        entry.status(),
        entry.license or "",
    ]
