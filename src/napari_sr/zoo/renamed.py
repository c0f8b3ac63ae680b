"""Former names of models in the package."""

from __future__ import annotations

#: Models in the package that replace former ones, by the former names.
RENAMED: dict[str, str] = {
    "esrgan-electron-x4": "esrgan-microscopy-x4",
    "esrgan-fluorescence-x2": "esrgan-microscopy-x2",
    "esrgan-fluorescence-x4": "esrgan-microscopy-x4",
    "srcnn-electron-x2": "srcnn-microscopy-x2",
    "srcnn-electron-x4": "srcnn-microscopy-x4",
    "srcnn-fluorescence-x2": "srcnn-microscopy-x2",
    "srcnn-fluorescence-x2-clean": "srcnn-microscopy-x2",
    "srcnn-fluorescence-x4": "srcnn-microscopy-x4",
    "srcnn-fluorescence-x4-clean": "srcnn-microscopy-x4",
}
