"""Stores are valid by the specifications NGFF 0.5 and 0.4; run by ``tox run -e ngff``, in an environment of its own.

ome-zarr-models validates the metadata and the arrays. ome-zarr, the reference implementation, opens every store.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.common.omero import Omero
from ome_zarr_models.v04 import Image as Image04
from ome_zarr_models.v05 import Image
from pydantic import ValidationError

import napari_sr as sr
from napari_sr.imaging.files import Metadata
from napari_sr.inference.output import ome_zarr

SIZES = {"Z": 0.5, "Y": 0.2, "X": 0.1}
#: Axes of the images, and their shapes.
IMAGES: dict[str, tuple[str, tuple[int, ...]]] = {
    "YX": ("YX", (19, 14)),
    "ZYX": ("ZYX", (3, 19, 14)),
    "TCZYX": ("TCZYX", (2, 2, 3, 9, 8)),
    "CYX": ("CYX", (2, 19, 14)),
    "RGB": ("YXC", (19, 14, 3)),
    "RGBA": ("YXC", (19, 14, 4)),
    "RGB stack": ("ZYXC", (2, 9, 8, 3)),
    "XTY": ("XTY", (14, 2, 19)),
}
LABELS = ["red", "green", "blue", "alpha"]
COLORS = ["FF0000", "00FF00", "0000FF", "FFFFFF"]


def validate(path: Path, version: str = "0.5") -> tuple[Any, Omero | None]:
    """Read a store as ome-zarr-models does, which raises an exception if it is not valid."""
    group = zarr.open_group(path, mode="r")
    attributes = group.attrs.asdict()
    ome = attributes["ome"] if version == "0.5" else attributes
    # The model of the image does not include the key "omero".
    return (Image if version == "0.5" else Image04).from_zarr(group), Omero.model_validate(
        ome["omero"]
    ) if "omero" in ome else None


@pytest.fixture(params=[1024, 16], ids=["one level", "several levels"])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(ome_zarr, "CHUNK", request.param)
    return int(request.param)


@pytest.fixture(params=["0.5", "0.4"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=IMAGES)
def store(request: pytest.FixtureRequest, chunk: int, version: str, tmp_path: Path) -> tuple[Path, str, np.ndarray]:
    """Path of a store, the axes of its image, and the pixels in the axis order of the format."""
    letters, shape = IMAGES[request.param]
    dtype = np.uint8 if letters.endswith("C") else np.uint16
    image = np.random.default_rng(0).integers(0, 256, shape, dtype)
    sizes = {letter: size for letter, size in SIZES.items() if letter in letters}
    result = sr.upscale(
        image,
        "srcnn-x2",
        letters,
        device="cpu",
        pixel_size=sizes,
        unit="um",
        out=tmp_path / "result.ome.zarr",
        ome_zarr=version,
    )
    on_disk = [letter for letter in "TCZYX" if letter in letters]
    return tmp_path / "result.ome.zarr", letters, np.asarray(result[...]).transpose([letters.index(a) for a in on_disk])


def test_ome_zarr_models_validates_metadata_and_arrays(
    store: tuple[Path, str, np.ndarray], chunk: int, version: str
) -> None:
    path, letters, pixels = store
    image, omero = validate(path, version)
    attributes = image.ome_attributes if version == "0.5" else image.attributes
    (multiscale,) = attributes.multiscales
    assert (attributes if version == "0.5" else multiscale).version == version
    assert multiscale.name == "result"
    on_disk = [letter for letter in "TCZYX" if letter in letters]
    assert [axis.name for axis in multiscale.axes] == [letter.lower() for letter in on_disk]
    kinds = {"T": "time", "C": "channel"}
    assert [axis.type for axis in multiscale.axes] == [kinds.get(letter, "space") for letter in on_disk]
    assert [axis.unit for axis in multiscale.axes] == ["micrometer" if a in SIZES else None for a in on_disk]
    factors = {"Y": 2, "X": 2}
    scale, translation = multiscale.datasets[0].coordinateTransformations
    assert scale.scale == pytest.approx([SIZES.get(a, 1.0) / factors.get(a, 1) for a in on_disk])
    # The outer edges of the first pixels of image and result are at the same position.
    assert translation.translation == pytest.approx([-SIZES[a] / 4 if a in factors else 0.0 for a in on_disk])
    assert (len(multiscale.datasets) > 1) == (chunk < max(pixels.shape[-2:]))
    assert (omero is not None) == letters.endswith("C")
    if omero is not None:
        assert [channel.color for channel in omero.channels] == COLORS[: pixels.shape[on_disk.index("C")]]


def test_ome_zarr_opens_the_store(store: tuple[Path, str, np.ndarray], version: str) -> None:
    path, letters, pixels = store
    location = parse_url(path)
    assert location is not None
    assert location.fmt.version == version
    (node,) = Reader(location)()
    assert np.array_equal(node.data[0].compute(), pixels)
    levels = zarr.open_group(path, mode="r")
    assert [level.shape for level in node.data] == [levels[str(n)].shape for n in range(len(node.data))]
    on_disk = [letter for letter in "TCZYX" if letter in letters]
    assert [axis["name"] for axis in node.metadata["axes"]] == [letter.lower() for letter in on_disk]
    if letters.endswith("C"):
        count = pixels.shape[on_disk.index("C")]
        assert node.metadata["channel_names"] == LABELS[:count]
        assert node.metadata["visible"] == [True, True, True, False][:count]


def test_channels_and_time_interval_of_a_file_are_valid(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 2, 9, 8), np.uint16)
    metadata = Metadata(channels=("DAPI", "GFP"), colors=(None, (0, 255, 0)), time_interval=2.5)
    sr.write_image(tmp_path / "source.ome.tif", pixels, "TCYX", metadata=metadata)
    sr.upscale(sr.read_image(tmp_path / "source.ome.tif"), "srcnn-x2", device="cpu", out=tmp_path / "result.zarr")
    image, omero = validate(tmp_path / "result.zarr")
    assert omero is not None
    assert [channel.color for channel in omero.channels] == ["FFFFFF", "00FF00"]
    (multiscale,) = image.ome_attributes.multiscales
    assert multiscale.axes[0].unit == "second"
    assert multiscale.datasets[0].coordinateTransformations[0].scale[0] == 2.5
    location = parse_url(tmp_path / "result.zarr")
    assert location is not None
    (node,) = Reader(location)()
    assert node.metadata["channel_names"] == ["DAPI", "GFP"]


def first_dataset(attributes: Any) -> Any:
    return attributes["ome"]["multiscales"][0]["datasets"][0]


@pytest.mark.parametrize(
    "damage",
    [
        lambda attributes: attributes["ome"]["multiscales"][0]["axes"].reverse(),
        lambda attributes: attributes["ome"]["multiscales"][0]["axes"].pop(),
        lambda attributes: first_dataset(attributes).pop("coordinateTransformations"),
        lambda attributes: first_dataset(attributes)["coordinateTransformations"].reverse(),
        lambda attributes: first_dataset(attributes)["coordinateTransformations"][0]["scale"].pop(),
        lambda attributes: first_dataset(attributes).update(path="missing"),
        lambda attributes: attributes["ome"]["omero"]["channels"][0].pop("window"),
    ],
    ids=[
        "order of axes",
        "missing axis",
        "no transformations",
        "order of transformations",
        "missing scale",
        "missing array",
        "no window",
    ],
)
def test_a_damaged_store_is_not_valid(damage: Any, tmp_path: Path) -> None:
    """The tests above can fail."""
    path = tmp_path / "result.ome.zarr"
    sr.upscale(np.zeros((2, 9, 8, 3), np.uint8), "srcnn-x2", "ZYXC", device="cpu", out=path)
    validate(path)
    damaged = tmp_path / "damaged.ome.zarr"
    shutil.copytree(path, damaged)
    metadata = json.loads((damaged / "zarr.json").read_text(encoding="utf-8"))
    damage(metadata["attributes"])
    (damaged / "zarr.json").write_text(json.dumps(metadata), encoding="utf-8")
    with pytest.raises((ValidationError, ValueError, KeyError)):
        validate(damaged)
