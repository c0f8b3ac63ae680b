"""The public names of the package resolve, and its import is cheap."""

import ast
import importlib
import importlib.metadata
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import napari_sr

SOURCE = Path(napari_sr.__file__).parent
HEAVY = ["torch", "napari", "qtpy", "magicgui", "PyQt5", "PyQt6", "PySide6"]
STUBS = sorted(SOURCE.rglob("__init__.pyi"))


def package_of(stub):
    """Name of the package of a stub."""
    return ".".join(stub.parent.relative_to(SOURCE.parent).parts)


def names_of(stub):
    """Names in a stub, each with the module that defines it."""
    package = package_of(stub)
    return [
        (alias.asname, alias.name, f"{package}.{node.module}")
        for node in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]


def test_import_loads_neither_torch_nor_qt():
    program = f"import sys, napari_sr; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", napari_sr.__all__)
def test_every_public_name_resolves(name):
    assert getattr(napari_sr, name) is not None
    assert name in dir(napari_sr)


@pytest.mark.parametrize("name", [name for name in napari_sr.__all__ if callable(getattr(napari_sr, name))])
def test_the_type_of_a_model_has_names_and_paths(name):
    try:
        parameter = inspect.signature(getattr(napari_sr, name)).parameters.get("model")
    except ValueError:  # Errors have no signature.
        parameter = None
    # That of a result is its name.
    if parameter is not None and parameter.annotation != "str":
        assert parameter.annotation.removesuffix(" | None") == "Model | str | os.PathLike[str]"


@pytest.mark.parametrize("stub", STUBS, ids=package_of)
def test_every_name_of_a_stub_is_that_of_its_module(stub):
    package = importlib.import_module(package_of(stub))
    assert names_of(stub)
    for name, own_name, module in names_of(stub):
        assert name == own_name, "a stub re-exports a name by `as`"
        # The module is imported first, because it may have the name of a function in it.
        assert getattr(importlib.import_module(module), name) is getattr(package, name), name
    assert set(package.__all__) == {name for name, _, _ in names_of(stub)}


@pytest.mark.parametrize("stub", STUBS, ids=package_of)
def test_a_package_with_a_stub_loads_its_names_on_first_use(stub):
    assert "lazy_loader.attach_stub(__name__, __file__)" in stub.with_suffix(".py").read_text(encoding="utf-8")


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="upscail"):
        _ = napari_sr.upscail


def test_version_is_that_of_the_metadata():
    assert importlib.metadata.version("napari-sr") == napari_sr.__version__
