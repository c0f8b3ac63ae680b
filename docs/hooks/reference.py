"""MkDocs hook: tables of the reference that are made from the source, so that they cannot drift from it.

A page holds a line such as ``<!-- generated: commands -->``, and the hook puts the tables in its place. The keys of
recipes, model cards and the settings file come from the classes that check them, which are read without importing them.
The commands come from the command line itself, whose import needs no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from written_types import written_types

SOURCE = Path(__file__).parents[2] / "src"

#: Generated tables of keys: name in the marker -> the class that the whole file is checked by.
CLASSES = {
    "recipe keys": "napari_sr.training.recipe.Recipe",
    "card keys": "napari_sr.zoo.card.Card",
    "job settings": "napari_sr.settings.JobSettings",
    "settings keys": "napari_sr.config.Config",
}
_MARKER = re.compile(r"^<!-- generated: (?P<name>[a-z ]+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the generated tables into the page."""

    def table(marker: re.Match[str]) -> str:
        name = marker["name"]
        if name == "commands":
            return "\n".join(_commands())
        if name in CLASSES:
            return "\n".join(_tables(_package()[CLASSES[name].partition(".")[2]]))
        raise PluginError(f"{page.file.src_uri}: there is no generated table {name!r}")

    return _MARKER.sub(table, markdown)


@cache
def _package() -> griffe.Module:
    package = griffe.load("napari_sr", search_paths=[SOURCE], resolve_aliases=True, allow_inspection=False)
    assert isinstance(package, griffe.Module)
    return package


# Keys of files


def _tables(root: Any) -> Iterator[str]:
    """One table for each TOML table or JSON object, the outermost first."""
    places: dict[str, list[str]] = {}
    classes: dict[str, griffe.Class] = {}
    queue: list[tuple[griffe.Class, str]] = [(_target(root), "")]
    while queue:
        model, place = queue.pop(0)
        known = places.setdefault(model.path, [])
        if place in known:
            continue
        known.append(place)
        classes[model.path] = model
        for field in _fields(model):
            separator = "." if place else ""
            several = "[]" if str(field.annotation).startswith("tuple[") else ""
            queue += [(inner, f"{place}{separator}{field.name}{several}") for inner in _models_in(field.annotation)]
    for path, model in classes.items():
        yield from _table(model, places[path])


def _table(model: griffe.Class, places: list[str]) -> Iterator[str]:
    kinds = _kinds(model)
    where = " and ".join(f"`{place}`" for place in places if place)
    if where:
        yield f"### {where}{f', kind {kinds}' if kinds else ''}\n"
    summary, documented = _documented(model)
    yield f"{summary}\n"
    yield "| key | value | default | |"
    yield "|---|---|---|---|"
    for field in _fields(model):
        kind, text = documented.get(field.name, (None, ""))
        yield _row(f"`{field.name}`", _type(kind, field.annotation), _default(field.value), text)
    yield ""


def _fields(model: griffe.Class) -> list[griffe.Attribute]:
    """Fields of a model, of its own order; settings of pydantic and constants are none."""
    return [
        member
        for name, member in model.members.items()
        if isinstance(member, griffe.Attribute)
        and member.annotation is not None
        and not name.startswith("_")
        and "ClassVar" not in str(member.annotation)
        and "property" not in member.labels
    ]


def _models_in(annotation: Any) -> list[griffe.Class]:
    """Models that are named in an annotation, also through aliases such as ``Loss = A | B``."""
    found: list[griffe.Class] = []
    if not isinstance(annotation, griffe.Expr):
        return found
    for name in annotation.iterate(flat=True):
        if not isinstance(name, griffe.ExprName) or not name.canonical_path.startswith("napari_sr."):
            continue
        target = _target(_package()[name.canonical_path.partition(".")[2]])
        if isinstance(target, griffe.Attribute):
            found += _models_in(target.value)
        elif isinstance(target, griffe.Class) and _fields(target) and _is_model(target):
            found.append(target)
    return found


def _is_model(model: griffe.Class) -> bool:
    """Whether a class derives from pydantic's BaseModel, directly or not."""
    for base in model.bases:
        path = base.canonical_path if isinstance(base, griffe.Expr) else str(base)
        if path.endswith("BaseModel"):
            return True
        if path.startswith("napari_sr.") and _is_model(_target(_package()[path.partition(".")[2]])):
            return True
    return False


