"""torch, brought in behind a window that goes on."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

_LIBRARY = {"linux": "libtorch_cpu.so", "darwin": "libtorch_cpu.dylib"}


def load_torch() -> None:
    """Import torch; on any thread but the window's own.

    Python's own import keeps every other thread waiting while the system loads torch's library of some hundred
    megabytes. A foreign function does not: so the library is loaded through one first, and the import finds it there.
    Where that cannot be done the import does it, and the window stands still for that moment.
    """
    if "torch" not in sys.modules:
        _load_library()
    importlib.import_module("torch")


def _load_library() -> None:
    found = importlib.util.find_spec("torch")
    name = _LIBRARY.get(sys.platform)
    if found is None or found.origin is None or name is None:
        return
    path = Path(found.origin).parent / "lib" / name
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype, dlopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
    # A handle that is none means that it could not be loaded this way, on which nothing depends.
    dlopen(os.fsencode(path), os.RTLD_NOW)
