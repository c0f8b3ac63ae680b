"""Docstrings of the training: complete as numpydoc understands it, and with examples that run."""

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
from napari_sr.training import recipe
from napari_sr.training.recipe import RecipeTable

ROOT = Path(__file__).parents[2]
CHECKS = set(
    tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["numpydoc_validation"]["checks"]
)
MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(napari_sr.training.__path__, "napari_sr.training.")
]


def public_names():
    """Public classes, methods, properties and functions that the modules of the training define."""
    names = []
    for module in MODULES:
        for name, member in vars(module).items():
            if name[0] == "_" or getattr(member, "__module__", None) != module.__name__:
                continue
            if inspect.isclass(member) or inspect.isfunction(member):
                names.append(f"{module.__name__}.{name}")
            if inspect.isclass(member):
                kinds = (property, classmethod, staticmethod, FunctionType)
                names += [
                    f"{module.__name__}.{name}.{key}"
                    for key, value in vars(member).items()
                    if key[0] != "_" and isinstance(value, kinds)
                ]
    return names


@pytest.mark.parametrize("name", public_names())
def test_docstring_is_complete(name):
    faults = [f"{code}: {text}" for code, text in validate(name)["errors"] if code in CHECKS]
    assert not faults, "\n".join(faults)


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
def test_example_runs(example):
    results = doctest.DocTestRunner().run(example)
    assert results.attempted > 0
    assert results.failed == 0


def test_public_calls_have_examples():
    names = {example.name.rpartition(".")[2] for example in EXAMPLES}
    assert names >= {"finetune", "Training", "Recipe", "at_length", "from_toml", "to_toml", "degrade", "save_model"}
