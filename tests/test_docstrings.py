"""Docstrings of the public names are complete by themselves, as numpydoc understands it."""

import inspect
import tomllib
from pathlib import Path
from types import FunctionType

import pytest
from numpydoc.validate import validate

import napari_sr

ROOT = Path(__file__).parents[1]
CHECKS = set(
    tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["numpydoc_validation"]["checks"]
)


#: To be completed: names whose docstrings refer to another one for their parameters. Only ever shortened.
PENDING = {
    "Model.with_alpha",
    "Model.with_mixing",
    "Model.with_upsampling",
    "load_model",
}
MEMBERS = (property, classmethod, staticmethod, FunctionType)


def public_names():
    """Public names of the package, and the public methods and properties that its classes define themselves."""
    names = []
    for name in napari_sr.__all__:
        if name.startswith("__"):
            continue
        names.append(name)
        public = getattr(napari_sr, name)
        if inspect.isclass(public):
            members = vars(public).items()
            names += [f"{name}.{key}" for key, value in members if key[0] != "_" and isinstance(value, MEMBERS)]
    return names


def marked(name):
    return pytest.param(name, marks=pytest.mark.xfail(strict=False)) if name in PENDING else name


@pytest.mark.parametrize("name", [marked(name) for name in public_names()])
def test_docstring_is_complete(name):
    faults = [f"{code}: {text}" for code, text in validate(f"napari_sr.{name}")["errors"] if code in CHECKS]
    assert not faults, "\n".join(faults)


def test_pending_names_exist():
    assert set(public_names()) >= PENDING
