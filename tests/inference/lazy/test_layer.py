"""A lazy layer lies where its source lies, and computes the pixels that napari displays at full resolution alone."""

from typing import Any

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Layer

import napari_sr as sr
from napari_sr.errors import InputError
from tests.inference.small_models import rrdb
from tests.inference.test_layer import world_box

GRAY, COLOR = rrdb(2, 1), rrdb(2)

pytestmark = pytest.mark.filterwarnings("ignore:Chunks of")


def source(shape: tuple[int, ...] = (40, 50), **kwargs: Any) -> Image:
    image = np.random.default_rng(1).integers(0, 4000, shape, np.uint16)
    pose = {"scale": (0.4, 0.3), "translate": (5, 6), "rotate": 10, "shear": [0.2]} if len(shape) == 2 else {}
    return Image(da.from_array(image, chunks=20), name="plate", contrast_limits=(10, 3000), **(pose | kwargs))


def test_the_finest_level_is_the_result_and_the_others_are_the_source():
    layer = source()
    data, kwargs, kind = sr.upscale_layer(layer, GRAY, lazy=True, device="cpu")
    whole = sr.upscale_layer(layer, GRAY, device="cpu")
    assert (kind, kwargs["multiscale"]) == ("image", True)
    assert isinstance(data[0], da.Array)
    assert np.abs(data[0].compute().astype(int) - whole[0]).max() <= 1
    assert data[1:] == [layer.data]
    lazy = Layer.create(data, kwargs, kind)
    assert np.allclose(world_box(lazy), world_box(Layer.create(*whole)))
    assert lazy.name == whole[1]["name"]
    assert list(lazy.contrast_limits) == [10, 3000]
    assert lazy.downsample_factors.tolist() == [[1, 1], [2, 2]]


def test_the_levels_of_a_multiscale_layer_are_kept():
    fine = np.random.default_rng(2).integers(0, 255, (64, 48), np.uint8)
    layer = Image([fine, fine[::2, ::2], fine[::4, ::4]], multiscale=True, contrast_limits=(0, 255))
    data, _, _ = sr.upscale_layer(layer, GRAY, lazy=True, device="cpu")
    assert [level.shape for level in data] == [(128, 96), (64, 48), (32, 24), (16, 12)]


# The fixture sets napari's settings back: layers are sliced at once.
@pytest.mark.usefixtures("make_napari_viewer_proxy")
def test_nothing_is_computed_for_a_view_in_which_the_source_has_pixels_enough(monkeypatch):
    computed = []
    run_region = sr.Job.run_region

    def counted(self: Any, image: Any, region: Any, **kwargs: Any) -> Any:
        computed.append(region.ranges)
        return run_region(self, image, region, **kwargs)

    monkeypatch.setattr(sr.Job, "run_region", counted)
    lazy = Layer.create(*sr.upscale_layer(source(), GRAY, lazy=True, device="cpu"))
    viewer = ViewerModel()
    viewer.add_layer(lazy)
    assert lazy.data_level == 1
    assert lazy.get_status((6, 7)) is not None
    assert computed == []
    # As the canvas calls it: a view of the corner, in which a pixel of the source has four of the screen.
    lazy._update_draw(scale_factor=0.1, corner_pixels_displayed=np.array([[5, 6], [8, 8]]), shape_threshold=(40, 40))
    assert lazy.data_level == 0
    assert set(computed) == {((0, 20), (0, 20))}


def test_a_result_that_is_smaller_than_its_source_has_one_level():
    data, kwargs, _ = sr.upscale_layer(source(), GRAY, lazy=True, target=0.6, device="cpu")
    assert (data.shape, kwargs["multiscale"]) == ((24, 30), False)


def test_a_color_stack_is_a_lazy_layer():
    colors = np.random.default_rng(3).integers(0, 255, (2, 30, 40, 3), np.uint8)
    layer = Image(da.from_array(colors, chunks=(1, 30, 40, 1)), rgb=True)
    lazy = Layer.create(*sr.upscale_layer(layer, COLOR, lazy=True, device="cpu"))
    assert (lazy.rgb, [level.shape for level in lazy.data]) == (True, [(2, 60, 80, 3), (2, 30, 40, 3)])


def test_a_lazy_layer_tells_how_it_is_made():
    facts = sr.upscale_layer(source(), GRAY, lazy=True, device="cpu")[1]["metadata"]["napari_sr"]
    assert facts["source"]["name"] == "plate"
    assert facts["job"]["device"] == "cpu"
    assert "sr.upscale_lazy(" in facts["script"]


def test_contrast_limits_are_black_and_white():
    layer = source()
    given = {"intensity": "contrast", "device": "cpu"}
    lazy = sr.upscale_layer(layer, GRAY, lazy=True, **given)[0][0].compute()
    assert np.abs(lazy.astype(int) - sr.upscale_layer(layer, GRAY, **given)[0]).max() <= 1


@pytest.mark.filterwarnings("default:Chunks of")
def test_small_chunks_are_told_to_the_caller():
    with pytest.warns(da.PerformanceWarning, match="Chunks of 20 x 20 pixels") as told:
        sr.upscale_layer(source((400, 400)), GRAY, lazy=True, device="cpu")
    assert told[0].filename == __file__


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"part": sr.Part(rows=(3, 20))}, "leave out the part"),
        ({"out": "a.ome.zarr"}, "leave out the path of the store"),
        ({"tiling": "overlap"}, "tiles overlap: choose the tiling exact"),
        ({"lazy": 3}, "lazy"),
    ],
)
def test_what_does_not_fit_a_lazy_layer_is_refused(given, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        sr.upscale_layer(source(), GRAY, **({"lazy": True, "device": "cpu"} | given))
    assert list(tmp_path.iterdir()) == []
