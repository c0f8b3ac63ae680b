"""The chunks of a lazy result are the parts of the whole result."""

import pickle
import subprocess
import sys
import warnings
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import napari_sr as sr
from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.as_image import as_image
from napari_sr.imaging.axes import Axes, parse_axes
from napari_sr.inference import halo_cost
from napari_sr.inference.compute import network as network_module
from napari_sr.torch_state import ONE_NETWORK
from tests.inference.small_models import identity, rrdb
from tests.inference.test_parts import unshuffling

GRAY, COLOR, LUMA = rrdb(2, 1), rrdb(2), rrdb(3, 1, color="luma")
UNSHUFFLED = unshuffling()
BUNDLED = [entry.name for entry in sr.list_models() if entry.where == "bundled"]

pytestmark = pytest.mark.filterwarnings("ignore:Chunks of")


def picture(shape: tuple[int, ...], dtype: Any, axes: str = "YX", seed: int = 0) -> np.ndarray:
    """A smooth image with noise, in a usual range of its dtype."""
    blur = [2.0 if letter in "YX" else 0.0 for letter in axes]
    values = gaussian_filter(np.random.default_rng(seed).random(shape), blur)
    values = (values - values.min()) / np.ptp(values)
    high = {"u": 255 if np.dtype(dtype) == np.uint8 else 4000, "i": 4000, "f": 1.0}[np.dtype(dtype).kind]
    return (values * high).astype(dtype)


def assert_equal(lazy: Any, whole: np.ndarray) -> None:
    """Integers to one gray level, floats to 1e-5 of the range; shape and dtype as dask announces them."""
    result = lazy.compute()
    assert isinstance(lazy, da.Array)
    assert (lazy.shape, lazy.dtype) == (whole.shape, whole.dtype) == (result.shape, result.dtype)
    if whole.dtype.kind == "f":
        assert np.abs(result - whole).max() <= 1e-5 * np.ptp(whole)
    else:
        assert np.abs(result.astype(np.int64) - whole).max() <= 1


