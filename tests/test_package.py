"""The public face: names, version, and what importing the package must not cost."""

import importlib.metadata
import subprocess
import sys

import pytest

import napari_sr

HEAVY = ["torch", "napari", "qtpy", "magicgui", "PyQt5", "PyQt6", "PySide6"]


def test_import_loads_neither_torch_nor_qt():
    program = f"import sys, napari_sr; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", napari_sr.__all__)
def test_every_public_name_resolves(name):
    assert getattr(napari_sr, name) is not None
    assert name in dir(napari_sr)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'upscail'"):
        _ = napari_sr.upscail


def test_version_is_that_of_the_metadata():
    assert importlib.metadata.version("napari-sr") == napari_sr.__version__
