"""OME-Zarr stores: attributes, levels, atomic writing, and stores of earlier versions."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.atomic import OLD, temporary_name
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.files import read_image
from napari_sr.imaging.pixel_size import ratio
from napari_sr.inference.output import ome_zarr
from napari_sr.inference.output.ome_zarr import new_store
from napari_sr.inference.output.reading import open_store
from napari_sr.inference.output.store_metadata import StorePlace

FIXTURES = Path(__file__).parents[2] / "fixtures" / "before_renames"
LENGTHS = {"T": 2, "C": 3, "Z": 4, "Y": 19, "X": 13}


def random_image(letters: str, dtype: Any = np.uint16) -> np.ndarray:
    shape = tuple(LENGTHS[letter] for letter in letters)
    return (200 * np.random.default_rng(1).random(shape)).astype(dtype)


def write(path: Path, image: np.ndarray, letters: str, place: StorePlace | None = None, **options: Any) -> None:
    with new_store(path, parse_axes(letters, image.shape), image.dtype, place or StorePlace(), **options) as finest:
        finest[...] = image


def attributes_of(path: Path) -> dict[str, Any]:
    return zarr.open_group(path, mode="r").attrs.asdict()


# Attributes


def test_axes_pixel_sizes_units_and_position_follow_ngff(tmp_path: Path) -> None:
    place = StorePlace("cells", (2.0, 0.3, 0.1, 0.2), (0.0, 1.0, 2.0, 3.0), (None, "micrometer", "micrometer", "pixel"))
    write(tmp_path / "a.zarr", random_image("TZYX"), "TZYX", place)
    ome = attributes_of(tmp_path / "a.zarr")["ome"]
    assert ome["version"] == "0.5"
    (image,) = ome["multiscales"]
    assert image["name"] == "cells"
    assert image["axes"] == [
        {"name": "t", "type": "time"},
        {"name": "z", "type": "space", "unit": "micrometer"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space"},
    ]
    assert image["datasets"] == [
        {
            "path": "0",
            "coordinateTransformations": [
                {"type": "scale", "scale": [2.0, 0.3, 0.1, 0.2]},
                {"type": "translation", "translation": [0.0, 1.0, 2.0, 3.0]},
            ],
        }
    ]


@pytest.mark.parametrize("letters", ["YX", "XY", "ZXY", "CYX", "YXC", "YCX", "XTZCY", "ZTYXC"])
def test_axes_on_disk_are_in_the_order_of_the_format(tmp_path: Path, letters: str) -> None:
    image = random_image(letters)
    ndim = image.ndim - int(parse_axes(letters, image.shape).rgb)
    scale = tuple(float(LENGTHS[letter]) for letter in letters[:ndim])
    write(tmp_path / "a.zarr", image, letters, StorePlace("a", scale, scale, (None,) * ndim))
    on_disk = "".join(letter for letter in "TCZYX" if letter in letters)
    finest = zarr.open_group(tmp_path / "a.zarr", mode="r")["0"]
    assert finest.metadata.dimension_names == tuple(on_disk.lower())
    assert np.array_equal(finest[...], image.transpose([letters.index(letter) for letter in on_disk]))
    described = attributes_of(tmp_path / "a.zarr")["ome"]["multiscales"][0]
    assert "".join(axis["name"] for axis in described["axes"]) == on_disk.lower()
    # The colors of RGB have no pixel size.
    sizes = [float(LENGTHS[letter]) if letter in letters[:ndim] else 1.0 for letter in on_disk]
    assert described["datasets"][0]["coordinateTransformations"][0]["scale"] == sizes


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255.0), (np.uint16, 65535.0), (np.float32, 1.0)])
@pytest.mark.parametrize("count", [3, 4])
def test_colors_are_channels_with_omero_metadata(tmp_path: Path, count: int, dtype: Any, white: float) -> None:
    write(tmp_path / "a.zarr", np.zeros((5, 6, count), dtype), "YXC")
    omero = attributes_of(tmp_path / "a.zarr")["ome"]["omero"]
    channels = omero["channels"]
    assert [channel["label"] for channel in channels] == ["red", "green", "blue", "alpha"][:count]
    assert [channel["color"] for channel in channels][:3] == ["FF0000", "00FF00", "0000FF"]
    assert [channel["active"] for channel in channels] == [True, True, True, False][:count]
    assert channels[0]["window"] == {"min": 0.0, "max": white, "start": 0.0, "end": white}
    assert omero["rdefs"] == {"model": "color"}


def test_separate_channels_have_no_omero_metadata(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr", random_image("CYX"), "CYX")
    assert "omero" not in attributes_of(tmp_path / "a.zarr")["ome"]


def test_the_place_has_defaults(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr", random_image("ZYX"), "ZYX")
    store = open_store(tmp_path / "a.zarr")
    assert store is not None
    assert store.place == StorePlace("image", (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (None, None, None))


# Version 0.4


@pytest.mark.parametrize("letters", ["YX", "XTZCY", "ZTYXC"])
def test_version_0_4_has_the_same_pixels_and_metadata_in_zarr_2(
    tmp_path: Path, letters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ome_zarr, "CHUNK", 8)
    # In Zarr 3 the chunks of this array are in shards.
    monkeypatch.setattr(ome_zarr, "_MOST_FILES", 1)
    image = random_image(letters)
    ndim = image.ndim - int(parse_axes(letters, image.shape).rgb)
    place = StorePlace("cells", (0.2,) * ndim, (3.0,) * ndim, (None,) * ndim)
    write(tmp_path / "new.zarr", image, letters, place)
    write(tmp_path / "old.zarr", image, letters, replace(place, version="0.4"))
    assert not list((tmp_path / "old.zarr").rglob("zarr.json"))
    new, old = (open_store(tmp_path / name) for name in ("new.zarr", "old.zarr"))
    assert new is not None
    assert old is not None
    assert len(new.levels) == len(old.levels) == 3
    for finer, coarser in zip(new.levels, old.levels, strict=True):
        assert np.array_equal(finer[...], coarser[...])
    assert (new.place, new.axes) == (old.place, old.axes)
    before, after = attributes_of(tmp_path / "old.zarr"), attributes_of(tmp_path / "new.zarr")
    assert before["napari_sr"] == after["napari_sr"]
    assert before["multiscales"][0].pop("version") == "0.4"
    assert before["multiscales"] == after["ome"]["multiscales"]
    if letters.endswith("C"):
        assert before["omero"] == {**after["ome"]["omero"], "version": "0.4"}


def test_arrays_of_version_0_4_are_read_by_programs_with_zarr_2(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr", random_image("ZYX"), "ZYX", StorePlace(version="0.4"))
    assert json.loads((tmp_path / "a.zarr" / ".zgroup").read_text()) == {"zarr_format": 2}
    metadata = json.loads((tmp_path / "a.zarr" / "0" / ".zarray").read_text())
    assert (metadata["dimension_separator"], metadata["dtype"], metadata["chunks"]) == ("/", "<u2", [1, 19, 13])
    # Zstandard came with later readers.
    assert (metadata["compressor"]["id"], metadata["compressor"]["cname"]) == ("blosc", "lz4")
    assert sorted(path.relative_to(tmp_path / "a.zarr" / "0").as_posix() for path in chunk_files(tmp_path)) == [
        f"{z}/0/0" for z in range(4)
    ]


def chunk_files(folder: Path) -> list[Path]:
    return [path for path in (folder / "a.zarr" / "0").rglob("*") if path.is_file() and path.name[0] != "."]


def test_an_unfinished_store_of_another_version_is_not_continued(tmp_path: Path) -> None:
    for version in ("0.5", "0.4"):
        group = zarr.create_group(tmp_path / version, zarr_format=StorePlace(version=version).zarr_format)
        group.create_array("0", shape=(8, 8), dtype=np.uint8)
        (tmp_path / version / ome_zarr._FINISHED).touch()
    for version, zarr_format in (("0.5", 3), ("0.4", 2)):
        for wanted in (3, 2):
            _, finest = ome_zarr._open_unfinished(tmp_path / version, (8, 8), np.dtype(np.uint8), wanted)
            assert (finest is not None) == (wanted == zarr_format)


# Levels


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.bool_])
@pytest.mark.parametrize("letters", ["YX", "XY", "ZYX", "YXC"])
def test_levels_keep_dtype_and_axes(tmp_path: Path, dtype: Any, letters: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome_zarr, "CHUNK", 8)
    write(tmp_path / "a.zarr", random_image(letters, dtype), letters)
    store = open_store(tmp_path / "a.zarr")
    assert store is not None
    axes = store.axes
    assert axes.letters == letters
    assert [level.dtype for level in store.levels] == [np.dtype(dtype)] * 3
    assert [level.shape[axes.y] for level in store.levels] == [19, 10, 5]
    assert [level.shape[axes.x] for level in store.levels] == [13, 7, 4]


def test_each_level_is_the_average_of_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome_zarr, "CHUNK", 16)
    image = np.random.default_rng(0).integers(0, 4000, (2, 42, 66), np.uint16)
    write(tmp_path / "a.zarr", image, "ZYX", StorePlace("a", (0.3, 0.05, 0.05), (1.0, 2.0, 3.0), ("micrometer",) * 3))
    store = open_store(tmp_path / "a.zarr")
    assert store is not None
    levels = [level[...] for level in store.levels]
    assert [level.shape for level in levels] == [(2, 42, 66), (2, 21, 33), (2, 11, 17), (2, 6, 9)]
    assert np.abs(levels[1] - image.reshape(2, 21, 2, 33, 2).mean(axis=(2, 4))).max() <= 0.5
    # The last row and column of an odd length count twice.
    assert levels[2][0, -1, -1] == levels[1][0, -1, -1]
    datasets = attributes_of(tmp_path / "a.zarr")["ome"]["multiscales"][0]["datasets"]
    assert [dataset["path"] for dataset in datasets] == ["0", "1", "2", "3"]
    # The center of the first coarse pixel is the center of 8 x 8 fine ones.
    scale, translation = datasets[3]["coordinateTransformations"]
    assert scale["scale"] == pytest.approx([0.3, 0.4, 0.4])
    assert translation["translation"] == pytest.approx([1, 2 + 3.5 * 0.05, 3 + 3.5 * 0.05])


@pytest.mark.parametrize(
    ("letters", "shape", "chunks"),
    [
        ("YX", (40, 30), (40, 30)),
        ("YX", (5000, 3000), (1024, 1024)),
        ("CZYX", (2, 3, 2048, 1500), (1, 1, 1024, 1024)),
        ("YXC", (3000, 3000, 3), (1024, 1024, 1)),
        ("XZY", (10, 40, 12), (10, 1, 12)),
    ],
    ids=str,
)
def test_a_chunk_is_a_part_of_one_plane(
    letters: str, shape: tuple[int, ...], chunks: tuple[int, ...], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="only the chunks"):
        with new_store(tmp_path / "a.zarr", parse_axes(letters, shape), np.uint8, StorePlace()) as finest:
            assert finest.files == chunks
            raise ValueError("only the chunks")


# Atomic writing


def test_a_store_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    with new_store(path, parse_axes("YX", (4, 5)), np.uint8, StorePlace()) as finest:
        finest[...] = 1
        assert not path.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


def test_after_an_error_nothing_remains(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        with new_store(tmp_path / "a.zarr", parse_axes("YX", (4, 5)), np.uint8, StorePlace()):
            raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_the_coarser_levels_can_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome_zarr, "CHUNK", 16)
    with pytest.raises(Cancelled):
        write(tmp_path / "a.zarr", np.zeros((40, 40), np.uint8), "YX", cancel=lambda: True)
    assert not list(tmp_path.iterdir())


def test_an_existing_store_is_replaced_only_with_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write(path, np.full((4, 5), 1, np.uint8), "YX")
    with pytest.raises(InputError, match=r"a\.zarr exists already: choose another name, or delete it first") as caught:
        write(path, np.full((4, 5), 2, np.uint8), "YX")
    assert "\n" not in str(caught.value)
    assert zarr.open_group(path, mode="r")["0"][0, 0] == 1
    write(path, np.full((6, 7), 3, np.uint8), "YX", overwrite=True)
    assert zarr.open_group(path, mode="r")["0"].shape == (6, 7)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


def test_a_failed_replacement_keeps_the_old_store(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write(path, np.full((4, 5), 1, np.uint8), "YX")
    with pytest.raises(ZeroDivisionError):
        with new_store(path, parse_axes("YX", (4, 5)), np.uint8, StorePlace(), overwrite=True):
            raise ZeroDivisionError
    assert zarr.open_group(path, mode="r")["0"][0, 0] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


def test_a_missing_folder_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no folder .*missing to write a\.zarr in: create it first"):
        write(tmp_path / "missing" / "a.zarr", np.zeros((4, 5), np.uint8), "YX")
    assert not list(tmp_path.iterdir())


def test_opening_restores_a_store_whose_replacement_was_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write(path, np.full((4, 5), 7, np.uint8), "YX")
    path.rename(temporary_name(path).with_suffix(OLD))
    store = open_store(path)
    assert store is not None
    assert store.levels[0][0, 0] == 7
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


# Reading, also after other programs have changed them

PLACE = StorePlace("cells", (0.3, 0.1, 0.1), (1.0, 2.0, 3.0), ("micrometer",) * 3)


def change(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Change the attributes of OME-Zarr as another program does, which copies all others."""
    group = zarr.open_group(path, mode="r+")
    attributes = group.attrs.asdict()
    edit(attributes.get("ome", attributes))
    group.attrs.update(attributes)


