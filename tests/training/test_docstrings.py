"""Docstrings of the training: those of public names are complete, all fit their signatures, and examples run."""

import doctest
import importlib
import inspect
import pkgutil
import tomllib
from pathlib import Path
from types import FunctionType

import pytest
from numpydoc.docscrape import ClassDoc
from numpydoc.validate import validate

import napari_sr.training
from napari_sr.training import events, recipe
from napari_sr.training.recipe import RecipeTable

ROOT = Path(__file__).parents[2]
CHECKS = set(
    tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["numpydoc_validation"]["checks"]
)
#: Codes of missing sections. Where a name is not public, a section that would only repeat the signature is left out.
SECTIONS = {"PR01": "Parameters", "RT01": "Returns", "YD01": "Yields"}
MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(napari_sr.training.__path__, "napari_sr.training.")
]
PUBLIC = [getattr(room, name) for room in (napari_sr.training, recipe) for name in room.__all__]


def is_public(member):
    """Whether a class or function is used outside of the package."""
    return member.__module__ == events.__name__ or any(member is public for public in PUBLIC)


def names():
    """Classes, methods, properties and functions that the modules of the training define, and whether each is public.

    Those whose own name begins with an underscore are left out.
    """
    found = {}
    for module in MODULES:
        for name, member in vars(module).items():
            if name[0] == "_" or getattr(member, "__module__", None) != module.__name__:
                continue
            if inspect.isclass(member) or inspect.isfunction(member):
                found[f"{module.__name__}.{name}"] = is_public(member)
            if inspect.isclass(member):
                kinds = (property, classmethod, staticmethod, FunctionType)
                for key, value in vars(member).items():
                    if key[0] != "_" and isinstance(value, kinds):
                        found[f"{module.__name__}.{name}.{key}"] = is_public(member)
    return found


def faults_of(name, codes):
    described = validate(name)
    return described["docstring"], {code: f"{code}: {text}" for code, text in described["errors"] if code in codes}


@pytest.mark.parametrize("name", [name for name, public in names().items() if public])
def test_docstring_of_a_public_name_is_complete(name):
    _, faults = faults_of(name, CHECKS)
    assert not faults, "\n".join(faults.values())


@pytest.mark.parametrize("name", [name for name, public in names().items() if not public])
def test_sections_of_a_docstring_fit_the_signature(name):
    docstring, faults = faults_of(name, CHECKS)
    for code, section in SECTIONS.items():
        if f"\n{section}\n---" not in docstring:
            faults.pop(code, None)
    assert not faults, "\n".join(faults.values())


TABLES = [table for name in recipe.__all__ if isinstance(table := getattr(recipe, name), type)]


@pytest.mark.parametrize("table", [t for t in TABLES if issubclass(t, RecipeTable)], ids=lambda table: table.__name__)
def test_every_key_of_a_recipe_is_described_in_order(table):
    described = ClassDoc(table)["Parameters"]
    assert [parameter.name for parameter in described] == list(table.model_fields)
    for parameter in described:
        required = table.model_fields[parameter.name].is_required()
        assert required != any(word in parameter.type for word in (", default ", ", optional")), parameter.name


EXAMPLES = [test for module in MODULES for test in doctest.DocTestFinder().find(module) if test.examples]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example_runs(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = doctest.DocTestRunner().run(example)
    assert results.attempted > 0
    assert results.failed == 0


def test_public_calls_have_examples():
    names = {example.name.rpartition(".")[2] for example in EXAMPLES}
    assert names >= {"finetune", "Training", "Recipe", "at_length", "from_toml", "to_toml", "degrade", "save_model"}
