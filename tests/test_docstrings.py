"""Docstrings of the public names are complete by themselves, and their examples run."""

import doctest
import inspect
import io
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
MEMBERS = (property, classmethod, staticmethod, FunctionType)
NAMES = [name for name in napari_sr.__all__ if not name.startswith("__")]


def public_names():
    """Public names of the package, and the public methods and properties that its classes define themselves."""
    names = []
    for name in NAMES:
        names.append(name)
        public = getattr(napari_sr, name)
        if inspect.isclass(public):
            members = vars(public).items()
            names += [f"{name}.{key}" for key, value in members if key[0] != "_" and isinstance(value, MEMBERS)]
    return names


@pytest.mark.parametrize("name", public_names())
def test_docstring_is_complete(name):
    faults = [f"{code}: {text}" for code, text in validate(f"napari_sr.{name}")["errors"] if code in CHECKS]
    assert not faults, "\n".join(faults)


@pytest.fixture
def working_folder(tmp_path, monkeypatch):
    """A folder for the models, runs and files of the examples."""
    monkeypatch.setenv("NAPARI_SR_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_examples_run(name, working_folder):
    if name == "upscale_layer":
        pytest.importorskip("napari")
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report = io.StringIO()
    examples = failures = 0
    for test in doctest.DocTestFinder().find(getattr(napari_sr, name), name):
        failures += runner.run(test, out=report.write).failed
        examples += sum(not example.options.get(doctest.SKIP, False) for example in test.examples)
    assert not failures, report.getvalue()
    assert examples > 0, f"{name} has no example that runs"