def steps_of(ome: dict[str, Any]) -> Any:
    return [step[step["type"]] for step in ome["multiscales"][0]["datasets"][0]["coordinateTransformations"]]


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize(
    "letters", ["YX", "XY", "ZYX", "ZXY", "CYX", "YCX", "YXC", "ZYXC", "TZYXC", "XTY", "XTZCY", "TCZYX"]
)
def test_what_is_written_is_read(tmp_path: Path, letters: str, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome_zarr, "CHUNK", 8)
    image = random_image(letters, np.uint8)
    axes = parse_axes(letters, image.shape)
    own = letters[:-1] if axes.rgb else letters
    rng = np.random.default_rng(len(letters))
    for units, signs in product((["micrometer"] * 3, ["nanometer", "millimeter", "micrometer"]), (1.0, -1.0)):
        unit: dict[str, str | None] = {"C": None, "T": "millisecond", **dict(zip("ZYX", units, strict=True))}
        scale = {letter: float(rng.uniform(0.1, 3)) * (signs if letter == "Y" else 1.0) for letter in own}
        start = {letter: float(rng.uniform(-9, 9)) for letter in own}
        channels = [
            {"label": "a", "window": {"start": 3.0, "end": 9.0, "min": 3.0, "max": 9.0}},
            {},
            {"color": "FFFFFF"},
        ]
        place = StorePlace(
            "cells",
            tuple(scale.values()),
            tuple(start.values()),
            tuple(unit[letter] for letter in own),
            channels if "C" in own else (),
            version,
        )
        write(tmp_path / "a.zarr", image, letters, place, overwrite=True)
        store = open_store(tmp_path / "a.zarr")
        assert store is not None
        assert (store.axes, len(store.levels)) == (axes, 3)
        assert store.place == replace(place, channels=(), version="0.5")
        assert np.array_equal(store.levels[0][...], image)
        found = read_image(tmp_path / "a.zarr")
        assert (found.axes, found.name) == (letters, "cells")
        assert np.array_equal(found.data[...], image)
        ratios = {letter: ratio(unit[letter], found.unit) for letter in "ZYX"}
        spatial = [letter for letter in own if letter in "ZYX"]
        assert found.unit == unit["X"]
        assert found.pixel_size == pytest.approx({x: abs(scale[x]) * (ratios[x] or 0.0) for x in spatial})
        there = [letter for letter in spatial if scale[letter] > 0]
        assert found.origin == pytest.approx({x: start[x] * (ratios[x] or 0.0) for x in there})
        assert found.time_interval == (pytest.approx(scale["T"] / 1000) if "T" in letters else None)
        assert found.channels == ()
        assert found.colors == ((None, None, (255, 255, 255)) if "C" in own else ())
        assert found.limits == (((3.0, 9.0), None, None) if "C" in own else ())


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize("letters", ["ZYX", "XZY", "ZYXC"])
def test_a_corrected_pixel_size_unit_and_name_are_read(tmp_path: Path, letters: str, version: str) -> None:
    spatial = letters.removesuffix("C")
    values = dict(zip("ZYX", zip(PLACE.scale, PLACE.translate, strict=True), strict=True))
    scale, shift = zip(*(values[letter] for letter in spatial), strict=True)
    image = random_image(letters)
    write(tmp_path / "a.zarr", image, letters, StorePlace("cells", scale, shift, (None,) * 3, version=version))

    def correct(ome: dict[str, Any]) -> None:
        steps_of(ome)[0][-2:] = [0.325, 0.5]
        steps_of(ome)[1][-1] = 7.0
        for axis in ome["multiscales"][0]["axes"][-3:]:
            axis["unit"] = "nanometer"
        ome["multiscales"][0]["name"] = "better"

    change(tmp_path / "a.zarr", correct)
    found, store = read_image(tmp_path / "a.zarr"), open_store(tmp_path / "a.zarr")
    assert store is not None
    assert (found.axes, found.name, store.place.name) == (letters, "better", "better")
    assert (found.pixel_size, found.unit) == ({"Z": 0.3, "Y": 0.325, "X": 0.5}, "nanometer")
    assert found.origin == {"Z": 1.0, "Y": 2.0, "X": 7.0}
    assert np.array_equal(found.data[...], image)
    sizes = {"Z": 0.3, "Y": 0.325, "X": 0.5}
    assert dict(zip(spatial, store.place.scale, strict=True)) == sizes
    assert dict(zip(spatial, store.place.translate, strict=True)) == {"Z": 1.0, "Y": 2.0, "X": 7.0}
    assert store.place.units == ("nanometer",) * 3


