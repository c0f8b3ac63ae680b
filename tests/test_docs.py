"""The documentation names what there is, and stands where its readers look for it."""

import re
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from typer.main import get_command

import napari_sr
from napari_sr.cli import app
from napari_sr.inference.report import Report

ROOT = Path(__file__).parents[1]
WIDTH = 100
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "recipes/*.md", ".github/*.md")
    for path in ROOT.glob(pattern)
    if ".tox" not in path.parts
)

pytestmark = pytest.mark.skipif(not (ROOT / "mkdocs.yml").is_file(), reason="an sdist holds no documentation site")


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_lines_are_short_but_for_tables(page):
    lines = page.read_text(encoding="utf-8").splitlines()
    long = [f"{n}: {line}" for n, line in enumerate(lines, 1) if len(line) > WIDTH and not line.startswith("|")]
    assert not long, "\n".join(long)


def test_the_reference_has_every_public_name_and_no_other():
    text = (ROOT / "docs/reference/python.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^::: napari_sr\.(\w+)$", text, re.MULTILINE))
    assert documented == {name for name in napari_sr.__all__ if not name.startswith("__")}


def test_the_reference_finds_functions_and_not_modules_of_their_name():
    """A name that a package takes from a module of the same name in it is found as the module."""
    stub = (ROOT / "src/napari_sr/__init__.pyi").read_text(encoding="utf-8")
    imports = re.findall(r"^from \.([\w.]+) import (\w+)", stub, re.MULTILINE)
    packages = [(ROOT / "src/napari_sr" / module.replace(".", "/"), name) for module, name in imports]
    assert packages
    assert [name for package, name in packages if (package / f"{name}.py").exists() or (package / name).is_dir()] == []


def test_the_commands_of_the_reference_name_their_arguments_as_the_help_does():
    group = get_command(app)
    arguments = [
        one for command in group.commands.values() for one in command.params if not one.opts[0].startswith("-")
    ]
    assert arguments
    assert {one.metavar for one in arguments} == {"IMAGES", "IN", "OUT", "RECIPE", "REFERENCE"}


def test_the_page_about_reports_has_every_field():
    text = (ROOT / "docs/how-to/reports.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == {one.name for one in fields(Report)}


def test_the_readme_leads_to_files_that_are_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_readme_of_the_package_has_absolute_links_only(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    from hatch_build import with_absolute_links

    text = with_absolute_links((ROOT / "README.md").read_text(encoding="utf-8"), project()["urls"]["Source"])
    assert re.findall(r"\]\((?!https://)", text) == []
    assert re.search(r"!\[[^]]*\]\(https://[^)]*/raw/main/docs/pictures/\w+\.png\)", text)


def test_the_address_of_the_repository_stands_in_pyproject_alone():
    owner_and_name = project()["urls"]["Source"].partition("github.com/")[2]
    kinds = {".cff", ".md", ".py", ".sh", ".toml", ".yaml", ".yml"}
    places = ("src", "tests", "docs", "scripts", "recipes", "benchmarks", ".github")
    files = [*ROOT.glob("*.*"), *(path for place in places for path in (ROOT / place).rglob("*"))]
    found = [
        path.relative_to(ROOT).as_posix()
        for path in files
        if path.suffix in kinds and path.is_file() and f"/{owner_and_name}" in path.read_text(encoding="utf-8")
    ]
    assert found == ["pyproject.toml"]
