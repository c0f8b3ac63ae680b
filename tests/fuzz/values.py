"""Values that a caller may give by mistake, of every kind, and images in every form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.array
import numpy as np
import pandas
import torch
import xarray
import zarr
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from napari_sr.imaging.files import ImageFile

NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, 3, -1, 0.5, 2.5, 1e30, 1e300, 1.8e308, -1e308, 10**30, 2**31, 2**63, -(2**63), 5e-324]),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), True, False]),
    st.integers(-5, 70_000),
    st.floats(),
)
TEXTS = st.one_of(
    st.sampled_from(["", " ", "auto", "0.5", "2", "x2", "1GiB", "0.05 um", "0,1", "nan", "1e999", "YX", "ZYX", "none"]),
    st.sampled_from(
        ["a\nb", "\0", "\udcff", "../../x", "/", "~", "~nobody/x", "srcnn-x2.pth", "missing.tif", "x" * 5000]
    ),
    st.text(max_size=20),
)
_ODD: list[Any] = [
    None,
    b"bytes",
    bytearray(4),
    1 + 2j,
    Decimal("0.5"),
    Fraction(1, 2),
    datetime(2026, 3, 14),
    Path("missing"),
    Path("/"),
    object(),
    len,
    SimpleNamespace(),
    range(3),
    ...,
    np.float32(0.5),
    np.int64(2),
    np.uint8(3),
    np.bool_(True),
    np.str_("auto"),
    np.datetime64("2026-03-14"),
    np.complex64(1),
    np.array(2),
    np.array([2.0]),
    np.array([1.0, 2.0]),
    np.zeros((2, 2)),
    np.array(["a"]),
    np.array([object()], object),
    torch.tensor(2),
    torch.tensor([1.0, 2.0]),
    torch.float32,
    torch.device("cpu"),
    pandas.DataFrame({"a": [1]}),
    pandas.Series([1, 2]),
    iter([1, 2]),
]
SCALARS = st.one_of(NUMBERS, TEXTS, st.sampled_from(_ODD))
#: Anything at all: numbers, texts, objects of other libraries, and containers of these.
ANYTHING = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=4),
    st.tuples(SCALARS, SCALARS),
    st.dictionaries(st.one_of(st.sampled_from(["Y", "X", "Z", "T", "C", "y", "Q"]), st.integers(0, 2)), SCALARS),
    st.sets(st.integers(0, 5), max_size=3),
    st.recursive(st.integers(0, 3), lambda inner: st.lists(inner, max_size=2), max_leaves=6),
)
DTYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "?"]
#: Axes by the number of dimensions.
LETTERS = {2: ["YX", "XY"], 3: ["ZYX", "CYX", "YXZ", "TYX", "YXC"], 4: ["TZYX", "ZCYX", "CZYX", "ZYXC"]}


@dataclass(frozen=True)
class Drawn:
    """A correct image: its values, axes, and the object of another form that holds the same values."""

    values: np.ndarray
    axes: str
    form: str
    given: Any


@st.composite
def arrays(draw: st.DrawFn) -> tuple[np.ndarray, str]:
    """An image of finite numbers with axes that fit."""
    ndim = draw(st.sampled_from([2, 2, 2, 3, 4]))
    axes = draw(st.sampled_from(LETTERS[ndim]))
    shape = tuple(draw(st.integers(1, 3)) if letter in "TCZ" else draw(st.integers(1, 10)) for letter in axes)
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    kind = draw(st.sampled_from(["noise", "noise", "constant", "ramp", "range", "hot"]))
    seed = draw(st.integers(0, 2**16))
    return _filled(shape, dtype, kind, np.random.default_rng(seed)), axes


def _filled(shape: tuple[int, ...], dtype: np.dtype[Any], kind: str, rng: np.random.Generator) -> np.ndarray:
    if kind == "constant":
        values = np.full(shape, rng.choice([0, 1, 7]))
    elif kind == "ramp":
        values = np.arange(int(np.prod(shape))).reshape(shape) % 100
    else:
        values = rng.random(shape) * (200 if dtype.kind in "ui" else 1)
    if kind == "range" and dtype.kind in "ui":
        ends = np.iinfo(dtype)
        return rng.choice(np.array([ends.min, ends.max], dtype), shape)
    if kind == "range" and dtype.kind == "f":
        values = (values - 0.5) * float(rng.choice([1e-20, 1e4, 3e4 if dtype.itemsize == 2 else 1e20]))
    if kind == "hot" and dtype.kind == "f":
        values.flat[0] = 6e4 if dtype.itemsize == 2 else 1e7
    return values.astype(dtype)


def _tensor(values: np.ndarray) -> Any:
    return torch.from_numpy(values.copy())


def _masked(values: np.ndarray) -> Any:
    return np.ma.masked_array(values, mask=False)


def _data_array(values: np.ndarray) -> Any:
    return xarray.DataArray(values)


class OnlyArray:
    """An object that numpy converts by its method only."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self._values if dtype is None else self._values.astype(dtype)


