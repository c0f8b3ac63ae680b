"""Results of parts of images and layers are parts of the whole result."""

from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image, Layer

from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.axes import Axes, parse_axes
from napari_sr.imaging.files import ImageFile
from napari_sr.imaging.part import Part
from napari_sr.inference import Job, calibrate_layer, prepare_layer, run_layer, upscale, upscale_layer
from napari_sr.networks import RRDBNet
from napari_sr.settings import JobSettings
from tests.inference.small_models import identity, model_of, rrdb
from tests.inference.test_layer import world_box

GRAY, COLOR = rrdb(2, 1), rrdb(2)
SRCNN = identity(3, "rgb")


def unshuffling() -> Any:
    settings = {"scale": 2, "features": 8, "growth": 4, "blocks": 1, "unshuffle": 2}
    return model_of(RRDBNet(**settings), "RRDBNet", settings, color="rgb")


UNSHUFFLED = unshuffling()


def axes_of(image: np.ndarray) -> Axes:
    return parse_axes(None, image.shape)


def spans(length: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, length - 1), st.integers(1, length)).filter(lambda span: span[0] < span[1])


@settings(max_examples=25, deadline=None)
@given(
    rows=st.none() | spans(41),
    columns=st.none() | spans(52),
    target=st.sampled_from([None, None, 1.0, 1.37, 2.5, 3.0, 0.6]),
    model=st.sampled_from([GRAY, COLOR, UNSHUFFLED]),
    rgba=st.booleans(),
)
def test_a_part_is_the_same_part_of_the_whole_result(
    rows: Any, columns: Any, target: float | None, model: Any, rgba: bool
) -> None:
    shape = (41, 52, 4) if rgba else (41, 52)
    image = np.random.default_rng(1).integers(0, 65536, shape, np.uint16)
    job = Job(model, JobSettings(target=target, intensity="dtype", device="cpu"))
    whole = job.run(image).data.astype(int)
    result = job.run(image, part=Part(rows=rows, columns=columns))
    region = job.region(axes_of(image), Part(rows=rows, columns=columns))
    inside = whole[slice(*region.rows.result_range), slice(*region.columns.result_range)]
    assert result.data.shape == inside.shape
    assert np.abs(result.data - inside).max() <= 1


@pytest.mark.parametrize("ensemble", [False, True])
def test_a_part_is_exact_with_pixel_unshuffle_and_self_ensemble(ensemble: bool) -> None:
    image = np.random.default_rng(2).integers(0, 65536, (41, 37, 3), np.uint16)
    job = Job(UNSHUFFLED, JobSettings(self_ensemble=ensemble, intensity="dtype"))
    whole = job.run(image).data.astype(int)
    part = job.run(image, part=Part(rows=(5, 40), columns=(3, 20))).data
    assert np.abs(part - whole[10:80, 6:40]).max() <= 1


def test_the_intensity_of_a_part_is_that_of_the_whole_image() -> None:
    image = np.full((30, 40), 100, np.uint16)
    image[20:, 20:] = 4000
    job = Job(GRAY)
    whole, part = job.run(image), job.run(image, part=Part(rows=(0, 8), columns=(0, 8)))
    assert part.report.intensity == whole.report.intensity
    assert np.abs(part.data.astype(int) - whole.data[:16, :16]).max() <= 1
    assert part.report.part == {"Y": (0, 8), "X": (0, 8)}
    assert whole.report.part is None


def test_given_maps_are_used() -> None:
    image = np.random.default_rng(3).integers(0, 4000, (2, 12, 14), np.uint16)
    job = Job(GRAY)
    calibration = job.calibrate(image, axes_of(image))
    assert np.array_equal(job.run(image, calibration=calibration).data, job.run(image).data)
    # The values are not looked at: other maps are taken as they are.
    assert job.run(
        image, calibration=Job(GRAY, JobSettings(intensity=(0, 9))).calibrate(image, axes_of(image))
    ).report.intensity


def test_an_image_is_calibrated_as_it_is_upscaled() -> None:
    image = np.random.default_rng(3).integers(0, 4000, (2, 12, 14), np.uint16)
    job = Job(GRAY)
    expected = job.calibrate(image, axes_of(image))
    for form, axes in ((image, "ZYX"), (image.tolist(), None), (ImageFile(data=image, axes="ZYX"), None)):
        assert job.calibrate(form, axes).maps == expected.maps
    with pytest.raises(InputError, match='The axes "YX" do not fit'):
        job.calibrate(image, "YX")
    with pytest.raises(InputError, match="is a path, not an image"):
        job.calibrate("cells.tif")


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_one_slice_of_a_stack_with_channels(kind: str) -> None:
    stack = np.random.default_rng(4).integers(0, 4000, (2, 3, 20, 24), np.uint16)
    stack[1] //= 10
    image: Any = {
        "numpy": lambda: stack,
        "dask": lambda: da.from_array(stack, chunks=(1, 1, 8, 8)),
        "zarr": lambda: zarr.array(stack),
    }[kind]()
    whole = Job(GRAY).run(stack, "CZYX")
    part = Job(GRAY).run(image, "CZYX", part=Part(rows=(2, 18), at={"C": 1, "Z": 2}))
    assert part.data.shape == (1, 1, 32, 48)
    assert np.abs(part.data[0, 0].astype(int) - whole.data[1, 2, 4:36]).max() <= 1
    assert part.report.intensity == {"1": whole.report.intensity["1"]}
    assert part.report.planes == 1