def test_a_unit_that_was_removed_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr", random_image("ZYX"), "ZYX", PLACE)
    change(tmp_path / "a.zarr", lambda ome: [axis.pop("unit") for axis in ome["multiscales"][0]["axes"]])
    assert read_image(tmp_path / "a.zarr").unit is None


def test_the_scale_of_a_result_without_pixel_size_is_relative_until_it_is_corrected(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr", random_image("ZYX"), "ZYX", StorePlace("a", (1.0, 0.5, 0.5), (0.0, -0.25, -0.25)))
    found = read_image(tmp_path / "a.zarr")
    assert (found.pixel_size, found.unit, found.origin) == ({}, None, {})
    change(tmp_path / "a.zarr", lambda ome: steps_of(ome)[0].__setitem__(slice(-2, None), [0.325, 0.325]))
    found = read_image(tmp_path / "a.zarr")
    assert (found.pixel_size, found.unit) == ({"Y": 0.325, "X": 0.325}, None)


def test_a_pixel_size_without_a_unit_is_told_from_a_relative_scale(tmp_path: Path) -> None:
    place = StorePlace("a", (1.0, 1.0, 1.0), (0.0, 0.5, 0.25), unitless="YX")
    write(tmp_path / "a.zarr", random_image("ZYX"), "ZYX", place)
    found = read_image(tmp_path / "a.zarr")
    assert (found.pixel_size, found.unit, found.origin) == ({"Y": 1.0, "X": 1.0}, None, {"Y": 0.5, "X": 0.25})


def test_a_unit_that_ome_zarr_cannot_contain_is_that_of_the_layer(tmp_path: Path) -> None:
    place = replace(PLACE, units=("micrometer", "parsec", None))
    write(tmp_path / "a.zarr", random_image("ZYX"), "ZYX", place)
    store = open_store(tmp_path / "a.zarr")
    assert store is not None
    assert store.place == place


def test_a_crop_by_another_program_is_read_in_its_place(tmp_path: Path) -> None:
    image = random_image("ZYXC")
    write(tmp_path / "a.zarr", image, "ZYXC", PLACE)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    crop = zarr.create_group(tmp_path / "b.zarr", attributes=group.attrs.asdict())
    crop.create_array("0", data=group["0"][:, :, 5:, 3:])
    change(tmp_path / "b.zarr", lambda ome: steps_of(ome)[1].__setitem__(slice(-2, None), [2.5, 3.3]))
    found = read_image(tmp_path / "b.zarr")
    assert found.axes == "ZYXC"
    assert np.array_equal(found.data[...], image[:, 5:, 3:])
    assert found.origin == {"Z": 1.0, "Y": 2.5, "X": 3.3}


def test_an_image_without_an_axis_of_the_result_is_read_as_it_is_described(tmp_path: Path) -> None:
    image = random_image("ZYXC")
    write(tmp_path / "a.zarr", image, "ZYXC", PLACE)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    plane = zarr.create_group(tmp_path / "b.zarr", attributes=group.attrs.asdict())
    plane.create_array("0", data=group["0"][:, 2])

    def without_z(ome: dict[str, Any]) -> None:
        del ome["multiscales"][0]["axes"][1]
        for values in steps_of(ome):
            del values[1]

    change(tmp_path / "b.zarr", without_z)
    found = read_image(tmp_path / "b.zarr")
    assert found.axes == "CYX"
    assert np.array_equal(found.data[...], np.moveaxis(image[2], -1, 0))
    assert (found.pixel_size, found.origin) == ({"Y": 0.1, "X": 0.1}, {"Y": 2.0, "X": 3.0})
    assert open_store(tmp_path / "b.zarr") is None


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_levels_are_found_by_their_paths(tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome_zarr, "CHUNK", 8)
    image = random_image("YXC")
    write(tmp_path / "a.zarr", image, "YXC", StorePlace(version=version))
    for level in range(3):
        (tmp_path / "a.zarr" / str(level)).rename(tmp_path / "a.zarr" / f"s{level}")

    def rename(ome: dict[str, Any]) -> None:
        for level, described in enumerate(ome["multiscales"][0]["datasets"]):
            described["path"] = f"s{level}"

    change(tmp_path / "a.zarr", rename)
    store = open_store(tmp_path / "a.zarr")
    assert store is not None
    assert [level.shape for level in store.levels] == [(19, 13, 3), (10, 7, 3), (5, 4, 3)]
    assert np.array_equal(store.levels[0][...], image)
    assert np.array_equal(read_image(tmp_path / "a.zarr").data[...], image)


def test_a_store_without_its_finest_level_is_refused_and_one_without_a_coarse_level_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ome_zarr, "CHUNK", 8)
    write(tmp_path / "a.zarr", random_image("YX"), "YX")
    shutil.rmtree(tmp_path / "a.zarr" / "1")
    store = open_store(tmp_path / "a.zarr")
    assert store is not None
    assert [level.shape for level in store.levels] == [(19, 13), (5, 4)]
    shutil.rmtree(tmp_path / "a.zarr" / "0")
    for read in (open_store, read_image):
        with pytest.raises(InputError, match=r"a\.zarr has no array 0, which it declares: copy it again"):
            read(tmp_path / "a.zarr")


