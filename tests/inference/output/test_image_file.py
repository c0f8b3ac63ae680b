"""Results in TIFF and PNG: those that are larger than memory have the same pixels and metadata as small ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import napari_sr as sr
from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.files import Metadata, read_image, write_image
from napari_sr.imaging.files.lazy_array import LazyArray
from napari_sr.imaging.files.writing import tiff as writing
from napari_sr.inference.output import image_file
from tests.inference.small_models import rrdb

RNG = np.random.default_rng(0)
MODEL, COLORS = rrdb(2, 1), rrdb(2, 3)
IMAGES: dict[str, tuple[str, np.ndarray]] = {
    "YX": ("YX", RNG.integers(0, 4000, (20, 15), np.uint16)),
    "one plane of each": ("TCZYX", RNG.integers(0, 4000, (1, 1, 1, 20, 15), np.uint16)),
    "XTY": ("XTY", RNG.integers(0, 255, (15, 2, 20), np.uint8)),
    "RGB": ("YXC", RNG.integers(0, 255, (20, 15, 3), np.uint8)),
    "RGBA": ("YXC", RNG.integers(0, 255, (20, 15, 4), np.uint8)),
    "missing": ("ZYX", np.where(RNG.random((2, 20, 15)) < 0.05, np.nan, RNG.random((2, 20, 15))).astype(np.float32)),
}


@pytest.fixture(params=["in memory", "on disk"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Results are kept in memory, or none of them is; planes of more than 16 pixels become pyramids."""
    monkeypatch.setattr(writing, "UNTILED", 16)
    monkeypatch.setattr(writing, "TILE", 16)
    if request.param == "on disk":
        monkeypatch.setattr(image_file, "IN_MEMORY", 0)
        monkeypatch.setattr("napari_sr.imaging.files.writing.image._AT_ONCE", 0)
        monkeypatch.setattr("napari_sr.imaging.files.tiff.LARGE", 0)
        monkeypatch.setattr("napari_sr.inference.output.destination.free_memory_of_host", lambda: 0)
    return str(request.param)


def upscaled(image: Any, letters: str | None = None, **options: Any) -> Any:
    model = COLORS if (letters or "").endswith("XC") else MODEL
    return sr.upscale(image, model, letters, device="cpu", missing="fill", **options)


