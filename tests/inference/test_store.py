"""Where a result goes: into memory, into an array that is there, or into a Zarr store that is whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr

from napari_sr.errors import Cancelled, InputError
from napari_sr.inference import Job, store, upscale
from napari_sr.inference.store import CHUNK, destination
from tests.inference.small_models import rrdb

MODEL = rrdb(2, 1)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def image(*shape: int) -> Any:
    return np.random.default_rng(0).integers(0, 4000, shape or (2, 20, 15), np.uint16)


# Memory


def test_memory_is_the_default() -> None:
    with destination(None, (3, 4), np.uint16) as target:
        assert isinstance(target.array, np.ndarray)
        assert (target.array.shape, target.array.dtype) == ((3, 4), np.uint16)


def test_a_result_larger_than_memory_is_refused_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "free_memory_of_host", lambda: 2**30)
    told: list[Any] = []
    with pytest.raises(InputError, match=r"takes 4\.3 GiB and 1\.0 GiB .* out='result\.zarr'") as said:
        with destination(None, (4, 34_000, 34_000), np.uint8):
            pass
    assert "\n" not in str(said.value)
    monkeypatch.setattr(store, "free_memory_of_host", lambda: 100)
    with pytest.raises(InputError, match=r"out='result\.zarr'"):
        Job(MODEL).run(np.zeros((20, 15), np.uint8), "YX", progress=lambda *done: told.append(done))
    assert told == []


def test_a_result_just_as_large_as_memory_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "free_memory_of_host", lambda: 24)
    with destination(None, (3, 4), np.uint16) as target:
        assert target.array.nbytes == 24


def test_a_result_larger_than_memory_goes_to_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = upscale(image(), MODEL, "ZYX")
    monkeypatch.setattr(store, "free_memory_of_host", lambda: 100)
    assert np.array_equal(upscale(image(), MODEL, "ZYX", out=tmp_path / "result.zarr")[:], expected)


# An array that is there


@pytest.mark.parametrize("kind", ["numpy", "memory-mapped", "zarr"])
def test_a_given_array_is_filled(kind: str, tmp_path: Path) -> None:
    expected = upscale(image(), MODEL, "ZYX")
    out: Any = np.zeros(expected.shape, expected.dtype)
    if kind == "memory-mapped":
        out = np.memmap(tmp_path / "result", expected.dtype, "w+", shape=expected.shape)
    elif kind == "zarr":
        out = zarr.zeros(expected.shape, chunks=(1, 7, 9), dtype=expected.dtype)
    result = Job(MODEL).run(image(), "ZYX", out=out)
    assert result.data is out
    assert np.array_equal(out[:], expected)


@pytest.mark.parametrize(
    "out",
    [np.zeros((2, 40, 31), np.uint16), np.zeros((2, 40, 30), np.uint8), np.zeros((40, 30), np.uint16), 7],
    ids=["shape", "dtype", "dimensions", "no array"],
)
def test_an_array_that_does_not_fit_is_refused_and_not_touched(out: Any) -> None:
    told: list[Any] = []
    with pytest.raises(InputError, match=r"the result is \(2, 40, 30\) uint16: give one like it"):
        Job(MODEL).run(image(), "ZYX", out=out, progress=lambda *done: told.append(done))
    assert told == []
    assert not np.any(out) or out == 7


# A Zarr store


@pytest.mark.parametrize("as_text", [True, False], ids=["str", "Path"])
def test_a_store_holds_what_memory_would(as_text: bool, tmp_path: Path) -> None:
    path = tmp_path / "result.zarr"
    expected = upscale(image(), MODEL, "ZYX")
    result = Job(MODEL).run(image(), "ZYX", out=str(path) if as_text else path)
    assert list(tmp_path.iterdir()) == [path]
    again = zarr.open_array(path, mode="r")
    assert (again.shape, again.dtype) == (expected.shape, expected.dtype)
    assert np.array_equal(again[:], expected)
    # What the job gives is the lasting array, not the one of another name.
    assert np.array_equal(result.data[:], expected)
    result.data[0, 0, 0] = 77
    assert zarr.open_array(path, mode="r")[0, 0, 0] == 77


def test_colors_and_any_order_of_axes_go_into_a_store(tmp_path: Path) -> None:
    rgba = np.random.default_rng(1).integers(0, 256, (9, 8, 4), np.uint8)
    turned = image(15, 3, 20)
    for name, given, axes in (("colors", rgba, "YXC"), ("turned", turned, "XZY")):
        stored = upscale(given, MODEL, axes, out=tmp_path / name)
        assert np.array_equal(stored[:], upscale(given, MODEL, axes))


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((40, 30), (40, 30)),
        ((5000, 3000), (CHUNK, CHUNK)),
        ((2, 3, 2048, 1500), (1, 1, CHUNK, CHUNK)),
        ((3000, 3000, 3), (CHUNK, CHUNK, 3)),
    ],
    ids=str,
)
def test_a_chunk_holds_a_part_of_one_plane(shape: tuple[int, ...], chunks: tuple[int, ...], tmp_path: Path) -> None:
    with destination(tmp_path / "result.zarr", shape, np.uint8) as target:
        assert target.array.chunks == chunks


@pytest.mark.parametrize(("axes", "chunks"), [("ZYX", (1, 12, 10)), ("YZX", (12, 1, 10)), ("XYZ", (10, 12, 1))])
def test_a_chunk_holds_one_plane_however_many_there_are(axes: str, chunks: tuple[int, ...], tmp_path: Path) -> None:
    stack = image(40, 6, 5).transpose(["ZYX".index(letter) for letter in axes])
    assert Job(MODEL).run(stack, axes, out=tmp_path / "result.zarr").data.chunks == chunks


def test_a_store_is_seen_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.zarr"
    seen: list[bool] = []
    upscale(image(), MODEL, "ZYX", out=path, progress=lambda done, total: seen.append(path.exists()))
    assert len(seen) >= 3
    assert not any(seen)
    assert path.exists()


class Stop(BaseException):
    """As the keyboard's interrupt is, no Exception."""


@pytest.mark.parametrize("error", [ValueError, Cancelled, Stop])
def test_nothing_is_left_when_the_work_fails(error: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(error):
        with destination(tmp_path / "result.zarr", (40, 30), np.uint8) as target:
            target.array[:] = 5
            assert any(tmp_path.iterdir())
            raise error
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_a_job_is_cancelled(tmp_path: Path) -> None:
    done: list[int] = []
    with pytest.raises(Cancelled):
        upscale(
            image(3, 20, 15),
            MODEL,
            "ZYX",
            batch=1,
            out=tmp_path / "result.zarr",
            progress=lambda part, total: done.append(part),
            cancel=lambda: bool(done) and done[-1] > 20,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", [True, False], ids=["a folder", "a file"])
def test_what_is_there_is_never_written_over(folder: bool, tmp_path: Path) -> None:
    path = tmp_path / "result.zarr"
    if folder:
        path.mkdir()
        (path / "precious").write_text("data")
    else:
        path.write_text("data")
    with pytest.raises(InputError, match=r"result\.zarr is there already: give another name") as said:
        upscale(image(), MODEL, "ZYX", out=path)
    assert "\n" not in str(said.value)
    assert (path / "precious" if folder else path).read_text() == "data"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*missing: make it first"):
        upscale(image(), MODEL, "ZYX", out=tmp_path / "missing" / "result.zarr")
    assert list(tmp_path.iterdir()) == []