def test_a_nan_outside_the_pixels_that_are_read_is_ignored() -> None:
    image = np.random.default_rng(5).random((60, 60), np.float32)
    image[59, 59] = np.nan
    job = Job(GRAY, JobSettings(intensity=(0, 1)))
    assert np.isfinite(job.run(image, part=Part(rows=(0, 10), columns=(0, 10))).data).all()
    with pytest.raises(InputError, match="1 NaN"):
        job.run(image, part=Part(rows=(50, 58), columns=(50, 58)))


@settings(max_examples=20, deadline=None)
@given(rows=spans(9), columns=spans(11), plane=st.integers(0, 2), target=st.sampled_from([None, 1.5, 3.7]))
def test_the_result_of_a_part_covers_that_part_of_the_layer(
    rows: tuple[int, int], columns: tuple[int, int], plane: int, target: float | None
) -> None:
    data = np.random.default_rng(6).integers(0, 4000, (3, 9, 11), np.uint16)
    pose = {"scale": (0.4, 0.2, 0.3), "translate": (5, 6, 7), "rotate": (10, 20, 30), "shear": (0.1, 0.2, 0.3)}
    source = Image(data, **pose)
    part = Part(rows=rows, columns=columns, at={"Z": plane})
    job = Job(GRAY, JobSettings(target=target, intensity="dtype"))
    result = Layer.create(*run_layer(job, prepare_layer(job, source, part=part)).layer_data)
    region = job.region(axes_of(data), part)
    # The pixels of the result that touch the part: where the factor is whole, exactly the part.
    start = (
        plane,
        region.rows.result_range[0] / region.rows.factor,
        region.columns.result_range[0] / region.columns.factor,
    )
    stop = (
        plane + 1,
        region.rows.result_range[1] / region.rows.factor,
        region.columns.result_range[1] / region.columns.factor,
    )
    if target is None:
        assert start[1:] == (rows[0], columns[0])
        assert stop[1:] == (rows[1], columns[1])
    corners = np.stack(np.meshgrid(*np.array([start, stop]).T - 0.5, indexing="ij"), -1).reshape(-1, 3)
    expected = np.array([source.data_to_world(corner) for corner in corners])
    assert np.allclose(world_box(result), expected, atol=1e-9)


def test_maps_of_a_layer_are_chosen_once_for_many_parts() -> None:
    data = np.random.default_rng(7).integers(0, 4000, (30, 40), np.uint16)
    layer = Image(data)
    job = Job(GRAY)
    calibration = calibrate_layer(job, prepare_layer(job, layer))
    part = Part(rows=(3, 20), columns=(5, 30))
    again = run_layer(job, prepare_layer(job, layer, part=part, calibration=calibration))
    assert np.array_equal(again.layer_data[0], upscale_layer(layer, GRAY, part=part)[0])


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"rows": (5, 5)}, "have no pixel"),
        ({"rows": (50, 60)}, "are outside the image, which has 8"),
        ({"at": {"Y": 3}}, "none of T, C and Z"),
        ({"at": {"Z": 3}}, "no planes along Z"),
        ({"margin": -1}, "margin -1"),
        ({"at": {"T": 2}}, "no plane 2 along T, which has 2"),
    ],
)
def test_invalid_parts_are_refused(part: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        upscale(np.zeros((2, 8, 9), np.uint8), GRAY, "TYX", part=Part(**part))


def test_a_smaller_margin_changes_the_outer_pixels_only() -> None:
    image = np.random.default_rng(9).random((80, 80), np.float32)
    job = Job(GRAY, JobSettings(intensity=(0, 1)))
    whole = job.run(image).data[40:120, 40:120]
    part = job.run(image, part=Part(rows=(20, 60), columns=(20, 60), margin=2)).data
    radius = 2 * (GRAY.receptive_radius - 2)
    assert np.allclose(part[radius:-radius, radius:-radius], whole[radius:-radius, radius:-radius], atol=1e-4)
    assert np.abs(part - whole).max() > 1e-3
    assert np.allclose(job.run(image, part=Part(rows=(20, 60), columns=(20, 60), margin=99)).data, whole, atol=1e-4)


def test_choosing_the_maps_can_be_cancelled() -> None:
    image = np.random.default_rng(3).integers(0, 4000, (4, 12, 14), np.uint16)
    calls: list[int] = []

    def cancel() -> bool:
        calls.append(1)
        return len(calls) > 2

    with pytest.raises(Cancelled):
        Job(GRAY).calibrate(image, axes_of(image), cancel=cancel)
    assert len(calls) == 3


def test_a_part_is_clipped_to_the_image() -> None:
    image = np.random.default_rng(8).integers(0, 256, (8, 9), np.uint8)
    assert upscale(image, GRAY, part=Part(rows=(-3, 4), columns=(5, 99))).shape == (8, 8)
