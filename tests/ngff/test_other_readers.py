"""Other programs' readers find pixel size, unit, position and channels of results; run by ``tox run -e ngff``.

Each test is skipped where the reader is not installed: ome-zarr, napari-ome-zarr and ome-types are no dependencies of
napari-sr or of its tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_sr as sr
from napari_sr.imaging.files import Metadata
from napari_sr.imaging.files.writing import tiff
from napari_sr.inference.output import ome_zarr as own

METADATA = Metadata(
    pixel_size={"Z": 0.5, "Y": 0.2, "X": 0.1},
    unit="micrometer",
    origin={"Z": 7.0, "Y": 10.0, "X": -4.0},
    channels=("DAPI", "GFP"),
    colors=((0, 0, 255), (0, 255, 0)),
    limits=((0.0, 100.0), (5.0, 250.0)),
    name="cells",
)
#: Pixel size and position of the result along Z, Y and X; the outer edges are those of the source.
SCALE, TRANSLATION = [0.5, 0.1, 0.05], [7.0, 9.95, -4.025]


@pytest.fixture(params=["one level", "several levels"])
def several(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param == "several levels":
        monkeypatch.setattr(own, "CHUNK", 16)
        monkeypatch.setattr(tiff, "UNTILED", 16)
        monkeypatch.setattr(tiff, "TILE", 16)
    return bool(request.param == "several levels")


@pytest.fixture(params=["0.5", "0.4"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def upscaled(name: str, folder: Path, version: str = "0.5") -> np.ndarray:
    """Write a result, and return its pixels."""
    pixels = np.random.default_rng(0).integers(0, 4000, (2, 3, 19, 14), np.uint16)
    sr.write_image(folder / "source.ome.tif", pixels, "CZYX", metadata=METADATA)
    source = sr.read_image(folder / "source.ome.tif")
    return np.asarray(sr.upscale(source, "srcnn-x2", device="cpu", out=folder / name, ome_zarr=version)[...])


def test_ome_zarr_reads_the_transformations(several: bool, version: str, tmp_path: Path) -> None:
    pytest.importorskip("ome_zarr", reason="ome-zarr is installed by tox run -e ngff")
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    pixels = upscaled("a.ome.zarr", tmp_path, version)
    (node,) = Reader(parse_url(tmp_path / "a.ome.zarr"))()
    assert np.array_equal(node.data[0].compute(), pixels)
    assert [axis.get("unit") for axis in node.metadata["axes"]] == [None, *["micrometer"] * 3]
    transformations: list[list[dict[str, Any]]] = node.metadata["coordinateTransformations"]
    assert len(transformations) == len(node.data) == (3 if several else 1)
    for level, (scale, translation) in enumerate(transformations):
        factor = 2.0**level
        assert scale["scale"] == pytest.approx([1.0, 0.5, 0.1 * factor, 0.05 * factor])
        shifts = [0.1 * (factor - 1) / 2, 0.05 * (factor - 1) / 2]
        assert translation["translation"] == pytest.approx([0.0, 7.0, 9.95 + shifts[0], -4.025 + shifts[1]])


def opened_by_napari_ome_zarr(path: Path) -> Any:
    """The layers that the plugin napari-ome-zarr makes of a store."""
    plugin = pytest.importorskip("napari_ome_zarr", reason="napari-ome-zarr is installed by tox run -e ngff")
    from napari.components import ViewerModel

    viewer = ViewerModel()
    for data, options, *_ in plugin.napari_get_reader(str(path))(str(path)):
        viewer.add_image(data, **options)
    return viewer.layers


def test_napari_ome_zarr_opens_the_channels_of_a_store_with_their_pixel_size(
    several: bool, version: str, tmp_path: Path
) -> None:
    pixels = upscaled("a.ome.zarr", tmp_path, version)
    layers = opened_by_napari_ome_zarr(tmp_path / "a.ome.zarr")
    assert len(layers) == 2
    for layer, channel, name, limits in zip(layers, pixels, METADATA.channels, METADATA.limits, strict=True):
        assert name in layer.name
        assert list(layer.contrast_limits) == list(limits or ())
        assert np.array_equal(np.asarray(layer.data[0] if several else layer.data).reshape(channel.shape), channel)
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
        step = np.subtract(layer.data_to_world((1, 1, 1)), layer.data_to_world((0, 0, 0)))
        assert step == pytest.approx(SCALE)


@pytest.mark.xfail(reason="napari-ome-zarr 0.10 reads the first transformation of a level only, which is the scale")
def test_napari_ome_zarr_opens_a_store_in_its_place(several: bool, version: str, tmp_path: Path) -> None:
    upscaled("a.ome.zarr", tmp_path, version)
    for layer in opened_by_napari_ome_zarr(tmp_path / "a.ome.zarr"):
        assert np.array(layer.data_to_world((0, 0, 0))) == pytest.approx(TRANSLATION)


def test_ome_types_reads_the_xml_of_an_ome_tiff(several: bool, tmp_path: Path) -> None:
    ome_types = pytest.importorskip("ome_types", reason="ome-types is installed by tox run -e ngff")
    import tifffile

    pixels = upscaled("a.ome.tif", tmp_path)
    ome = ome_types.from_tiff(tmp_path / "a.ome.tif", validate=False)
    (image,) = ome.images
    found = image.pixels
    assert [found.physical_size_z, found.physical_size_y, found.physical_size_x] == pytest.approx(SCALE)
    units = (found.physical_size_z_unit, found.physical_size_y_unit, found.physical_size_x_unit)
    assert [unit.value for unit in units] == ["µm"] * 3
    assert [channel.name for channel in found.channels] == list(METADATA.channels)
    assert [channel.color.as_rgb_tuple()[:3] for channel in found.channels] == list(METADATA.colors)
    assert len(found.planes) == 6
    for plane in found.planes:
        expected = [TRANSLATION[0] + 0.5 * plane.the_z, *TRANSLATION[1:]]
        assert [plane.position_z, plane.position_y, plane.position_x] == pytest.approx(expected)
        assert {plane.position_z_unit.value, plane.position_y_unit.value, plane.position_x_unit.value} == {"µm"}
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert len(file.series[0].levels) == (3 if several else 1)
        assert np.array_equal(file.asarray(), pixels)
