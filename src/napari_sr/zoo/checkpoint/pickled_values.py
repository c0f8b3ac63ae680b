"""The values that a pickle names and calls, made without importing or calling anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_sr.zoo.checkpoint.limits import are_whole, is_shape


class UnreadableError(ValueError):
    """A pickle is damaged, or is of a kind that torch.save does not write."""


class ForeignError(ValueError):
    """A pickle names something that is no part of tensors or plain values.

    Parameters
    ----------
    name : str
        Module and name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, eq=False)
class Global:
    """A class or function that a pickle names; it is not imported.

    Parameters
    ----------
    module, name : str
        Its module and its name there.
    """

    module: str
    name: str


@dataclass(frozen=True, eq=False)
class StorageReference:
    """A storage that a pickle names.

    Parameters
    ----------
    kind : str
        Class of the storage, such as "FloatStorage".
    key : str
        Name of its bytes.
    count : int
        Number of values.
    offset : int, default 0
        Index of the first value, for a part of a storage.
    """

    kind: str
    key: str
    count: int
    offset: int = 0


@dataclass(frozen=True, eq=False)
class TensorReference:
    """A tensor that a pickle describes.

    Parameters
    ----------
    storage : StorageReference or None
        Its values; None if they are in a form that cannot be used.
    shape : tuple of int
        Its shape.
    strides : tuple of int
        Distances in the storage along its dimensions.
    offset : int
        Index of its first value in the storage.
    form : str
        Name of the type of the values, if the storage does not give it; otherwise "".
    """

    storage: StorageReference | None
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    form: str = ""


class Inert:
    """An object whose content is not used."""

    __slots__ = ()