def lengths(total: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Chunks of any sizes, at most two along short axes and three along others."""
    cuts = st.sets(st.integers(1, total - 1), max_size=1 if total < 9 else 2)
    return cuts.map(lambda inner: tuple(np.diff([0, *sorted(inner), total]).tolist()))


@st.composite
def images(draw: Any) -> tuple[da.Array, np.ndarray, str]:
    """An image with axes in any order and chunks of any sizes."""
    inner = draw(st.sampled_from(["YX", "ZYX", "CYX", "CZYX", "TYX"]))
    colors = draw(st.sampled_from([0, 0, 3, 4])) if "C" not in inner else 0
    letters = "".join(draw(st.permutations(inner))) + ("C" if colors else "")
    sizes = {"Y": 21, "X": 27, "Z": 2, "T": 3, "C": colors or 2}
    shape = tuple(sizes[letter] for letter in letters)
    image = picture(shape, draw(st.sampled_from(["u1", "u2", "i2", "f4", "f8"])), letters)
    if colors == 4:
        image[..., 3][image[..., 0] > np.median(image[..., 0])] = 0
    chunks = tuple(draw(lengths(length)) for length in shape)
    return da.from_array(image, chunks=chunks), image, letters


@settings(max_examples=15)
@given(
    data=images(),
    model=st.sampled_from([GRAY, COLOR, LUMA, UNSHUFFLED]),
    target=st.sampled_from([None, None, 1.37, 2.5, 0.6]),
    intensity=st.sampled_from(["auto", "percentile", (0.0, 1.0), (50.0, 200.0)]),
    self_ensemble=st.sampled_from([False, False, True]),
)
def test_a_lazy_result_is_the_result(data, model, target, intensity, self_ensemble):
    lazy, image, axes = data
    # The network of three channels with pixel unshuffle cannot be streamed for gray planes.
    tiling = "none" if model is UNSHUFFLED and not Axes(axes, image.shape).rgb else "exact"
    given: dict[str, Any] = {"target": target, "intensity": intensity, "self_ensemble": self_ensemble}
    given |= {"tiling": tiling, "device": "cpu"}
    assert_equal(sr.upscale_lazy(lazy, model, axes, **given), sr.upscale(image, model, axes, **given))


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_chunks_of_the_bundled_models_end_where_the_margin_ends(name, dtype):
    model = sr.load_model(name)
    # Longer than chunk and margin together, so that no chunk is computed from the whole image.
    length = model.receptive_radius + 40
    image = picture((9, length), dtype)
    lazy = sr.upscale_lazy(da.from_array(image, chunks=((4, 5), (10, length - 10))), name, device="cpu")
    assert_equal(lazy, sr.upscale(image, name, device="cpu"))
    assert not lazy.dask[f"upscaler-{lazy.name}"].calibration.constants


@pytest.mark.parametrize("name", ["esrgan-microscopy-x2", "srcnn-x3", "srgan-compact-x4"])
def test_color_images_and_bundled_models(name):
    image = picture((12, sr.load_model(name).receptive_radius + 30, 3), "u1", "YXC")
    lazy = da.from_array(image, chunks=((12,), (9, image.shape[1] - 9), (1, 2)))
    assert_equal(sr.upscale_lazy(lazy, name, device="cpu"), sr.upscale(image, name, device="cpu"))


@pytest.mark.parametrize(("name", "settings"), [("wiener", {"noise": (0.02, 0.0)}), ("richardson-lucy", {})])
def test_chunks_of_deconvolutions_end_where_their_blur_ends(name, settings):
    model = sr.load_model(name, scale=2)
    image = picture((9, 300), "f4")
    given: dict[str, Any] = settings | {"blur": 1.0, "device": "cpu"}
    lazy = sr.upscale_lazy(da.from_array(image, chunks=((4, 5), (140, 160))), model, **given)
    assert_equal(lazy, sr.upscale(image, model, **given))


def test_one_chunk_reads_its_neighborhood_alone():
    read: list[tuple[int, int]] = []

    def block(block_info: Any = None) -> np.ndarray:
        read.append(block_info[None]["chunk-location"])
        return picture((20, 20), "u1", seed=len(read))

    image = da.map_blocks(block, chunks=((20,) * 5, (20,) * 5), dtype="u1", meta=np.empty((0, 0), "u1"))
    lazy = sr.upscale_lazy(image, GRAY, intensity=(0, 255), device="cpu")
    assert GRAY.receptive_radius <= 20
    assert read == []
    lazy[85:100, 85:90].compute()
    assert sorted(read) == [(row, column) for row in (1, 2, 3) for column in (1, 2, 3)]


def test_black_and_white_are_found_once_for_all_chunks(monkeypatch):
    image = picture((40, 50), "u2")
    image[:20] //= 10
    lazy = sr.upscale_lazy(da.from_array(image, chunks=(20, 25)), GRAY, device="cpu")
    from napari_sr.inference import job

    def not_again(*_: Any, **__: Any) -> None:
        raise AssertionError("calibrated for a chunk")

    monkeypatch.setattr(job, "calibrate", not_again)
    result = lazy.compute()
    monkeypatch.undo()
    assert np.abs(result.astype(int) - sr.upscale(image, GRAY, device="cpu")).max() <= 1
    # Black and white of the upper half alone would give another result.
    alone = sr.upscale(image[:20], GRAY, device="cpu")
    assert np.abs(alone[:20].astype(int) - result[:20]).max() > 1


def test_a_constant_channel_is_copied_in_every_chunk():
    image = np.stack([picture((30, 30), "u2"), np.full((30, 30), 77, np.uint16)])
    lazy = sr.upscale_lazy(da.from_array(image, chunks=(2, 12, 30)), GRAY, "CYX", device="cpu")
    assert (lazy[1].compute() == 77).all()
    assert_equal(lazy, sr.upscale(image, GRAY, "CYX", device="cpu"))


def test_values_far_beyond_white_are_carried_as_in_the_whole_image():
    image = picture((40, 40), "f4")
    image[25, 25] = 1e6
    given: dict[str, Any] = {"intensity": (0, 1), "device": "cpu"}
    whole = sr.upscale(image, GRAY, **given)
    lazy = sr.upscale_lazy(da.from_array(image, chunks=(13, 9)), GRAY, **given).compute()
    far = whole > 100
    assert np.abs(lazy - whole)[~far].max() <= 1e-3
    assert np.allclose(lazy[far], whole[far], rtol=1e-5)


def test_a_lazy_result_can_be_upscaled_again():
    image = picture((22, 26), "u2")
    first = sr.upscale_lazy(da.from_array(image, chunks=(11, 13)), GRAY, device="cpu")
    second = sr.upscale_lazy(first, GRAY, device="cpu")
    whole = sr.upscale(first.compute(), GRAY, device="cpu")
    with dask.config.set(scheduler="threads", num_workers=4):
        assert_equal(second, whole)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_one_network_works_at_a_time(scheduler, monkeypatch):
    inside = [0]
    run_region = sr.Job.run_region

    def alone(self: Any, *args: Any, **kwargs: Any) -> Any:
        inside[0] += 1
        assert inside == [1]
        result = run_region(self, *args, **kwargs)
        inside[0] -= 1
        return result

    monkeypatch.setattr(sr.Job, "run_region", alone)
    image = picture((48, 48), "u1")
    lazy = sr.upscale_lazy(da.from_array(image, chunks=8), GRAY, device="cpu")
    with dask.config.set(scheduler=scheduler, num_workers=8):
        assert lazy.compute().shape == (96, 96)


def test_a_failed_chunk_releases_the_network():
    image = picture((20, 20), "f4")
    image[2, 2] = np.nan
    lazy = sr.upscale_lazy(da.from_array(image, chunks=10), GRAY, intensity=(0, 1), device="cpu")
    with pytest.raises(InputError, match="1 NaN"):
        # With threads another chunk could be in the network still.
        lazy[:4].compute(scheduler="synchronous")
    assert not ONE_NETWORK.locked()


@pytest.mark.parametrize(
    ("wrap", "chunks"),
    [
        (np.asarray, ((1, 1, 1), (40,), (44,))),
        (lambda stack: zarr.array(stack, chunks=(1, 8, 8)), ((1, 1, 1), (40,), (44,))),
        (lambda stack: xarray.DataArray(da.from_array(stack, chunks=(3, 20, 22)), dims=("z", "y", "x")), None),
        (lambda stack: as_image(stack, "ZYX"), ((1, 1, 1), (40,), (44,))),
        (lambda stack: da.from_array(stack, chunks=(3, 20, 22)), ((3,), (40, 40), (44, 44))),
        (lambda stack: da.from_array(stack, chunks=((0, 3), (0, 20), (22,))), ((3,), (40,), (44,))),
    ],
)
def test_every_kind_of_array_is_upscaled(wrap, chunks):
    stack = picture((3, 20, 22), "u1", "ZYX")
    small = ((3,), (40,), (44,)) if chunks is None else chunks
    lazy = sr.upscale_lazy(wrap(stack), GRAY, device="cpu")
    if len(small[1]) == 1:
        assert lazy.chunks == small
    assert_equal(lazy, sr.upscale(stack, GRAY, "ZYX", device="cpu"))


def test_a_tiff_is_read_where_it_is_needed(tmp_path):
    image = picture((2, 64, 48), "u2", "ZYX")
    sr.write_image(tmp_path / "a.ome.tif", image, axes="ZYX")
    read = sr.read_image(tmp_path / "a.ome.tif", lazy=True)
    assert_equal(sr.upscale_lazy(read, GRAY, device="cpu"), sr.upscale(image, GRAY, "ZYX", device="cpu"))


def test_a_pixel_size_is_a_target():
    image = picture((30, 30), "u1")
    given: dict[str, Any] = {"target": "40 nm", "pixel_size": {"Y": 0.1, "X": 0.1}, "unit": "um", "device": "cpu"}
    lazy = sr.upscale_lazy(da.from_array(image, chunks=(9, 30)), GRAY, **given)
    assert lazy.shape == (75, 75)
    assert_equal(lazy, sr.upscale(image, GRAY, **given))


def test_the_suggested_model_is_taken():
    image = picture((9, 12), "u1")
    lazy = sr.upscale_lazy(da.from_array(image, chunks=(9, 12)), "auto", device="cpu")
    assert_equal(lazy, sr.upscale(image, "auto", device="cpu"))


def test_small_chunks_are_told_before_anything_is_computed():
    image = da.zeros((300, 400), chunks=(50, 40), dtype="u1")
    with pytest.warns(da.PerformanceWarning, match=r"Chunks of 50 x 40 pixels .* image\.rechunk\(") as told:
        sr.upscale_lazy(image, GRAY, intensity=(0, 255), device="cpu")
    assert told[0].filename == __file__
    cost = halo_cost(image, GRAY)
    assert str(told[0].message) == cost.sentence()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = image.rechunk(dict(zip(cost.dimensions, cost.advised, strict=True)))
        sr.upscale_lazy(again, GRAY, intensity=(0, 255), device="cpu")


def test_missing_pixels_of_floats_are_not_filled():
    image = da.from_array(picture((9, 9), "f4"), chunks=9)
    with pytest.raises(InputError, match="nearest other ones, which may be in any chunk: fill them before"):
        sr.upscale_lazy(image, GRAY, missing="fill")


def test_integers_are_never_missing():
    image = picture((20, 20), "u2")
    lazy = sr.upscale_lazy(da.from_array(image, chunks=7), GRAY, missing="fill", intensity=(0, 9), device="cpu")
    assert_equal(lazy, sr.upscale(image, GRAY, intensity=(0, 9), device="cpu"))


def test_missing_pixels_that_are_found_for_black_and_white_are_refused_at_once():
    image = picture((20, 20), "f4")
    image[3, 4] = np.nan
    with pytest.raises(InputError, match="1 NaN"):
        sr.upscale_lazy(da.from_array(image, chunks=10), GRAY)


def test_overlapping_tiles_are_refused():
    with pytest.raises(InputError, match="tiles overlap: choose the tiling exact"):
        sr.upscale_lazy(np.zeros((9, 9)), GRAY, tiling="overlap")


def test_the_calibration_can_be_cancelled():
    with pytest.raises(Cancelled):
        sr.upscale_lazy(picture((9, 9), "u2"), GRAY, cancel=lambda: True)


def test_without_dask_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "dask"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(InputError, match=r'dask is not installed.*pip install "napari-sr\[lazy\]"'):
        sr.upscale_lazy(np.zeros((9, 9), np.uint8), GRAY)


def test_dask_is_loaded_by_the_call_alone():
    code = "import sys, napari_sr; napari_sr.upscale_lazy; assert 'torch' in sys.modules and 'dask' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_task_can_be_sent_to_another_process():
    image = picture((30, 30), "u2")
    lazy = sr.upscale_lazy(da.from_array(image, chunks=15), identity(1, "gray"), device="cpu")
    sent = pickle.loads(pickle.dumps(dict(lazy.dask)))
    again = da.Array(sent, lazy.name, lazy.chunks, lazy.dtype)
    assert np.array_equal(again.compute(), image)


@pytest.mark.slow
def test_chunks_are_computed_in_other_processes():
    image = picture((30, 30), "u2")
    lazy = sr.upscale_lazy(da.from_array(image, chunks=15), GRAY, device="cpu")
    with dask.config.set(scheduler="processes", num_workers=2):
        assert_equal(lazy, sr.upscale(image, GRAY, device="cpu"))


def test_the_weights_are_one_node_of_the_graph():
    image = da.zeros((60, 60), chunks=10, dtype="u1")
    lazy = sr.upscale_lazy(image, GRAY, intensity=(0, 255), device="cpu")
    alone = len(pickle.dumps(lazy.dask[f"upscaler-{lazy.name}"]))
    whole = len(pickle.dumps({key: task for key, task in lazy.dask.items() if lazy.name in str(key)}))
    assert whole - alone < alone


def test_chunks_share_one_network_and_have_the_bits_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    build = network_module.network_for
    monkeypatch.setattr(network_module, "network_for", lambda *args: built.append(1) or build(*args))
    image = picture((48, 40), np.uint16)
    lazy = sr.upscale_lazy(da.from_array(image, chunks=(24, 20)), GRAY, device="cpu", intensity=(0, 4000))
    built.clear()
    found = lazy.compute()
    assert built == [1]
    # The lazy result can still be sent to other processes.
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(lazy)).compute(), found)
    job = sr.Job(GRAY, sr.JobSettings(device="cpu", intensity=(0, 4000)))
    calibration, axes = job.calibrate(image, parse_axes("YX", image.shape)), parse_axes("YX", image.shape)
    for rows in ((0, 24), (24, 48)):
        for columns in ((0, 20), (20, 40)):
            alone = job.run_region(
                image, job.region(axes, sr.Part(rows=rows, columns=columns)), calibration=calibration
            )
            np.testing.assert_array_equal(found[2 * rows[0] : 2 * rows[1], 2 * columns[0] : 2 * columns[1]], alone.data)