@pytest.mark.parametrize("name", IMAGES)
def test_the_result_in_a_tiff_is_that_of_the_call(name: str, where: str, tmp_path: Path) -> None:
    letters, image = IMAGES[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_sr.inference.output.destination.free_memory_of_host", lambda: 2**40)
        expected = upscaled(image, letters)
    path = tmp_path / "a.ome.tif"
    result = upscaled(image, letters, out=path, pixel_size={"Y": 0.2, "X": 0.1}, unit="um")
    assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
    assert np.array_equal(result[...], expected, equal_nan=expected.dtype.kind == "f")
    assert np.array_equal(result[0], expected[0], equal_nan=expected.dtype.kind == "f")
    assert isinstance(result.array, LazyArray) == (where == "on disk")
    found = read_image(path)
    assert (found.pixel_size, found.unit) == ({"Y": 0.1, "X": 0.05}, "micrometer")
    assert found.origin == pytest.approx({"Y": -0.05, "X": -0.025})
    with tifffile.TiffFile(path) as file:
        assert len(file.series[0].levels) == 3
    assert [one.name for one in tmp_path.iterdir()] == ["a.ome.tif"]


def test_a_part_has_its_position_and_its_channels(where: str, tmp_path: Path) -> None:
    metadata = Metadata(
        pixel_size={"Y": 0.2, "X": 0.2}, unit="micrometer", origin={"Y": 10.0}, channels=("DAPI", "GFP", "RFP")
    )
    write_image(tmp_path / "in.ome.tif", RNG.integers(0, 4000, (3, 20, 15), np.uint16), "CYX", metadata=metadata)
    part = sr.Part(rows=(4, 12), columns=(5, 15), at={"C": 1})
    source = sr.read_image(tmp_path / "in.ome.tif")
    upscaled(source, part=part, out=tmp_path / "a.ome.tif")
    store = tmp_path / "a.zarr"
    upscaled(source, part=part, out=store)
    image, other = read_image(tmp_path / "a.ome.tif"), read_image(store)
    assert np.array_equal(image.data, np.squeeze(other.data[...]))
    assert image.origin == pytest.approx(other.origin) == {"Y": 10.75, "X": 0.95}
    assert image.channels == other.channels == ("GFP",)


def test_a_png_needs_memory(where: str, tmp_path: Path) -> None:
    letters, image = IMAGES["RGB"]
    if where == "on disk":
        with pytest.raises(InputError, match="memory"):
            upscaled(image, letters, out=tmp_path / "a.png")
        assert list(tmp_path.iterdir()) == []
        return
    assert np.array_equal(upscaled(image, letters, out=tmp_path / "a.png")[...], upscaled(image, letters))


def test_an_existing_file_is_not_replaced(where: str, tmp_path: Path) -> None:
    letters, image = IMAGES["YX"]
    write_image(tmp_path / "a.tif", image)
    with pytest.raises(InputError, match="exists already"):
        upscaled(image, letters, out=tmp_path / "a.tif")
    assert np.array_equal(read_image(tmp_path / "a.tif").data, image)
    job = sr.Job(MODEL, sr.JobSettings(device="cpu"))
    assert job.run(image, letters, out=tmp_path / "a.tif", overwrite=True).data.shape == (40, 30)


@pytest.mark.parametrize(
    ("name", "dtype", "message"),
    [
        ("a.png", np.float32, "a PNG, which cannot contain gray values of float32"),
        ("a.ome.tif", np.uint64, "an OME-TIFF, which cannot contain uint64"),
        ("missing/a.tif", np.uint8, "There is no folder"),
    ],
)
def test_a_result_that_cannot_be_written_is_refused_before_the_work(
    name: str, dtype: Any, message: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: Any) -> float:
        raise AssertionError("the work had begun")

    monkeypatch.setattr("napari_sr.inference.run.work.Work.run", run)
    with pytest.raises(InputError, match=message):
        upscaled(IMAGES["YX"][1].astype(dtype), "YX", out=tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("phase", ["computing", "writing"])
def test_a_canceled_run_leaves_the_old_file(phase: str, where: str, tmp_path: Path) -> None:
    write_image(tmp_path / "a.ome.tif", np.zeros((5, 5), np.uint16))
    computed: list[bool] = []
    with pytest.raises(Cancelled):
        sr.Job(MODEL, sr.JobSettings(device="cpu")).run(
            IMAGES["YX"][1],
            "YX",
            out=tmp_path / "a.ome.tif",
            overwrite=True,
            progress=lambda done, total: computed.append(done == total),
            cancel=lambda: bool(computed) and (computed[-1] or phase == "computing"),
        )
    assert computed[-1] == (phase == "writing")
    assert [one.name for one in tmp_path.iterdir()] == ["a.ome.tif"]
    assert read_image(tmp_path / "a.ome.tif").data.shape == (5, 5)


def test_a_full_disk_is_a_sentence(where: str, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits of a process are Unix's")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 13, before[1]))
    try:
        with pytest.raises(InputError, match=r"a\.ome\.tif cannot be written \(File too large\)"):
            upscaled(RNG.integers(0, 4000, (60, 70), np.uint16), "YX", out=tmp_path / "a.ome.tif")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_the_result_of_a_layer_is_not_written_to_a_tiff(tmp_path: Path) -> None:
    from napari.layers import Image

    with pytest.raises(InputError, match=r"a layer is written to an OME-Zarr store"):
        sr.upscale_layer(Image(IMAGES["YX"][1]), MODEL, device="cpu", out=tmp_path / "a.ome.tif")
    assert list(tmp_path.iterdir()) == []
