"""Figures as text: as a table, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from math import isfinite
from statistics import fmean
from typing import Any

from napari_sr.evaluation.folders import FileFidelity
from napari_sr.text_table import as_columns

#: Figures of a comparison that CSV and JSON contain.
_FIGURES = ("psnr", "ssim", "lattice", "reference_lattice", "protocol")


def fidelity_table(rows: Sequence[FileFidelity]) -> str:
    """Return a table with a line for each image and the mean, two columns for each method, lattices and protocols.

    Returns
    -------
    str
        The table; PSNR is in decibels, and "inf" for identical images.
    """
    methods = list(dict.fromkeys(row.method for row in rows))
    images = list(dict.fromkeys(row.name for row in rows))
    fidelity = {(row.name, row.method): row.fidelity for row in rows}
    table = [["image", *(f"{method} {figure}".strip() for method in methods for figure in ("PSNR", "SSIM"))]]
    for name in images:
        fidelities = [fidelity[name, method] for method in methods]
        table.append([name, *(cell for f in fidelities for cell in (f"{f.psnr:.2f}", f"{f.ssim:.4f}"))])
    means = ["mean"]
    for method in methods:
        fidelities = [fidelity[name, method] for name in images]
        means += [f"{fmean(f.psnr for f in fidelities):.2f}", f"{fmean(f.ssim for f in fidelities):.4f}"]
    return "\n".join([as_columns([*table, means], numbers_from=1), *_lattices(rows), *_protocols(rows)])


def fidelity_csv(rows: Sequence[FileFidelity]) -> str:
    """Return CSV with the columns image, method, psnr, ssim, lattice, reference_lattice and protocol.

    Returns
    -------
    str
        The text; PSNR is in decibels, and "inf" for identical images.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "method", *_FIGURES])
    writer.writerows([r.name, r.method, *(getattr(r.fidelity, name) for name in _FIGURES)] for r in rows)
    return text.getvalue().rstrip("\n")


def fidelity_json(rows: Sequence[FileFidelity]) -> str:
    """Return JSON, a list of objects with the keys image, method, psnr, ssim, lattice, reference_lattice and protocol.

    Returns
    -------
    str
        The text; PSNR is in decibels, and null for identical images.
    """
    return json.dumps([_record(row) for row in rows], indent=2, allow_nan=False)


def _record(row: FileFidelity) -> dict[str, Any]:
    figures = {name: getattr(row.fidelity, name) for name in _FIGURES}
    if not isfinite(row.fidelity.psnr):
        figures["psnr"] = None
    return {"image": row.name, "method": row.method, **figures}


def _lattices(rows: Sequence[FileFidelity]) -> list[str]:
    """Return a line with the mean lattice of each method and of the references, for images large enough."""
    found: dict[str, list[float]] = {}
    expected = []
    for row in rows:
        if row.fidelity.lattice is not None and row.fidelity.reference_lattice is not None:
            found.setdefault(row.method or "results", []).append(row.fidelity.lattice)
            expected.append(row.fidelity.reference_lattice)
    if not expected:
        return []
    means = (f"{method} {fmean(values):.2f}" for method, values in found.items())
    return [f"Lattice of the factor (1: none): {', '.join(means)}, references {fmean(expected):.2f}."]


def _protocols(rows: Sequence[FileFidelity]) -> list[str]:
    """Return a line for each protocol, with the names of its images if there are several protocols."""
    images: dict[str, list[str]] = {}
    for row in rows:
        images.setdefault(row.fidelity.protocol, []).append(row.name)
    lines = []
    for protocol, names in images.items():
        listed = "" if len(images) == 1 else f" ({', '.join(dict.fromkeys(names))})"
        lines.append(f"Protocol{listed}: {protocol}; PSNR in dB.")
    return lines