@pytest.mark.parametrize("letters", ["ZYX", "XCY", "ZYXC"])
def test_a_store_without_the_attributes_of_ome_zarr_is_read_by_those_of_napari_sr(tmp_path: Path, letters: str) -> None:
    image = random_image(letters)
    ndim = image.ndim - int(parse_axes(letters, image.shape).rgb)
    place = StorePlace("cells", (0.2,) * ndim, (3.0,) * ndim, ("micrometer",) * ndim)
    write(tmp_path / "a.zarr", image, letters, place)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r+")
    del group.attrs["ome"]
    store, found = open_store(tmp_path / "a.zarr"), read_image(tmp_path / "a.zarr")
    assert store is not None
    assert store.place == place
    assert np.array_equal(found.data[...], image)
    assert set(found.pixel_size.values()) == {0.2}
    assert set(found.origin.values()) == {3.0}


def test_corrected_channels_are_read_and_defaults_are_not(tmp_path: Path) -> None:
    channels = [{"label": "a", "color": "FF0000"}, {"label": "b"}, {"label": "c", "color": "FFFFFF"}]
    place = StorePlace("cells", channels=channels)
    write(tmp_path / "a.zarr", random_image("CYX"), "CYX", place)
    found = read_image(tmp_path / "a.zarr")
    assert (found.channels, found.limits) == (("a", "b", "c"), ())
    assert found.colors == ((255, 0, 0), None, (255, 255, 255))

    def correct(ome: dict[str, Any]) -> None:
        red, gray, _ = ome["omero"]["channels"]
        red |= {"label": "A", "color": "00FF00"}
        gray["window"] = {"min": 0, "max": 65535, "start": 5, "end": 50}

    change(tmp_path / "a.zarr", correct)
    found = read_image(tmp_path / "a.zarr")
    assert found.channels == ("A", "b", "c")
    assert found.colors == ((0, 255, 0), None, (255, 255, 255))
    assert found.limits == (None, (5.0, 50.0), None)
    change(tmp_path / "a.zarr", lambda ome: ome["omero"].pop("channels"))
    assert read_image(tmp_path / "a.zarr").channels == ("a", "b", "c")


