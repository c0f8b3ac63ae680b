"""A displayed result shows the image at once and the result piece by piece, those in the middle of the view first."""

from typing import Any

import numpy as np
import pytest

import napari_sr as sr
from napari_sr.errors import Cancelled
from napari_sr.imaging.axes import parse_axes
from napari_sr.inference.lazy.displayed import TILE, DisplayedResult, Piece
from tests.inference.small_models import rrdb

GRAY, COLOR, LUMA = rrdb(2, 1), rrdb(2), rrdb(3, 1, color="luma")


def picture(shape: tuple[int, ...], dtype: Any = np.uint16) -> np.ndarray:
    high = 255 if dtype == np.uint8 else 4000
    values = np.random.default_rng(0).random(shape)
    return (values if np.dtype(dtype).kind == "f" else values * high).astype(dtype)


def displayed(image: np.ndarray, axes: str, model: Any = GRAY, **more: Any) -> tuple[DisplayedResult, np.ndarray]:
    """A result that is displayed, and the whole result."""
    limit = {"limit": more.pop("limit")} if "limit" in more else {}
    job = sr.Job(model, sr.JobSettings(device="cpu", **more))
    parsed = parse_axes(axes, image.shape)
    calibration = job.calibrate(image, parsed)
    result = DisplayedResult(job, calibration, image, job.region(parsed), **limit)
    return result, job.run(image, axes, calibration=calibration).data


def whole_of(result: DisplayedResult) -> tuple[tuple[int, int], ...]:
    return tuple((0, length) for length in result.axes.shape)


def complete(result: DisplayedResult, side: int = 2) -> int:
    """Compute all pieces of the view, and return their number."""
    count = 0
    while (piece := result.next_piece(side)) is not None:
        result.compute(piece, cancel=lambda: False)
        count += 1
    return count


@pytest.mark.parametrize(
    ("axes", "shape", "dtype", "model", "more"),
    [
        ("YX", (90, 150), np.uint16, GRAY, {}),
        ("XY", (90, 150), np.float32, GRAY, {}),
        ("TCYX", (2, 2, 70, 80), np.uint8, GRAY, {}),
        ("YXC", (80, 90, 5), np.uint16, GRAY, {}),
        ("YXC", (70, 90, 3), np.uint8, COLOR, {}),
        ("ZYXC", (2, 50, 60, 4), np.uint8, LUMA, {}),
        ("YX", (90, 150), np.float32, GRAY, {"target": 1.5}),
        ("YX", (300, 150), np.uint16, GRAY, {"target": 0.5}),
    ],
)
def test_computed_tiles_are_those_of_the_whole_result(axes, shape, dtype, model, more):
    result, whole = displayed(picture(shape, dtype), axes, model, **more)
    ranges = whole_of(result)
    assert result.read(ranges).shape == whole.shape
    assert complete(result, 1) > 1
    seen = result.read(ranges)
    assert seen.dtype == whole.dtype
    tolerance = 1 if np.dtype(dtype).kind == "u" else 1e-5 * np.ptp(whole)
    np.testing.assert_allclose(seen.astype(float), whole.astype(float), rtol=0, atol=tolerance)


def test_a_part_of_the_view_is_read_from_all_tiles_that_it_touches():
    result, whole = displayed(picture((100, 150)), "YX")
    part = (TILE - 10, TILE + 20), (3, TILE + 5)
    result.read(part)
    assert result.missing() == (4, 4)
    complete(result)
    seen = result.read(part)
    assert np.abs(seen.astype(int) - whole[part[0][0] : part[0][1], part[1][0] : part[1][1]]).max() <= 1


def test_missing_tiles_show_the_nearest_pixels_of_the_image():
    image = picture((70, 80, 3), np.uint8)
    result, _ = displayed(image, "YXC", COLOR)
    seen = result.read(((11, 131), (20, 151), (0, 3)))
    np.testing.assert_array_equal(seen, image[np.arange(11, 131) // 2][:, np.arange(20, 151) // 2])


def test_the_caller_is_told_of_missing_tiles_only():
    result, _ = displayed(picture((60, 60)), "YX")
    told = []
    result.on_read = lambda: told.append(result.view)
    result.read(((0, 20), (0, 20)))
    assert told == [((0, 20), (0, 20))]
    complete(result)
    result.read(((5, 30), (5, 30)))
    assert len(told) == 1


def test_the_piece_in_the_middle_of_the_view_is_first():
    result, _ = displayed(picture((5 * TILE // 2, 5 * TILE // 2)), "YX")
    result.read(whole_of(result))
    first = result.next_piece(1)
    assert first == Piece((), (2, 3), (2, 3))
    result.compute(first, cancel=lambda: False)
    second = result.next_piece(3)
    assert (2, 2) not in {(row, column) for _, row, column in second}
    assert second.rows[1] - second.rows[0] <= 3
    assert second.columns[1] - second.columns[0] <= 3


def test_pieces_can_be_restricted_to_the_visible_part():
    result, _ = displayed(picture((5 * TILE // 2, 5 * TILE // 2)), "YX")
    result.read(whole_of(result))
    visible = (0, TILE), (3 * TILE, 5 * TILE)
    assert result.missing(visible) == (2, 2)
    assert set(result.next_piece(4, visible)) == {((), 0, 3), ((), 0, 4)}
    result.compute(result.next_piece(4, visible), cancel=lambda: False)
    assert result.next_piece(4, visible) is None
    assert result.next_piece(4) is not None
    # Nothing of the view is visible.
    assert result.next_piece(4, ((0, 0), (0, 0))) is None


def test_a_piece_of_an_earlier_view_is_not_displayed():
    result, _ = displayed(picture((2, 3 * TILE, 60)), "ZYX")
    result.read(((0, 1), (0, TILE), (0, 100)))
    piece = result.next_piece(1)
    assert result.displays(piece)
    result.read(((1, 2), (0, TILE), (0, 100)))
    assert not result.displays(piece)
    result.read(((0, 1), (4 * TILE, 5 * TILE), (0, 100)))
    assert not result.displays(piece)


def test_a_canceled_piece_stays_missing():
    result, _ = displayed(picture((60, 60)), "YX")
    result.read(whole_of(result))
    with pytest.raises(Cancelled):
        result.compute(result.next_piece(1), cancel=lambda: True)
    assert result.missing() == (1, 1)


def test_tiles_out_of_view_are_dropped_at_the_limit_of_memory_and_those_in_view_are_kept():
    tile = TILE * TILE * 2
    result, _ = displayed(picture((TILE // 2, 3 * TILE)), "YX", limit=3 * tile)
    result.read(((0, TILE), (0, 2 * TILE)))
    complete(result, 1)
    result.read(((0, TILE), (2 * TILE, 6 * TILE)))
    # The view alone is larger than the limit.
    assert complete(result, 1) == 4
    assert result.missing() == (0, 4)
    result.read(((0, TILE), (0, 2 * TILE)))
    assert result.missing() == (2, 2)


def test_all_tiles_can_be_forgotten():
    result, _ = displayed(picture((60, 60)), "YX")
    result.read(whole_of(result))
    complete(result)
    result.forget()
    assert result.missing() == (1, 1)
