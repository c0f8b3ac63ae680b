"""Destinations of results: memory, an array, or a store, the same from Python, the window and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from napari.layers import Image, Layer
from typer.testing import CliRunner

from napari_sr.cli import app
from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.axis_view import AxisView
from napari_sr.imaging.files import Metadata, read_image, write_image
from napari_sr.imaging.part import Part
from napari_sr.inference import Job, prepare_layer, run_layer, upscale, upscale_layer
from napari_sr.inference.output import destination as destination_module
from napari_sr.inference.output import ome_zarr
from napari_sr.inference.output.destination import destination
from napari_sr.settings import JobSettings
from napari_sr.widgets.formats.reader import read_layers, read_store
from tests.counted_array import CountedArray
from tests.inference.small_models import rrdb
from tests.inference.test_layer import world_box

MODEL = rrdb(2, 1)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def image(*shape: int) -> Any:
    return np.random.default_rng(0).integers(0, 4000, shape or (2, 20, 15), np.uint16)


def finest(path: Path) -> np.ndarray:
    """The finest level of a store, as on disk."""
    values: np.ndarray = zarr.open_group(path, mode="r")["0"][...]
    return values


# Memory


def test_memory_is_the_default() -> None:
    with destination(None, Axes("YX", (3, 4)), np.uint16) as target:
        assert isinstance(target.array, np.ndarray)
        assert (target.array.shape, target.array.dtype, target.levels) == ((3, 4), np.uint16, [])


def test_a_result_larger_than_memory_is_refused_before_the_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destination_module, "free_memory_of_host", lambda: 2**30)
    with pytest.raises(InputError, match=r"needs 4\.3 GiB and 1\.0 GiB .* out='result\.zarr'") as caught:
        with destination(None, Axes("ZYX", (4, 34_000, 34_000)), np.uint8):
            pass
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(destination_module, "free_memory_of_host", lambda: 100)
    progress: list[Any] = []
    with pytest.raises(InputError, match=r"out='result\.zarr'"):
        Job(MODEL).run(np.zeros((20, 15), np.uint8), "YX", progress=lambda *done: progress.append(done))
    assert progress == []


def test_a_result_of_the_size_of_the_free_memory_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destination_module, "free_memory_of_host", lambda: 24)
    with destination(None, Axes("YX", (3, 4)), np.uint16) as target:
        assert target.array.nbytes == 24


def test_a_result_larger_than_memory_can_be_written_to_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = upscale(image(), MODEL, "ZYX")
    monkeypatch.setattr(destination_module, "free_memory_of_host", lambda: 100)
    assert np.array_equal(upscale(image(), MODEL, "ZYX", out=tmp_path / "result.zarr")[:], expected)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (None, "The result needs"),
        (np.zeros((3, 3)), "The array given as out"),
        ("old.zarr", "exists already"),
        ("old.ome.tif", "exists already"),
        ("missing/new.zarr", "There is no folder"),
        ("missing/new.ome.tif", "There is no folder"),
    ],
    ids=["memory", "array", "store", "file", "folder of a store", "folder of a file"],
)
def test_a_destination_that_cannot_be_used_is_refused_before_the_image_is_read(
    out: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.zarr").mkdir()
    (tmp_path / "old.ome.tif").touch()
    monkeypatch.setattr(destination_module, "free_memory_of_host", lambda: 100)
    counted = CountedArray(image())
    with pytest.raises(InputError, match=message):
        upscale(counted, MODEL, "ZYX", out=out, intensity="percentile")
    assert counted.read == 0


@pytest.mark.parametrize("out", ["old.zarr", "old.ome.tif", "missing/new.zarr", "missing/new.ome.tif", "new.gif"])
def test_a_path_that_cannot_be_used_is_refused_before_the_image_is_read_for_a_suggestion(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.zarr").mkdir()
    (tmp_path / "old.ome.tif").touch()
    counted = CountedArray(image())
    with pytest.raises(InputError, match=r"exists already|There is no folder|unknown ending"):
        upscale(counted, "auto", "ZYX", out=out)
    assert counted.read == 0
    layer = Image(counted, multiscale=False, contrast_limits=(0, 9))
    read = counted.read
    with pytest.raises(InputError, match=r"exists already|There is no folder|end the name"):
        upscale_layer(layer, "auto", axes="ZYX", out=out)
    assert counted.read == read


# A given array


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
    assert result.levels == []
    assert np.array_equal(out[:], expected)


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((2, 40, 31), np.uint16),
        np.zeros((2, 40, 30), np.uint8),
        np.zeros((40, 30), np.uint16),
        7,
        torch.zeros(2, 40, 30),
    ],
    ids=["shape", "dtype", "dimensions", "no array", "torch"],
)
def test_an_array_that_does_not_fit_is_refused_and_not_changed(out: Any) -> None:
    progress: list[Any] = []
    with pytest.raises(InputError, match=r"the result is \(2, 40, 30\) uint16: give an array of that shape and dtype"):
        Job(MODEL).run(image(), "ZYX", out=out, progress=lambda *done: progress.append(done))
    assert progress == []
    assert not np.any(np.asarray(out)) or out == 7


def test_an_array_that_shares_memory_with_the_image_is_refused_before_it_is_changed() -> None:
    stack = np.random.default_rng(0).integers(0, 4096, (4, 40, 30), np.uint16)
    before = stack.copy()
    with pytest.raises(InputError, match="given as out shares memory with the image: give another one"):
        upscale(stack[:2, :20, :15], MODEL, "ZYX", out=stack[1:3])
    assert np.array_equal(stack, before)
    # Side by side in one array, they share none.
    upscale(stack[:2, :20, :15], MODEL, "ZYX", out=stack[2:])
    assert np.array_equal(stack[2:], upscale(before[:2, :20, :15], MODEL, "ZYX"))


@pytest.mark.parametrize("kind", ["numpy", "memory-mapped", "zarr"])
def test_a_read_only_array_is_refused_before_the_computation(kind: str, tmp_path: Path) -> None:
    out: Any = np.zeros((2, 40, 30), np.uint16)
    if kind == "numpy":
        out.flags.writeable = False
    elif kind == "memory-mapped":
        out.tofile(tmp_path / "result")
        out = np.memmap(tmp_path / "result", np.uint16, "r", shape=out.shape)
    else:
        zarr.create_array(tmp_path / "result", data=out)
        out = zarr.open_array(tmp_path / "result", mode="r")
    progress: list[Any] = []
    with pytest.raises(InputError, match="The array given as out is read-only: give one that can be written to"):
        upscale(image(), MODEL, "ZYX", out=out, progress=lambda *done: progress.append(done))
    assert progress == []


# A store


@pytest.mark.parametrize("as_text", [True, False], ids=["str", "Path"])
def test_a_store_has_the_pixels_of_the_result_in_memory(as_text: bool, tmp_path: Path) -> None:
    path = tmp_path / "result.zarr"
    expected = upscale(image(), MODEL, "ZYX")
    result = Job(MODEL).run(image(), "ZYX", out=str(path) if as_text else path)
    assert list(tmp_path.iterdir()) == [path]
    assert np.array_equal(finest(path), expected)
    # The returned array is that of the finished store, whose temporary name no longer exists.
    assert (result.data.shape, result.data.dtype) == (expected.shape, expected.dtype)
    assert np.array_equal(result.data[:], expected)
    assert len(result.levels) == 1


@pytest.mark.parametrize(
    ("letters", "shape", "on_disk"),
    [
        ("YX", (9, 8), "YX"),
        ("YXC", (9, 8, 4), "CYX"),
        ("ZYXC", (2, 9, 8, 3), "CZYX"),
        ("XZY", (8, 3, 9), "ZYX"),
        ("YXT", (9, 8, 2), "TYX"),
        ("ZTCYX", (2, 2, 2, 9, 8), "TCZYX"),
    ],
)
def test_the_returned_array_has_the_axes_of_the_image(
    letters: str, shape: tuple[int, ...], on_disk: str, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    expected = upscale(pixels, MODEL, letters)
    stored = upscale(pixels, MODEL, letters, out=tmp_path / "a.zarr")
    assert isinstance(stored, zarr.Array if letters == on_disk else AxisView)
    assert (stored.shape, stored.dtype) == (expected.shape, expected.dtype)
    assert np.array_equal(np.asarray(stored[...]), expected)
    assert np.array_equal(finest(tmp_path / "a.zarr"), expected.transpose([letters.index(a) for a in on_disk]))


def test_a_part_and_a_target_are_written_to_a_store(tmp_path: Path) -> None:
    layer = Image(image(2, 21, 33), scale=(0.3, 0.1, 0.1), units=("micrometer",) * 3)
    job = Job(MODEL, JobSettings(target="0.04 um"))
    prepared = prepare_layer(job, layer, part=Part(rows=(3, 9), at={"Z": 1}))
    stored, in_memory = (run_layer(job, prepared, out=out).layer_data for out in (tmp_path / "part.zarr", None))
    assert np.array_equal(stored[0][:], in_memory[0])
    assert np.array_equal(stored[1]["scale"], in_memory[1]["scale"])


def test_the_version_of_a_store_is_that_of_the_call(tmp_path: Path) -> None:
    layer = Image(image(), scale=(0.3, 0.1, 0.1), units=("micrometer",) * 3)
    upscale(image(), MODEL, "ZYX", out=tmp_path / "array.zarr", ome_zarr="0.4")
    upscale_layer(layer, MODEL, axes="ZYX", out=tmp_path / "layer.zarr", ome_zarr="0.4")
    for name in ("array.zarr", "layer.zarr"):
        assert zarr.open_group(tmp_path / name, mode="r").metadata.zarr_format == 2
        assert np.array_equal(finest(tmp_path / name), upscale(image(), MODEL, "ZYX"))


@pytest.mark.parametrize("out", [None, "result.tif", np.zeros((4, 18, 16), np.uint8)])
def test_another_version_without_a_store_is_refused(out: Any, tmp_path: Path) -> None:
    path = tmp_path / out if isinstance(out, str) else out
    with pytest.raises(InputError, match="version of stores"):
        upscale(image(), MODEL, "ZYX", out=path, ome_zarr="0.4")
    with pytest.raises(InputError, match=r"give one of 0\.5, 0\.4"):
        upscale(image(), MODEL, "ZYX", out=path, ome_zarr="1")
    assert not list(tmp_path.iterdir())


def test_a_layer_without_a_store_has_no_version(tmp_path: Path) -> None:
    for lazy in (False, True):
        with pytest.raises(InputError, match="version of stores"):
            upscale_layer(Image(image()), MODEL, axes="ZYX", lazy=lazy, ome_zarr="0.4", intensity="dtype")


@pytest.mark.parametrize("dtype", [np.longlong, np.ulonglong, np.intc, np.int_])
def test_a_store_contains_every_type_of_integers(dtype: Any, tmp_path: Path) -> None:
    pixels = image().astype(dtype)
    stored = upscale(pixels, MODEL, "ZYX", out=tmp_path / "result.zarr")
    assert stored.dtype == np.dtype(dtype)
    assert np.array_equal(stored[:], upscale(pixels, MODEL, "ZYX"))


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long doubles are doubles on this system")
def test_values_that_a_store_cannot_contain_are_refused_before_the_computation(tmp_path: Path) -> None:
    progress: list[Any] = []
    with pytest.raises(InputError, match=r"result\.zarr would be a Zarr store, which cannot contain float\d+: convert"):
        upscale(
            image().astype(np.longdouble),
            MODEL,
            "ZYX",
            out=tmp_path / "result.zarr",
            progress=lambda *done: progress.append(done),
        )
    assert (progress, list(tmp_path.iterdir())) == ([], [])


def test_a_store_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "result.zarr"
    existed: list[bool] = []
    upscale(image(), MODEL, "ZYX", out=path, progress=lambda done, total: existed.append(path.exists()))
    assert len(existed) >= 3
    assert not any(existed)
    assert path.exists()


@pytest.mark.parametrize("name", ["plate.jpg", "noext", "plate.zarr.bak", "plate.tif.gz"])
@pytest.mark.parametrize("exists", [True, False], ids=["a file", "no file"])
def test_a_result_with_an_unknown_ending_is_refused_before_the_computation(
    name: str, exists: bool, tmp_path: Path
) -> None:
    path, layer, progress = tmp_path / name, Image(image()), []
    if exists:
        path.write_text("precious")
    with pytest.raises(InputError, match=rf'"{name}" has an unknown ending: use \.ome\.tif, .*, \.png, .*, \.zarr\.$'):
        upscale(image(), MODEL, "ZYX", out=path, progress=lambda *done: progress.append(done))
    with pytest.raises(InputError, match=r"of a layer is written to an OME-Zarr store: end the name .* in \.zarr\.$"):
        upscale_layer(layer, MODEL, axes="ZYX", out=path, progress=lambda *done: progress.append(done))
    assert progress == []
    assert [file.read_text() for file in tmp_path.iterdir()] == ["precious"] * exists


class Stop(BaseException):
    """Not an Exception, as KeyboardInterrupt."""


@pytest.mark.parametrize("error", [ValueError, Cancelled, Stop])
def test_after_an_error_nothing_remains(error: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(error):
        with destination(tmp_path / "result.zarr", Axes("YX", (40, 30)), np.uint8) as target:
            target.array[:] = 5
            assert any(tmp_path.iterdir())
            raise error
    assert list(tmp_path.iterdir()) == []


def test_after_a_cancelled_job_nothing_remains(tmp_path: Path) -> None:
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
def test_an_existing_path_is_not_overwritten(folder: bool, tmp_path: Path) -> None:
    path = tmp_path / "result.zarr"
    if folder:
        path.mkdir()
        (path / "precious").write_text("data")
    else:
        path.write_text("data")
    with pytest.raises(InputError, match=r"result\.zarr exists already: choose another name") as caught:
        upscale(image(), MODEL, "ZYX", out=path)
    assert "\n" not in str(caught.value)
    assert (path / "precious" if folder else path).read_text() == "data"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*missing to write result\.zarr in: create it first"):
        upscale(image(), MODEL, "ZYX", out=tmp_path / "missing" / "result.zarr")
    assert list(tmp_path.iterdir()) == []


# The same store from Python, the window and the command line

SIZES = {"Z": 0.3, "Y": 0.1, "X": 0.2}
IMAGES = {
    "YX": (19, 14),
    "ZYX": (2, 19, 14),
    "TZYX": (2, 2, 9, 8),
    "YXC": (19, 14, 3),
    "ZYXC": (2, 9, 8, 4),
}


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """An OME-TIFF with pixel sizes, and its axes."""
    letters: str = request.param
    dtype, top = (np.uint8, 256) if letters.endswith("C") else (np.uint16, 4000)
    pixels = np.random.default_rng(2).integers(0, top, IMAGES[letters], dtype)
    path = tmp_path / "source.ome.tif"
    sizes = {letter: size for letter, size in SIZES.items() if letter in letters}
    write_image(path, pixels, letters, sizes, "micrometer")
    return path, letters


def from_python(source: Path, out: Path) -> None:
    opened = read_image(source)
    upscale(opened.data, "srcnn-x2", opened.axes, device="cpu", pixel_size=opened.pixel_size, unit=opened.unit, out=out)


def opened_layer(path: Path) -> Image:
    """The only layer of a file or store, as the plugin opens it."""
    (layer_data,) = read_store(str(path)) if path.is_dir() else read_layers(str(path))
    layer = Layer.create(*layer_data)
    assert isinstance(layer, Image)
    return layer


def from_window(source: Path, out: Path) -> None:
    layer = opened_layer(source)
    layer.name = "result"
    # As the window does, where the user can change them.
    axes = "".join(layer.axis_labels).upper() + ("C" if layer.rgb else "")
    upscale_layer(layer, "srcnn-x2", axes=axes, device="cpu", out=out)


def from_command_line(source: Path, out: Path) -> None:
    result = CliRunner().invoke(
        app, ["upscale", str(source), str(out), "--model", "srcnn-x2", "--device", "cpu", "--quiet"]
    )
    assert result.exit_code == 0, result.output


def flat(value: Any, key: str = "") -> dict[str, Any]:
    """The items of nested attributes, with the name of the image left out."""
    if isinstance(value, dict):
        return {k: v for name, item in value.items() for k, v in flat(item, f"{key}/{name}").items()}
    if isinstance(value, list):
        return {k: v for n, item in enumerate(value) for k, v in flat(item, f"{key}/{n}").items()}
    return {} if key in ("/napari_sr/name", "/ome/multiscales/0/name") else {key: value}


@pytest.mark.parametrize("ending", [".zarr", ".ome.zarr"])
@pytest.mark.parametrize("chunk", [1024, 8], ids=["one level", "several levels"])
@pytest.mark.parametrize("source", IMAGES, indirect=True)
def test_python_window_and_command_line_write_the_same_store(
    source: tuple[Path, str], chunk: int, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ome_zarr, "CHUNK", chunk)
    file, letters = source
    stores = {}
    for way in (from_python, from_window, from_command_line):
        folder = tmp_path / way.__name__
        folder.mkdir()
        way(file, folder / f"result{ending}")
        assert [path.name for path in folder.iterdir()] == [f"result{ending}"]
        stores[way.__name__] = zarr.open_group(folder / f"result{ending}", mode="r")
    python, *others = stores.values()
    attributes = python.attrs.asdict()
    assert attributes["ome"]["version"] == "0.5"
    assert ("omero" in attributes["ome"]) == letters.endswith("C")
    assert (len(list(python.array_keys())) > 1) == (chunk == 8)
    for other in others:
        assert flat(other.attrs.asdict()) == pytest.approx(flat(attributes))
        assert sorted(other.array_keys()) == sorted(python.array_keys())
        for name, array in python.arrays():
            assert (other[name].dtype, other[name].chunks) == (array.dtype, array.chunks)
            assert other[name].metadata.dimension_names == array.metadata.dimension_names
            assert np.array_equal(other[name][...], array[...])
    names = [store.attrs["ome"]["multiscales"][0]["name"] for store in stores.values()]
    assert names == ["result", "result (SRCNN x2)", "result"]


@pytest.mark.parametrize("way", [from_python, from_window, from_command_line])
@pytest.mark.parametrize("chunk", [1024, 8], ids=["one level", "several levels"])
@pytest.mark.parametrize("source", IMAGES, indirect=True)
def test_the_reader_opens_every_store_at_its_position(
    source: tuple[Path, str], chunk: int, way: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ome_zarr, "CHUNK", chunk)
    file, letters = source
    way(file, tmp_path / "result.ome.zarr")
    layer, original = opened_layer(tmp_path / "result.ome.zarr"), opened_layer(file)
    opened = read_image(file)
    expected = upscale(opened.data, "srcnn-x2", opened.axes, device="cpu")
    data = layer.data[0] if layer.multiscale else layer.data
    assert layer.multiscale == (chunk == 8)
    assert np.array_equal(np.asarray(data[...]), expected)
    axes = [letter for letter in letters if letter != "C"]
    assert layer.rgb == letters.endswith("C")
    assert layer.axis_labels == tuple(letter.lower() for letter in axes)
    assert [str(unit) for unit in layer.units] == ["micrometer" if letter in SIZES else "pixel" for letter in axes]
    factors = {"Y": 2, "X": 2}
    assert layer.scale == pytest.approx([SIZES.get(a, 1.0) / factors.get(a, 1) for a in axes])
    whole = Image(expected, rgb=layer.rgb, scale=layer.scale, translate=layer.translate)
    assert np.allclose(world_box(whole), world_box(original), atol=1e-9)


METADATA = Metadata(
    pixel_size=SIZES,
    unit="micrometer",
    origin={"Y": 12.5, "X": -4.0},
    channels=("DAPI", "GFP"),
    colors=((0, 0, 255), (0, 255, 0)),
    limits=((100.0, 3000.0), (200.0, 4000.0)),
    time_interval=1.5,
)


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """An OME-TIFF with position, channels and time interval."""
    pixels = np.random.default_rng(3).integers(0, 4000, (2, 2, 1, 9, 8), np.uint16)
    write_image(tmp_path / "source.ome.tif", pixels, "TCZYX", metadata=METADATA)
    return tmp_path / "source.ome.tif"


def test_python_and_command_line_write_the_metadata_of_a_file(described: Path, tmp_path: Path) -> None:
    opened = read_image(described)
    upscale(opened, "srcnn-x2", device="cpu", out=tmp_path / "python.zarr")
    from_command_line(described, tmp_path / "command.zarr")
    stores = [zarr.open_group(tmp_path / name, mode="r") for name in ("python.zarr", "command.zarr")]
    first, second = (flat(store.attrs.asdict()) for store in stores)
    assert second == pytest.approx(first)
    axes = stores[0].attrs["ome"]["multiscales"][0]["axes"]
    assert {axis["name"]: axis.get("unit") for axis in axes} == {
        "t": "second",
        "c": None,
        "y": "micrometer",
        "x": "micrometer",
    }
    found = read_image(tmp_path / "command.zarr")
    assert found.time_interval == 1.5
    assert found.pixel_size == pytest.approx({"Y": 0.05, "X": 0.1})
    # Result and source have the same edges: the first pixel is (1/2 - 1)/2 source pixels further up and left.
    assert found.origin == pytest.approx({"Y": 12.475, "X": -4.05})
    assert (found.channels, found.colors, found.limits) == (METADATA.channels, METADATA.colors, METADATA.limits)


def test_a_store_of_a_part_has_its_position_and_the_metadata_of_its_channel(described: Path, tmp_path: Path) -> None:
    part = Part(rows=(2, 6), columns=(4, 8), at={"C": 1})
    upscale(read_image(described), "srcnn-x2", device="cpu", part=part, out=tmp_path / "part.zarr")
    found = read_image(tmp_path / "part.zarr")
    assert found.origin == pytest.approx({"Y": 12.5 + 2 * 0.1 - 0.025, "X": -4.0 + 4 * 0.2 - 0.05})
    assert (found.channels, found.colors, found.limits) == (("GFP",), ((0, 255, 0),), ((200.0, 4000.0),))


def test_channels_without_a_color_have_a_default_in_the_store_only(tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 4000, (2, 9, 8), np.uint16)
    metadata = Metadata(channels=("DAPI", "GFP"), colors=(None, (0, 255, 0)))
    write_image(tmp_path / "source.ome.tif", pixels, "CYX", metadata=metadata)
    upscale(read_image(tmp_path / "source.ome.tif"), "srcnn-x2", device="cpu", out=tmp_path / "result.zarr")
    channels = zarr.open_group(tmp_path / "result.zarr", mode="r").attrs["ome"]["omero"]["channels"]
    window = {"min": 0.0, "max": 65535.0, "start": 0.0, "end": 65535.0}
    assert [(channel["color"], channel["window"]) for channel in channels] == [("FFFFFF", window), ("00FF00", window)]
    found = read_image(tmp_path / "result.zarr")
    assert (found.channels, found.colors, found.limits) == (metadata.channels, metadata.colors, ())


def test_a_store_of_other_axes_than_the_file_has_no_channels(described: Path, tmp_path: Path) -> None:
    upscale(read_image(described), "srcnn-x2", "TZYX", device="cpu", out=tmp_path / "other.zarr")
    assert "omero" not in zarr.open_group(tmp_path / "other.zarr", mode="r").attrs["ome"]


def test_a_layer_that_was_moved_is_opened_at_its_position(tmp_path: Path) -> None:
    layer = Image(image(2, 21, 33), scale=(0.3, 0.1, 0.1), units=("micrometer",) * 3, translate=(1, 2, 3), name="cells")
    data, kwargs, kind = upscale_layer(layer, MODEL, out=tmp_path / "cells.zarr")
    assert isinstance(data, zarr.Array)
    result, opened = Layer.create(data, kwargs, kind), opened_layer(tmp_path / "cells.zarr")
    assert np.array_equal(np.asarray(data[:]), upscale_layer(layer, MODEL)[0])
    assert kwargs["metadata"]["napari_sr"]["planes"] == 2
    assert np.allclose(world_box(result), world_box(layer), atol=1e-9)
    assert np.allclose(world_box(opened), world_box(layer), atol=1e-9)
    assert (opened.name, opened.units) == (result.name, result.units)


def test_other_folders_are_refused_in_one_sentence(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "plain.zarr", data=np.zeros((4, 5), np.uint8))
    (tmp_path / "folder.zarr").mkdir()
    for name in ("plain.zarr", "folder.zarr"):
        with pytest.raises(InputError, match=f"{name} is not a store that napari-sr wrote"):
            read_store(str(tmp_path / name))


# Links


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("from_python", [True, False])
@pytest.mark.parametrize("name", ["out.ome.zarr", "out.tif", "out.png"])
def test_a_result_replaces_a_link_and_not_what_it_leads_to(
    name: str, from_python: bool, there: bool, tmp_path: Path
) -> None:
    other, out, source = tmp_path / f"other-{name}", tmp_path / name, tmp_path / "in.tif"
    write_image(source, image(8, 10))
    if there:
        upscale(image(8, 10)[::-1], "srcnn-x2", device="cpu", out=other)
    before = {path: path.read_bytes() for path in [other, *other.rglob("*")] if path.is_file()}
    out.symlink_to(other)

    def write(overwrite: bool) -> str:
        if from_python:
            try:
                Job(MODEL, JobSettings(device="cpu")).run(read_image(source), out=out, overwrite=overwrite)
            except InputError as error:
                return str(error)
            return ""
        line = ["upscale", str(source), str(out), "-m", "srcnn-x2", "--device", "cpu"]
        return CliRunner().invoke(app, [*line, *["--overwrite"][: int(overwrite)]]).output

    assert "exists already" in write(overwrite=False)
    assert out.is_symlink()
    write(overwrite=True)
    assert not out.is_symlink()
    assert read_image(out).data.shape == (16, 20)
    assert {path: path.read_bytes() for path in [other, *other.rglob("*")] if path.is_file()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"in.tif", name, *([other.name] if there else [])}