def _target(found: Any) -> Any:
    return found.final_target if isinstance(found, griffe.Alias) else found


def _kinds(model: griffe.Class) -> str:
    """Values of the key that tells the models of a union apart."""
    kind = model.members.get("kind")
    if not isinstance(kind, griffe.Attribute) or not str(kind.annotation).startswith("Literal["):
        return ""
    return ", ".join(f"`{value}`" for value in re.findall(r"['\"](\w+)['\"]", str(kind.annotation)))


def _documented(model: griffe.Class) -> tuple[str, dict[str, tuple[str | None, str]]]:
    """Text of a docstring, and type and description of each of its parameters."""
    text, parameters = "", {}
    if model.docstring is None:
        return text, parameters
    types = written_types(model.docstring.value)
    # Fields are no parameters of a signature that griffe could see, so that it need not warn of them.
    for section in model.docstring.parse("numpy", warnings=False):
        if section.kind is griffe.DocstringSectionKind.text:
            text = section.value if not text else f"{text}\n\n{section.value}"
        elif section.kind in (griffe.DocstringSectionKind.parameters, griffe.DocstringSectionKind.attributes):
            for one in section.value:
                parameters[one.name] = (types.get(one.name), " ".join(one.description.split()))
    return text, parameters


def _type(documented: str | None, annotation: Any) -> str:
    """Type of a key: as the docstring has it, or else as the annotation has it, without limits and names of ours."""
    if documented is not None:
        return documented
    text = str(annotation)
    if isinstance(annotation, griffe.Expr):
        for name in annotation.iterate(flat=True):
            if isinstance(name, griffe.ExprName) and name.canonical_path.startswith("napari_sr."):
                alias = _target(_package()[name.canonical_path.partition(".")[2]])
                if isinstance(alias, griffe.Attribute):
                    text = re.sub(rf"\b{name.name}\b", _type(None, alias.value), text)
    text = re.sub(r"Annotated\[(\w+), Field\([^)]*\)\]", r"\1", text)
    text = re.sub(r"Literal\[([^]]*)\]", r"\1", text).replace("|", "or")
    return re.sub(r"\bStrict([A-Z])(\w+)", lambda name: name[1].lower() + name[2], text)


def _default(value: Any) -> str:
    """A default as a file holds it."""
    text = "required" if value is None else str(value)
    if text.lower().startswith("field("):
        found = re.search(r"\bdefault(?:_factory)?=(\{[^}]*\}|\([^)]*\)|[^,)]+)", text)
        text = found[1] if found else "required"
    if re.fullmatch(r"[A-Z]\w+\(\)", text):
        return "its defaults"
    if re.fullmatch(r"\(.+\)", text):
        # TOML and JSON write tuples as lists.
        text = f"[{text[1:-1].rstrip(', ')}]"
    words = {"required": "required", "None": "", "()": "", "dict": "", "True": "`true`", "False": "`false`"}
    return words.get(text, f"`{text}`".replace("'", '"'))


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


# Commands


def _commands() -> Iterator[str]:
    """Usage, text, arguments and options of each command."""
    from typer.main import get_command

    from napari_sr.cli import app

    # Only what every version of typer has: its own copy of click has another interface than click.
    group: Any = get_command(app)
    for name, command in group.commands.items():
        yield f"## {name}\n"
        arguments = " ".join(_argument(one) for one in command.params if one.param_type_name == "argument")
        yield f"```text\n{f'napari-sr {name} {arguments}'.strip()} [OPTIONS]\n```\n"
        yield f"{_paragraphs(command.help)}\n"
        yield "| | default | |"
        yield "|---|---|---|"
        for one in command.params:
            call = _argument(one) if one.param_type_name == "argument" else "`, `".join(one.opts)
            yield _row(f"`{call}`", _preset(one), one.help or "")
        yield ""


def _argument(one: Any) -> str:
    called = (one.metavar or one.name).upper()
    called = f"{called}..." if one.nargs == -1 else called
    return called if one.required else f"[{called}]"


def _preset(one: Any) -> str:
    """Default of an option, as `--help` shows it."""
    if isinstance(one.show_default, str):
        return one.show_default
    if one.required:
        return "required"
    return "" if one.default is None or one.default is False or callable(one.default) else f"`{one.default}`"


def _paragraphs(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").split("\n\n"))