#: Other forms of an array with the same values and dtype.
FORMS = {
    "array": lambda v: v,
    "Fortran order": np.asfortranarray,
    "read-only": lambda v: np.frombuffer(v.tobytes(), v.dtype).reshape(v.shape),
    "reversed memory": lambda v: np.flip(np.flip(v).copy()),
    "big-endian": lambda v: v.astype(v.dtype.newbyteorder(">")),
    "strided": lambda v: np.repeat(v, 2, axis=-1)[..., ::2],
    "tensor": _tensor,
    "dask": lambda v: dask.array.from_array(v, chunks=3),
    "zarr": lambda v: zarr.array(v),
    "DataArray": _data_array,
    "masked, nothing masked": _masked,
    "image file": lambda v: v,
    "object with __array__": OnlyArray,
    "memoryview": lambda v: memoryview(v),
    "list of arrays": list,
    "tuple of arrays": tuple,
}


@st.composite
def drawn_images(draw: st.DrawFn) -> Drawn:
    """A correct image in any form."""
    values, axes = draw(arrays())
    form = draw(st.sampled_from(sorted(FORMS)))
    given = ImageFile(values, axes) if form == "image file" else FORMS[form](values)
    return Drawn(values, axes, form, given)


def _spoiled(values: np.ndarray, value: float) -> np.ndarray:
    values = values.astype(values.dtype if values.dtype.kind == "f" else np.float32)
    with np.errstate(over="ignore"):
        values.flat[values.size // 2] = value
    return values


@st.composite
def odd_images(draw: st.DrawFn) -> Any:
    """An object that often is no image: of other types and shapes, or with values that are no numbers."""
    kind = draw(st.sampled_from(["anything", "dtype", "shape", "value", "table", "tensor", "nested"]))
    if kind == "anything":
        return draw(ANYTHING)
    values, _ = draw(arrays())
    if kind == "dtype":
        other = draw(st.sampled_from(["O", "U4", "S4", "c8", "c16", "M8[s]", "m8[s]", "g", "i4,f4", "V3"]))
        return np.zeros(values.shape, other)
    if kind == "shape":
        shape = draw(st_numpy.array_shapes(min_dims=0, max_dims=7, min_side=0, max_side=3))
        return np.zeros(shape, draw(st.sampled_from(DTYPES)))
    if kind == "value":
        value = draw(st.sampled_from([np.nan, np.inf, -np.inf, 1e30, -3.4e38, 9.97e36, 1e300]))
        return np.full_like(values, value, np.float64) if draw(st.booleans()) else _spoiled(values, value)
    if kind == "table":
        return draw(
            st.sampled_from(
                [
                    pandas.DataFrame(np.zeros((8, 8))),
                    xarray.Dataset({"a": (("y", "x"), np.zeros((8, 8)))}),
                    xarray.DataArray(np.zeros((8, 8)), dims=("lat", "y")),
                    zarr.group(),
                    {"image": np.zeros((8, 8))},
                    np.ma.masked_array(np.zeros((8, 8)), mask=True),
                    np.ma.masked_array(np.zeros((8, 8), int), mask=True),
                ]
            )
        )
    if kind == "tensor":
        return draw(
            st.sampled_from(
                [
                    torch.zeros(8, 8, requires_grad=True),
                    torch.zeros(8, 8, dtype=torch.bfloat16),
                    torch.zeros(8, 8, dtype=torch.complex64),
                    torch.zeros(8, 8, device="meta"),
                    torch.zeros(8, 8).to_sparse(),
                    torch.zeros(0),
                    torch.nn.Conv2d(1, 1, 1),
                ]
            )
        )
    return draw(
        st.sampled_from([[[1, 2], [3]], [[1, "a"]], [[None]], [[[]]], [np.zeros(3), np.zeros(4)], [values] * 2])
    )