def test_a_result_that_was_converted_to_an_unknown_version_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr", random_image("YX"), "YX")
    change(tmp_path / "a.zarr", lambda ome: ome.update(version="0.6"))
    for read in (open_store, read_image):
        with pytest.raises(InputError, match=r"a\.zarr is OME-Zarr 0\.6, which is not read"):
            read(tmp_path / "a.zarr")


# Stores of earlier versions


@pytest.mark.parametrize(
    ("name", "result", "letters", "place"),
    [
        (
            "command.ome.zarr",
            "result.npy",
            "YX",
            StorePlace("command.ome.zarr", (0.1, 0.1), (0.0, 0.0), ("micrometer",) * 2),
        ),
        ("command.zarr", "result.npy", "YX", StorePlace("command", (0.1, 0.1), (0.0, 0.0), ("micrometer",) * 2)),
        (
            "layer.ome.zarr",
            "result.npy",
            "YX",
            StorePlace("cells · SRCNN x2 a=0.00", (0.1, 0.1), (2.95, 4.95), ("micrometer",) * 2),
        ),
        (
            "rgb.ome.zarr",
            "rgb_result.npy",
            "YXC",
            StorePlace("rgb · SRCNN x2 a=0.00", (0.1, 0.1), (-0.05, -0.05), ("micrometer",) * 2),
        ),
    ],
)
def test_stores_of_earlier_versions_are_opened(name: str, result: str, letters: str, place: StorePlace) -> None:
    store = open_store(FIXTURES / name)
    assert store is not None
    assert (store.axes.letters, len(store.levels)) == (letters, 1)
    assert store.place == place
    expected = np.load(FIXTURES / result)
    assert (store.levels[0].shape, store.levels[0].dtype) == (expected.shape, expected.dtype)
    assert np.array_equal(store.levels[0][...], expected)


def test_a_plain_array_of_an_earlier_version_is_left_to_zarr() -> None:
    assert open_store(FIXTURES / "plain.zarr") is None
    array = zarr.open_array(FIXTURES / "plain.zarr", mode="r")
    assert np.array_equal(array[...], np.load(FIXTURES / "result.npy"))


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"attributes": 3}', '{"attributes": {"napari_sr": 1}}'])
def test_other_folders_are_not_stores(tmp_path: Path, content: str | None) -> None:
    folder = tmp_path / "a.zarr"
    folder.mkdir()
    if content is not None:
        (folder / "zarr.json").write_text(content)
    assert open_store(folder) is None
    (folder / ".zattrs").write_text("[" * 100_000)
    assert open_store(folder) is None
    assert open_store(tmp_path / "missing.zarr") is None
