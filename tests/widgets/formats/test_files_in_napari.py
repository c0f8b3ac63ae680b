"""Files opened and saved through napari keep pixel size, unit and axes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image
from npe2 import PluginManager, PluginManifest

import napari_sr
from napari_sr.errors import InputError
from napari_sr.imaging.files import Metadata, read_image, write_image
from napari_sr.imaging.files.lazy_array import LazyArray
from napari_sr.imaging.pyramid import halved
from napari_sr.inference import upscale_layer
from napari_sr.widgets.choices.layer_facts import known_axes
from napari_sr.widgets.formats.opening import open_paths
from napari_sr.widgets.formats.reader import get_reader, read_layers
from napari_sr.widgets.formats.writer import write_channels, write_layer
from tests.inference.small_models import rrdb

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginManager]:
    """Register the manifest of this source tree, whatever is installed."""
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


def units(layer: Any) -> list[str]:
    return [str(unit) for unit in layer.units]


POSES = {
    "plane": ((9, 11), ("y", "x"), (0.1, 0.2)),
    "z-stack": ((3, 9, 11), ("z", "y", "x"), (0.3, 0.1, 0.1)),
    "time": ((4, 9, 11), ("t", "y", "x"), (1.0, 0.1, 0.1)),
    "time and z": ((2, 3, 9, 11), ("t", "z", "y", "x"), (1.0, 0.3, 0.1, 0.1)),
}


@pytest.mark.parametrize(("label", "letter"), [("Time", "T"), ("channel", "C"), ("ch", "C"), ("z", "Z"), ("lag", "Z")])
def test_axes_are_saved_by_the_names_by_which_a_panel_reads_them(tmp_path: Path, label: str, letter: str) -> None:
    source = Image(RNG.integers(0, 4000, (5, 9, 11), np.uint16), axis_labels=(label, "y", "x"))
    path = tmp_path / "cells.ome.tif"
    source.save(str(path), plugin="napari-sr")
    assert read_image(path).axes == known_axes(source).letters == f"{letter}YX"


@pytest.mark.parametrize("ending", [".ome.tif", ".tif"])
@pytest.mark.parametrize("kind", POSES)
def test_a_layer_comes_back_as_it_was_saved(tmp_path: Path, kind: str, ending: str) -> None:
    shape, labels, scale = POSES[kind]
    unit = ["pixel" if label == "t" else "micrometer" for label in labels]
    source = Image(RNG.integers(0, 4000, shape, np.uint16), scale=scale, units=unit, axis_labels=labels, name="cells")
    path = tmp_path / f"cells{ending}"
    assert source.save(str(path), plugin="napari-sr") == [str(path)]
    (layer,) = opened(path)
    assert np.array_equal(layer.data, source.data)
    assert layer.data.dtype == source.data.dtype
    assert np.allclose(layer.scale, scale, rtol=1e-6)
    assert units(layer) == unit
    assert tuple(layer.axis_labels) == labels
    assert layer.name == "cells"


def test_colors_come_back_as_colors(tmp_path: Path) -> None:
    source = Image(RNG.integers(0, 256, (8, 9, 3), np.uint8), rgb=True, scale=(0.5, 0.5), units=("nanometer",) * 2)
    source.save(str(tmp_path / "colors.ome.tif"), plugin="napari-sr")
    (layer,) = opened(tmp_path / "colors.ome.tif")
    assert layer.rgb
    assert np.array_equal(layer.data, source.data)
    assert units(layer) == ["nanometer"] * 2
    assert np.allclose(layer.scale, 0.5)


@pytest.mark.parametrize("ending", [".ome.tif", ".tif"])
def test_each_channel_becomes_a_layer_of_its_own(tmp_path: Path, ending: str) -> None:
    data = RNG.integers(0, 4000, (2, 5, 8, 9), np.uint16)
    path = tmp_path / f"two{ending}"
    write_image(path, data, "CZYX", {"Z": 0.3, "Y": 0.1, "X": 0.1}, "micrometer")
    layers = opened(path)
    assert [np.array_equal(layer.data, channel) for layer, channel in zip(layers, data, strict=True)] == [True, True]
    assert [layer.name for layer in layers] == ["two [0]", "two [1]"]
    assert {layer.blending for layer in layers} == {"additive"}
    assert np.allclose(layers[1].scale, (0.3, 0.1, 0.1))


def test_channels_bear_the_names_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "named.ome.tif"
    metadata = {"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP"]}}
    tifffile.imwrite(path, np.zeros((2, 8, 9), np.uint16), metadata=metadata)
    assert [layer.name for layer in opened(path)] == ["named [DAPI]", "named [GFP]"]


def test_a_layer_with_a_channel_axis_is_saved_with_it(tmp_path: Path) -> None:
    source = Image(RNG.integers(0, 4000, (2, 3, 8, 9), np.uint16), axis_labels=("c", "z", "y", "x"))
    source.save(str(tmp_path / "both.ome.tif"), plugin="napari-sr")
    assert read_image(tmp_path / "both.ome.tif").axes == "CZYX"


@pytest.mark.parametrize("ending", ["tif", "ome.tif"])
def test_a_channel_axis_at_the_end_is_saved_as_channels_with_the_pixel_size(tmp_path: Path, ending: str) -> None:
    data = RNG.integers(0, 4000, (8, 9, 5), np.uint16)
    units = ("um", "um", "pixel")
    source = Image(data, axis_labels=("y", "x", "c"), scale=(0.2, 0.1, 1), units=units, rgb=False)
    source.save(str(tmp_path / f"last.{ending}"), plugin="napari-sr")
    image = read_image(tmp_path / f"last.{ending}")
    assert image.axes == "CYX"
    np.testing.assert_array_equal(image.data, np.moveaxis(data, -1, 0))
    assert (image.pixel_size["Y"], image.pixel_size["X"]) == pytest.approx((0.2, 0.1))
    assert known_axes(source).letters == "YXC"


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("ending", ["tif", "ome.tif"])
def test_several_layers_are_saved_as_the_channels_of_one_image(tmp_path: Path, ending: str, lazy: bool) -> None:
    data = RNG.integers(0, 4000, (2, 3, 8, 9), np.uint16)
    viewer = ViewerModel()
    place = {"scale": (0.5, 0.1, 0.1), "translate": (1, 2, 3), "units": ("um",) * 3}
    for plane, name, color in zip(data, ("DAPI", "GFP"), ("blue", "green"), strict=True):
        shown = da.from_array(plane, chunks=(1, 8, 9)) if lazy else plane
        viewer.add_image(shown, name=name, colormap=color, contrast_limits=(5, 3000), **place)
    path = tmp_path / f"both.{ending}"
    assert viewer.layers.save(str(path)) == [str(path)]
    image = read_image(path)
    axes = "ZCYX" if ending == "tif" else "CZYX"
    assert np.array_equal(np.moveaxis(image.data, image.axes.index("C"), 0), data)
    assert (image.axes, image.channels) == (axes, ("DAPI", "GFP"))
    assert image.colors == ((0, 0, 255), (0, 255, 0))
    assert image.limits == ((5, 3000), (5, 3000))
    assert image.pixel_size == pytest.approx({"Z": 0.5, "Y": 0.1, "X": 0.1})
    assert image.origin == pytest.approx({"Z": 1, "Y": 2, "X": 3})


def test_a_name_without_an_ending_is_that_of_an_ome_tiff(tmp_path: Path) -> None:
    """The save dialog proposes the name of the layer, and adds no ending on Linux."""
    layer = Image(np.zeros((8, 9), np.uint8), name="cells.czi")
    data = layer.as_layer_data_tuple()
    assert write_layer(str(tmp_path / "cells.czi"), *data[:2]) == [str(tmp_path / "cells.czi.ome.tif")]
    assert write_channels(str(tmp_path / "both"), [data, data]) == [str(tmp_path / "both.ome.tif")]
    before = (tmp_path / "both.ome.tif").read_bytes()
    with pytest.raises(InputError, match=r"There is a file .*both\.ome\.tif already"):
        write_layer(str(tmp_path / "both"), *data[:2])
    assert (tmp_path / "both.ome.tif").read_bytes() == before


@pytest.mark.parametrize("other", [{"scale": (2, 2)}, {"data": np.zeros((8, 8), np.uint8)}, {"rgb": True}])
def test_layers_that_are_no_channels_of_one_image_are_refused(tmp_path: Path, other: dict[str, Any]) -> None:
    pixels = np.zeros((8, 9, 3) if other.get("rgb") else (8, 9), np.uint8)
    layers = [Image(np.zeros((8, 9), np.uint8), name="a"), Image(**{"data": pixels, "name": "b", **other})]
    with pytest.raises(InputError, match=r'"b".*cannot be .*: save (each|it) by itself'):
        write_channels(str(tmp_path / "a.tif"), [layer.as_layer_data_tuple() for layer in layers])
    assert not list(tmp_path.iterdir())


def test_of_a_multiscale_layer_the_finest_level_is_saved(tmp_path: Path) -> None:
    data = RNG.integers(0, 256, (32, 40), np.uint8)
    Image([data, data[::2, ::2]], multiscale=True).save(str(tmp_path / "levels.tif"), plugin="napari-sr")
    assert np.array_equal(read_image(tmp_path / "levels.tif").data, data)


def test_a_layer_without_a_size_is_saved_without_one(tmp_path: Path) -> None:
    Image(RNG.integers(0, 256, (8, 9), np.uint8), scale=(2, 2)).save(str(tmp_path / "a.tif"), plugin="napari-sr")
    image = read_image(tmp_path / "a.tif")
    assert (image.pixel_size, image.unit) == ({}, None)
    (layer,) = opened(tmp_path / "a.tif")
    assert np.array_equal(layer.scale, (1, 1))
    assert units(layer) == ["pixel", "pixel"]


def test_a_plain_tiff_is_opened_too(tmp_path: Path) -> None:
    data = RNG.integers(0, 4000, (8, 9), np.uint16)
    tifffile.imwrite(tmp_path / "plain.tif", data)
    (layer,) = opened(tmp_path / "plain.tif")
    assert np.array_equal(layer.data, data)


def test_what_is_no_tiff_of_ours_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("no image")
    (tmp_path / "cut.tif").write_bytes(b"II*\0")
    assert get_reader(str(tmp_path / "text.tif")) is None
    assert get_reader(str(tmp_path / "cut.tif")) is None
    assert get_reader(str(tmp_path / "absent.tif")) is None
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((8, 9), np.uint8))
    assert get_reader([str(tmp_path / "plain.tif")] * 2) is None
    assert get_reader(str(tmp_path / "plain.tif")) is read_layers


def test_bad_places_and_data_are_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no folder"):
        write_layer(str(tmp_path / "no" / "a.tif"), np.zeros((4, 5), np.uint8), {})
    with pytest.raises(InputError, match="6 dimensions, and a TIFF can contain 5"):
        write_layer(str(tmp_path / "a.tif"), np.zeros((1, 1, 1, 1, 4, 5), np.uint8), {})
    with pytest.raises(InputError, match="complex128: convert it"):
        write_layer(str(tmp_path / "a.tif"), np.zeros((4, 5), complex), {})
    assert not list(tmp_path.iterdir())


def test_mixed_units_are_brought_to_one(tmp_path: Path) -> None:
    data = np.zeros((3, 4, 5), np.uint8)
    attributes = {"scale": (0.3, 100, 100), "units": ("micrometer", "nanometer", "nanometer")}
    write_layer(str(tmp_path / "a.ome.tif"), data, attributes)
    image = read_image(tmp_path / "a.ome.tif")
    assert image.unit == "nanometer"
    assert image.pixel_size == pytest.approx({"Z": 300, "Y": 100, "X": 100})


def test_a_large_lazy_layer_is_saved_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("image._AT_ONCE", 0), ("tiff.UNTILED", 64), ("tiff.TILE", 16), ("tiff._BAND", 0)):
        monkeypatch.setattr(f"napari_sr.imaging.files.writing.{name}", value)
    data = RNG.integers(0, 4096, (3, 90, 70), np.uint16)
    largest = 0

    class Lazy:
        shape, dtype, ndim = data.shape, data.dtype, data.ndim

        def __getitem__(self, index: Any) -> np.ndarray:
            nonlocal largest
            largest = max(largest, data[index].size)
            return data[index]

    layer = Image(Lazy(), scale=(0.3, 0.1, 0.1), units=("um",) * 3, translate=(0, 5, 6), contrast_limits=(0, 4095))
    largest = 0
    layer.save(str(tmp_path / "a.ome.tif"), plugin="napari-sr")
    assert 0 < largest <= 16 * 16
    image = read_image(tmp_path / "a.ome.tif")
    assert np.array_equal(image.data, data)
    assert (image.pixel_size, image.origin) == ({"Z": 0.3, "Y": 0.1, "X": 0.1}, {"Y": 5.0, "X": 6.0})
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert [level.shape for level in file.series[0].levels] == [(3, 90, 70), (3, 45, 35)]


def test_a_large_pyramid_is_opened_level_by_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("writing.tiff.UNTILED", 64), ("writing.tiff.TILE", 16), ("tiff.LARGE", 0)):
        monkeypatch.setattr(f"napari_sr.imaging.files.{name}", value)
    data = RNG.integers(0, 4096, (2, 3, 90, 70), np.uint16)
    metadata = Metadata(
        pixel_size={"Z": 0.3, "Y": 0.1, "X": 0.1}, unit="micrometer", origin={"Y": 5.0}, channels=("DAPI", "GFP")
    )
    write_image(tmp_path / "a.ome.tif", data, "CZYX", metadata=metadata)
    layers = opened(tmp_path / "a.ome.tif")
    assert [layer.name for layer in layers] == ["a [DAPI]", "a [GFP]"]
    for layer, channel in zip(layers, data, strict=True):
        assert layer.multiscale
        assert [level.shape for level in layer.data] == [(3, 90, 70), (3, 45, 35)]
        assert np.array_equal(layer.data[0][...], channel)
        assert np.array_equal(layer.data[1][1], np.stack([halved(plane) for plane in channel])[1])
        assert tuple(layer.scale) == (0.3, 0.1, 0.1)
        assert tuple(layer.translate) == (0, 5, 0)
        # napari's own extent of the finest level: the pixels' outer edges.
        assert np.allclose(layer.extent.world[:, 1], (5, 13.9))
    assert isinstance(layers[0].data[0], LazyArray)
    result = Image.create(*upscale_layer(layers[0], rrdb(2, 1), device="cpu", part=napari_sr.Part(rows=(10, 20))))
    assert np.allclose(result.translate, (0, 5.975, -0.025))


def test_a_large_image_without_levels_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_sr.imaging.files.tiff.LARGE", 0)
    data = RNG.integers(0, 4096, (3, 20, 30), np.uint16)
    write_image(tmp_path / "a.ome.tif", data, "ZYX")
    (layer,) = opened(tmp_path / "a.ome.tif")
    assert not layer.multiscale
    assert isinstance(layer.data, np.ndarray)
