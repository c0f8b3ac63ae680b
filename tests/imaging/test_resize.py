"""Resizing follows MATLAB's imresize."""

import os
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sr.errors import InputError
from napari_sr.imaging.resize import KERNELS, Kernel, phase_weights, resize
from napari_sr.imaging.rounding import round_to

DATA = os.environ.get("NAPARI_SR_DATA")


def test_shrinking_by_two_is_the_cubic_stretched_by_two() -> None:
    """By hand: Keys' cubic at (j - 3.5) / 2, halved, gives eight neighbors -3, -9, 29, 111, 111, 29, -9, -3 of 256."""
    line = np.zeros((1, 16))
    line[0, 8] = 256
    assert np.allclose(resize(line, (1, 8))[0], _by_hand(), atol=1e-12)


def _by_hand() -> list[float]:
    """Pixel 8 is the neighbor number 8 - (2 i - 3) of output i."""
    weights = [-3.0, -9.0, 29.0, 111.0, 111.0, 29.0, -9.0, -3.0]
    return [weights[8 - (2 * i - 3)] if 0 <= 8 - (2 * i - 3) < 8 else 0.0 for i in range(8)]


def test_upsampling_by_two_has_the_weights_of_keys() -> None:
    """At a quarter of a pixel Keys' cubic gives -9, 111, 29, -3 of 128 (IEEE TASSP 29(6), equation 15)."""
    expected = np.array([[-3, 29, 111, -9, 0], [0, -9, 111, 29, -3]]) / 128
    assert np.allclose(phase_weights(2, "bicubic"), expected, atol=1e-15)


def test_the_border_is_reflected_with_the_edge_repeated() -> None:
    line = np.array([[10.0, 20.0, 40.0, 80.0]])
    mirrored = np.concatenate([line[:, ::-1], line, line[:, ::-1]], axis=1)
    assert np.allclose(resize(line, (1, 8)), resize(mirrored, (1, 24))[:, 8:16])


def test_uint8_is_rounded_between_the_passes_rows_first() -> None:
    image = np.random.default_rng(3).integers(0, 256, (24, 20), dtype=np.uint8)
    rows = round_to(resize(image.astype(float), (8, 20)), np.uint8)
    both = round_to(resize(rows.astype(float), (8, 5)), np.uint8)
    # Columns shrink by more here, so they go first; with equal factors rows do.
    columns = round_to(resize(image.astype(float), (24, 5)), np.uint8)
    assert np.array_equal(resize(image, (8, 5)), round_to(resize(columns.astype(float), (8, 5)), np.uint8))
    assert both.shape == (8, 5)
    square = image[:20]
    first = round_to(resize(square.astype(float), (5, 20)), np.uint8)
    assert np.array_equal(resize(square, (5, 5)), round_to(resize(first.astype(float), (5, 5)), np.uint8))


def test_uint16_is_rounded_once() -> None:
    image = np.random.default_rng(4).integers(0, 65536, (12, 12), dtype=np.uint16)
    assert np.array_equal(resize(image, (4, 4)), round_to(resize(image.astype(float), (4, 4)), np.uint16))


@given(
    kernel=st.sampled_from(KERNELS),
    value=st.floats(-100, 100),
    sizes=st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30)),
)
def test_a_constant_image_stays_constant(kernel: Kernel, value: float, sizes: tuple[int, int, int, int]) -> None:
    out = resize(np.full(sizes[:2], value), sizes[2:], kernel=kernel)
    assert out.shape == sizes[2:]
    assert np.allclose(out, value, atol=1e-10)


@given(factor=st.integers(2, 5), kernel=st.sampled_from(KERNELS[1:]))
def test_upsampling_and_downsampling_do_not_shift_the_image(factor: int, kernel: Kernel) -> None:
    """The center of mass of a spot stays where it is, in the coordinates of either image."""
    y, x = np.mgrid[:48, :48]
    spot = np.exp(-((y - 23.3) ** 2 + (x - 24.8) ** 2) / 18)

    def center(image: np.ndarray) -> np.ndarray:
        grid = np.mgrid[: image.shape[0], : image.shape[1]]
        return np.array([(g * image).sum() / image.sum() for g in grid])

    large = center(resize(spot, factor=factor, kernel=kernel))
    assert np.allclose((large + 0.5) / factor - 0.5, center(spot), atol=1e-3)
    small = center(resize(spot, (48 // 2, 48 // 2), kernel=kernel))
    assert np.allclose((small + 0.5) * 2 - 0.5, center(spot), atol=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_keeps_the_dtype_and_the_other_axes(dtype: type) -> None:
    image = (np.random.default_rng(0).random((2, 6, 4, 3)) * 100).astype(dtype)
    out = resize(image, factor=2, axes=(1, 2))
    assert out.dtype == dtype
    assert out.shape == (2, 12, 8, 3)
    assert np.array_equal(out[1, ..., 2], resize(image[1, ..., 2], factor=2))


def test_a_fractional_factor_rounds_the_size_up() -> None:
    assert resize(np.zeros((10, 11)), factor=0.25).shape == (3, 3)
    assert resize(np.zeros((30, 30)), factor=0.1).shape == (3, 3)


def test_wrong_arguments_are_refused_in_one_sentence() -> None:
    image = np.zeros((4, 4))
    with pytest.raises(InputError, match="to a shape or by a factor"):
        resize(image)
    with pytest.raises(InputError, match="kernel 'cubic'"):
        resize(image, factor=2, kernel="cubic")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="cannot be resized"):
        resize(image, (0, 4))


@pytest.mark.skipif(DATA is None, reason="NAPARI_SR_DATA names no folder of benchmark images")
@pytest.mark.parametrize("benchmark", ["Set5", "Set14"])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_published_low_resolution_images_are_reproduced_exactly(benchmark: str, factor: int) -> None:
    folder = Path(str(DATA)) / "natural" / benchmark
    files = sorted((folder / "HR").glob("*.png"))
    assert files
    for path in files:
        high = iio.imread(path)
        height, width = (n // factor for n in high.shape[:2])
        low = resize(high[: height * factor, : width * factor], (height, width), axes=(0, 1))
        assert np.array_equal(low, iio.imread(folder / f"LR_bicubic/X{factor}/{path.stem}x{factor}.png")), path.name