#: Modules of other versions of Python and numpy, by their present names.
_RENAMED = {
    "__builtin__": "builtins",
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
    "pathlib._local": "pathlib",
}
#: Classes and functions whose objects are plain values without use for weights.
_INERT = {
    *(("builtins", name) for name in ("bytearray", "complex", "range", "slice", "int", "float", "str", "bool")),
    ("_codecs", "encode"),
    ("argparse", "Namespace"),
    ("collections", "deque"),
    ("datetime", "date"),
    ("datetime", "datetime"),
    ("datetime", "timedelta"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    *(("pathlib", name) for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path")),
    ("torch", "device"),
    ("torch", "Generator"),
    ("torch.serialization", "_get_layout"),
}
#: Classes whose objects are read as dicts and sets.
_DICTS = {
    ("builtins", "dict"),
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("collections", "Counter"),
}
_SETS = {("builtins", "set"), ("builtins", "frozenset")}
_LISTS: dict[tuple[str, str], Callable[..., Any]] = {("builtins", "list"): list, ("builtins", "tuple"): tuple}


def hashable(key: object) -> object:
    """Return the key of a dict or member of a set, or an object without content in its place.

    Nested values could have any depth, on which their hash would depend.
    """
    if isinstance(key, str) or key is None or (isinstance(key, int) and abs(key) < 2**60):
        return key
    return Inert() if not isinstance(key, Global | StorageReference | TensorReference) else key


def _is_known(module: str, name: str) -> bool:
    if (module, name) in _KNOWN:
        return True
    if module == "torch._utils":
        return name.startswith("_rebuild_")
    if module == "torch" and (name == "Size" or name in _DTYPES):
        return True
    # Values that were on an accelerator are in the storages of its module.
    return re.fullmatch(r"torch(\.[a-z]+)?", module) is not None and name.endswith("Storage")


_KNOWN = {
    *(*_INERT, *_DICTS, *_SETS, *_LISTS),
    ("torch", "Tensor"),
    ("torch.nn.parameter", "Parameter"),
    ("torch.nn.parameter", "Buffer"),
    ("torch._tensor", "_rebuild_from_type_v2"),
    ("torch", "per_tensor_affine"),
    ("torch", "per_channel_affine"),
}
_DTYPES = {
    *("float16", "bfloat16", "float32", "float64", "bool", "complex32", "complex64", "complex128"),
    *(f"{sign}int{bits}" for sign in ("", "u", "q", "qu") for bits in (8, 16, 32, 64)),
    *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "quint4x2", "quint2x4"),
}


def checked_global(module: str, name: str) -> Global:
    """Return a class or function that a pickle names, by its module and its name there.

    Raises `ForeignError` if it is no part of tensors or plain values.
    """
    module = _RENAMED.get(module, module)
    if not _is_known(module, name):
        raise ForeignError(f"{module}.{name}")
    return Global(module, name)


def called(function: Global, arguments: tuple[Any, ...]) -> Any:
    """Return the value of a call, which is not made: a container, a tensor, or an object without content.

    Raises `UnreadableError` if the function or class is called with other arguments than by torch.
    """
    place = (function.module, function.name)
    if place in _DICTS:
        return _dict(arguments)
    if place in _SETS:
        return set(map(hashable, arguments[0])) if arguments and isinstance(arguments[0], list | tuple) else set()
    if place in _LISTS:
        make = _LISTS[place]
        return make(arguments[0]) if arguments and isinstance(arguments[0], list | tuple) else make()
    if place == ("torch", "Size"):
        return tuple(arguments[0])
    if function.module in ("torch._utils", "torch._tensor"):
        return _rebuilt(function.name, arguments)
    if place in _INERT:
        return Inert()
    raise UnreadableError(f"a call of {function.name}")


def _dict(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    pairs = arguments[-1] if arguments else ()
    if isinstance(pairs, dict):
        return pairs
    if not isinstance(pairs, list | tuple):
        return {}
    result = {}
    for pair in pairs:
        key, value = pair
        result[hashable(key)] = value
    return result


def _rebuilt(name: str, arguments: tuple[Any, ...], depth: int = 2) -> TensorReference:
    """Return the tensor that one of torch's functions would build."""
    if name in ("_rebuild_parameter", "_rebuild_parameter_with_state"):
        if isinstance(arguments[0], TensorReference):
            return arguments[0]
        raise UnreadableError("a parameter without a tensor")
    if name == "_rebuild_from_type_v2" and depth:
        function, _, inner = arguments[:3]
        if isinstance(function, Global) and isinstance(inner, tuple):
            return _rebuilt(function.name, inner, depth - 1)
        raise UnreadableError("a tensor without a function")
    if name not in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3"):
        form = name.removeprefix("_rebuild_").removesuffix("_tensor").replace("qtensor", "quantized")
        return TensorReference(None, (1,), (1,), 0, form)
    storage, offset, shape, strides = arguments[:4]
    if not isinstance(storage, StorageReference) or not is_shape(shape) or not are_whole(strides):
        raise UnreadableError("a tensor without a storage or sizes")
    if len(shape) != len(strides) or not are_whole((offset,)):
        raise UnreadableError("a tensor with wrong sizes")
    form = ""
    metadata = arguments[6] if name == "_rebuild_tensor_v2" and len(arguments) > 6 else None
    if name == "_rebuild_tensor_v3":
        dtype = arguments[6]
        form = dtype.name if isinstance(dtype, Global) else "unknown"
        metadata = arguments[7] if len(arguments) > 7 else None
    if isinstance(metadata, dict) and any(metadata.get(bit) for bit in ("conj", "neg")):
        return TensorReference(None, tuple(shape), tuple(strides), 0, "negated")
    return TensorReference(storage, tuple(shape), tuple(strides), offset, form)


def storage_of(value: object) -> StorageReference:
    """Return the storage of a persistent id: ("storage", class, key, device, count), and a part in older files.

    Raises `UnreadableError` if it is another persistent id.
    """
    if not isinstance(value, tuple) or len(value) not in (5, 6) or value[0] != "storage":
        raise UnreadableError("another persistent id")
    kind, key, _, count = value[1:5]
    if not isinstance(kind, Global) or not isinstance(key, str) or not are_whole((count,)):
        raise UnreadableError("a storage with wrong values")
    part = value[5] if len(value) == 6 else None
    if part is None:
        return StorageReference(kind.name, key, count)
    if not isinstance(part, tuple) or len(part) != 3 or not are_whole(part[1:]):
        raise UnreadableError("a part of a storage with wrong values")
    return StorageReference(kind.name, key, part[2], part[1])
