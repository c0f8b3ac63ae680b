"""Import torch in the background without a freeze of the window."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

_LIBRARY = {"linux": "libtorch_cpu.so", "darwin": "libtorch_cpu.dylib"}


def load_torch() -> None:
    """Import torch, on another thread than the main one.

    Notes
    -----
    Python's import holds the global interpreter lock while the system loads torch's library of some hundred megabytes,
    so the window would not respond. A call through ctypes releases the lock: the library is loaded by such a call
    first, and the import then finds it in memory. Where this is not possible, the import alone does it, and the window
    does not respond for that moment.
    """
    if "torch" not in sys.modules:
        _load_library()
    importlib.import_module("torch")


def _load_library() -> None:
    spec = importlib.util.find_spec("torch")
    name = _LIBRARY.get(sys.platform)
    if spec is None or spec.origin is None or name is None:
        return
    path = Path(spec.origin).parent / "lib" / name
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype, dlopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
    # A null handle is no error: the import loads the library then.
    dlopen(os.fsencode(path), os.RTLD_NOW)
