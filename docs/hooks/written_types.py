"""Types of docstrings as they are written, for the reference.

griffe reads a type such as ``array-like`` as a Python expression, a difference of two names, and of
``{"exact", "none"} or Overlap`` only the part in braces. The extension for mkdocstrings puts the written types in place
of these, with links from the names of classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import griffe

_NAME = re.compile(r"\b([A-Z]\w+)\b")
_ENTRIES = (
    griffe.DocstringSectionKind.parameters,
    griffe.DocstringSectionKind.other_parameters,
    griffe.DocstringSectionKind.attributes,
)


def written_types(docstring: str) -> dict[str, str]:
    """Types of the parameters of a docstring, without their defaults and braces."""
    return {
        name: re.sub(r", (optional|default\b.*)$", "", re.sub(r"[{}]", "", line[2]))
        for line in re.finditer(r"^(\w+(?:, \w+)*) : (.+)$", docstring, re.MULTILINE)
        for name in line[1].split(", ")
    }


@dataclass(eq=True, slots=True)
class WrittenType(griffe.Expr):
    """Words and names of classes."""

    words: list[str | griffe.Expr]

    def iterate(self, *, flat: bool = True) -> Iterator[str | griffe.Expr]:
        """The words in order."""
        yield from self.words


class WrittenTypes(griffe.Extension):
    """Replaces the types of parameters and attributes by those that are written."""

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **kwargs: Any) -> None:
        """Go through all docstrings of the package."""
        if pkg.name == "napari_sr":
            _replace(pkg)


def _replace(found: griffe.Object) -> None:
    if found.docstring is not None:
        types = written_types(found.docstring.value)
        for section in found.docstring.parsed:
            for entry in section.value if section.kind in _ENTRIES else ():
                if entry.name in types:
                    entry.annotation = _expression(types[entry.name], found)
    for member in found.members.values():
        if isinstance(member, griffe.Object):
            _replace(member)


def _expression(text: str, found: griffe.Object) -> WrittenType:
    scope: Any = found if isinstance(found, (griffe.Module, griffe.Class, griffe.Function)) else found.parent
    pieces = _NAME.split(text)
    # Every second piece is a name; "None" is one of Python's.
    return WrittenType(
        [
            griffe.ExprName(piece, parent=scope) if number % 2 and piece != "None" else piece
            for number, piece in enumerate(pieces)
            if piece
        ]
    )
