"""The metadata of a file are those of its layers in napari, and are saved with the layers again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils import Colormap
from npe2 import PluginManager, PluginManifest
from PIL import ImageCms

import napari_sr
from napari_sr.errors import InputError
from napari_sr.imaging.files import Metadata, read_image, write_image
from napari_sr.inference import upscale, upscale_layer
from napari_sr.widgets.formats.opening import open_paths
from napari_sr.widgets.formats.reader import get_reader
from tests.inference.small_models import rrdb

RNG = np.random.default_rng(0)
FIRE = np.stack([np.minimum(255, np.arange(256) * 2), np.arange(256), np.zeros(256)], axis=-1).astype(np.uint8)


@pytest.fixture(autouse=True)
def plugin() -> Iterator[PluginManager]:
    """Register the manifest of this source tree, even if another one is installed."""
    from napari.plugins import _initialize_plugins

    _initialize_plugins()
    manager = PluginManager.instance()
    known = "napari-sr" in manager
    if not known:
        manager.register(PluginManifest.from_file(Path(napari_sr.__file__).parent / "napari.yaml"))
    yield manager
    if not known:
        manager.unregister("napari-sr")


def opened(path: Path) -> list[Any]:
    return open_paths(ViewerModel(), [path])


def saved(layer: Any, path: Path) -> None:
    assert layer.save(str(path), plugin="napari-sr") == [str(path)]


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif"])
def test_layers_have_the_names_colors_and_contrast_limits_of_the_file(tmp_path: Path, name: str) -> None:
    metadata = Metadata(
        pixel_size={"Z": 0.3, "Y": 0.1, "X": 0.1},
        unit="micrometer",
        origin={"Z": 1.0, "Y": -2.0, "X": 3.0},
        channels=("DAPI", "fire"),
        colors=((0, 0, 255), (255, 255, 0)),
        luts=(None, FIRE),
        limits=((5.0, 500.0), (7.0, 700.0)),
    )
    write_image(tmp_path / name, RNG.integers(0, 4000, (2, 3, 8, 9), np.uint16), "CZYX", metadata=metadata)
    first, second = opened(tmp_path / name)
    assert (first.name, second.name) == ("a [DAPI]", "a [fire]")
    assert first.colormap.name == "blue"
    np.testing.assert_allclose(second.colormap.map(np.linspace(0, 1, 256))[:, :3], FIRE / 255, atol=1e-3)
    assert (first.contrast_limits, second.contrast_limits) == ([5, 500], [7, 700])
    np.testing.assert_allclose(second.translate, (1, -2, 3))
    saved(Image.create(*upscale_layer(first, rrdb(2), device="cpu")), tmp_path / "b.ome.tif")
    again = read_image(tmp_path / "b.ome.tif")
    assert (again.channels, again.colors, again.limits) == (("DAPI",), ((0, 0, 255),), ((5.0, 500.0),))
    assert again.origin == pytest.approx({"Z": 1.0, "Y": -2.025, "X": 2.975})


@pytest.mark.parametrize("ending", [".ome.tif", ".tif"])
def test_position_color_contrast_limits_and_time_of_a_layer_are_saved(tmp_path: Path, ending: str) -> None:
    source = Image(
        RNG.integers(0, 4000, (4, 9, 11), np.uint16),
        scale=(2.5, 0.1, 0.1),
        translate=(0, 5, -6),
        units=("second", "micrometer", "micrometer"),
        axis_labels=("t", "y", "x"),
        colormap="#ff8000",
        contrast_limits=(10, 999),
    )
    saved(source, tmp_path / f"a{ending}")
    found = read_image(tmp_path / f"a{ending}")
    assert found.time_interval == 2.5
    assert found.origin == pytest.approx({"Y": 5, "X": -6})
    assert (found.colors, found.limits) == (((255, 128, 0),), ((10.0, 999.0),))
    (layer,) = opened(tmp_path / f"a{ending}")
    np.testing.assert_allclose(layer.scale, source.scale)
    np.testing.assert_allclose(layer.translate, source.translate)
    assert [str(unit) for unit in layer.units] == ["second", "micrometer", "micrometer"]
    assert layer.contrast_limits == [10, 999]
    np.testing.assert_allclose(layer.colormap.colors[-1], (1, 128 / 255, 0, 1), atol=1e-3)


@pytest.mark.parametrize("ending", [".ome.tif", ".tif"])
def test_an_upscaled_layer_covers_its_source_after_it_was_saved(tmp_path: Path, ending: str) -> None:
    data = RNG.integers(0, 256, (16, 20), np.uint8)
    source = Image(data, scale=(0.1, 0.2), translate=(3, 4), units=("micrometer",) * 2, name="cells")
    result = Image.create(*upscale_layer(source, rrdb(2), device="cpu"))
    saved(result, tmp_path / f"a{ending}")
    (layer,) = opened(tmp_path / f"a{ending}")
    np.testing.assert_allclose(layer.scale, (0.05, 0.1), rtol=1e-6)
    np.testing.assert_allclose(layer.translate, (3 - 0.025, 4 - 0.05), rtol=1e-6)
    edges = [np.array([-0.5, -0.5]), np.array(data.shape) - 0.5]
    for edge, place in zip(edges, (-0.5, np.array(layer.data.shape) - 0.5), strict=True):
        np.testing.assert_allclose(layer.data_to_world(place * np.ones(2)), source.data_to_world(edge), rtol=1e-6)


def test_a_position_is_saved_in_the_unit_of_the_pixel_size(tmp_path: Path) -> None:
    units = ("micrometer", "nanometer", "nanometer")
    source = Image(np.zeros((3, 8, 9), np.uint8), scale=(0.3, 100, 100), translate=(1.5, 20, 30), units=units)
    saved(source, tmp_path / "a.ome.tif")
    found = read_image(tmp_path / "a.ome.tif")
    assert found.unit == "nanometer"
    assert found.pixel_size == pytest.approx({"Z": 300, "Y": 100, "X": 100})
    assert found.origin == pytest.approx({"Z": 1500, "Y": 20, "X": 30})


@pytest.mark.parametrize("pose", [{"rotate": 30}, {"shear": [0.2]}, {"affine": np.diag([2.0, 1.0, 1.0])}])
def test_a_rotated_layer_is_saved_without_a_position(tmp_path: Path, pose: dict[str, Any]) -> None:
    source = Image(np.zeros((8, 9), np.uint8), translate=(5, 6), units=("micrometer",) * 2, **pose)
    saved(source, tmp_path / "a.ome.tif")
    assert read_image(tmp_path / "a.ome.tif").origin == {}


@pytest.mark.parametrize("ending", [".ome.tif", ".tif"])
def test_a_mirrored_axis_is_saved_with_its_pixel_size_and_without_a_position(tmp_path: Path, ending: str) -> None:
    source = Image(np.zeros((8, 9), np.uint8), scale=(-0.5, 0.25), translate=(5, 6), units=("micrometer",) * 2)
    saved(source, tmp_path / f"a{ending}")
    found = read_image(tmp_path / f"a{ending}")
    assert (found.pixel_size, found.unit) == (pytest.approx({"Y": 0.5, "X": 0.25}), "micrometer")
    assert found.origin.get("Y", 0.0) == 0.0
    assert found.origin["X"] == pytest.approx(6)


@pytest.mark.parametrize("scale", [(-0.5, 0.5), (-0.5, -0.25)])
def test_a_mirrored_result_on_disk_is_opened_in_its_place_and_upscaled_again(tmp_path: Path, scale: Any) -> None:
    source = Image(RNG.integers(0, 256, (16, 20), np.uint8), scale=scale, translate=(5, 6), units=("um",) * 2)
    upscale_layer(source, rrdb(2), device="cpu", out=tmp_path / "a.ome.zarr")
    (layer,) = opened(tmp_path / "a.ome.zarr")
    np.testing.assert_allclose(layer.scale, np.array(scale) / 2)
    for edge, place in ((-0.5, -0.5), ((15.5, 19.5), (31.5, 39.5))):
        np.testing.assert_allclose(
            layer.data_to_world(place * np.ones(2)), source.data_to_world(edge * np.ones(2)), rtol=1e-6
        )
    again = upscale(read_image(tmp_path / "a.ome.zarr"), rrdb(2), device="cpu", out=tmp_path / "b.ome.zarr")
    assert again.shape == (64, 80)
    assert read_image(tmp_path / "b.ome.zarr").pixel_size == {"Y": abs(scale[0]) / 4, "X": abs(scale[1]) / 4}


def test_gray_is_saved_as_no_color_and_a_lookup_table_is_kept(tmp_path: Path) -> None:
    data = RNG.integers(0, 256, (8, 9), np.uint8)
    saved(Image(data), tmp_path / "a.ome.tif")
    assert read_image(tmp_path / "a.ome.tif").colors == ()
    saved(Image(data, colormap=Colormap(FIRE / 255, name="fire")), tmp_path / "b.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif").luts[0], FIRE)


def test_a_layer_keeps_the_profile_of_its_file(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = RNG.integers(0, 256, (8, 9, 3), np.uint8)
    write_image(tmp_path / "a.tif", data, "YXC", metadata=Metadata(icc_profile=profile))
    (layer,) = opened(tmp_path / "a.tif")
    result = Image.create(*upscale_layer(layer, rrdb(2), device="cpu"))
    saved(result, tmp_path / "b.ome.tif")
    assert read_image(tmp_path / "b.ome.tif").icc_profile == profile


def test_cmyk_is_opened_as_rgb(tmp_path: Path) -> None:
    inks = np.full((8, 9, 4), (0, 255, 255, 0), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", inks, photometric="separated")
    (layer,) = opened(tmp_path / "a.tif")
    assert layer.rgb
    assert layer.data[0, 0].tolist() == [255, 0, 0]


def test_of_several_series_the_largest_is_opened_and_the_others_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_info", shown.append)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tiff:
        tiff.write(np.zeros((4, 5), np.uint8), metadata={"axes": "YX", "Name": "thumb"})
        tiff.write(np.zeros((3, 8, 9), np.uint8), metadata={"axes": "ZYX", "Name": "cells"})
    (layer,) = opened(tmp_path / "a.ome.tif")
    assert layer.data.shape == (3, 8, 9)
    assert shown == ['a.ome.tif: series 1 is opened. The file has others: 0 "thumb" (4 x 5).']


def test_the_reader_refuses_an_image_with_a_missing_partner(tmp_path: Path) -> None:
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:0"><Image ID="Image:0"><Pixels '
        'ID="P:0" DimensionOrder="XYZCT" Type="uint8" SizeX="8" SizeY="8" SizeZ="2" SizeC="1" SizeT="1">'
        '<TiffData FirstZ="0" IFD="0" PlaneCount="1"><UUID FileName="a.ome.tif">urn:uuid:0</UUID></TiffData>'
        '<TiffData FirstZ="1" IFD="0" PlaneCount="1"><UUID FileName="gone.ome.tif">urn:uuid:1</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    plane = np.zeros((8, 8), np.uint8)
    tifffile.imwrite(tmp_path / "a.ome.tif", plane, photometric="minisblack", metadata=None, description=xml)
    reader = get_reader(str(tmp_path / "a.ome.tif"))
    assert reader is not None
    with pytest.raises(InputError, match=r"gone\.ome\.tif, which is missing"):
        reader(str(tmp_path / "a.ome.tif"))
