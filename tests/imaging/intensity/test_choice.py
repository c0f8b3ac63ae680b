import numpy as np
import psutil
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sr.errors import InputError
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.intensity import IntensityMap, check_finite, choose_intensity, intensity_maps
from napari_sr.imaging.intensity.spec import Percentiles

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
zarr = pytest.importorskip("zarr")


@pytest.mark.parametrize(
    ("dtype", "axes", "shape", "expected"),
    [
        (np.uint8, "YX", (8, 9), (0, 255)),
        (bool, "YX", (8, 9), (0, 1)),
        (np.uint8, "YXC", (8, 9, 3), (0, 255)),
        (np.float32, "YXC", (8, 9, 3), (0, 1)),
    ],
)
def test_auto_takes_the_range_of_the_dtype(dtype, axes, shape, expected):
    maps = intensity_maps("auto", np.ones(shape, dtype), parse_axes(axes, shape))
    assert {key: (m.low, m.high) for key, m in maps.items()} == {None: expected}


@pytest.mark.parametrize(
    "dtype", [np.uint16, np.int16, np.int8, np.uint32, np.int32, np.float16, np.float32, np.float64]
)
def test_auto_takes_percentiles_if_the_dtype_has_no_range(dtype):
    image = (np.random.default_rng(0).random((40, 50)) * 120).astype(dtype)
    axes = parse_axes("YX", image.shape)
    assert intensity_maps("auto", image, axes) == intensity_maps("percentile", image, axes)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.float32])
@given(data=st.data())
def test_percentiles_are_those_of_numpy_over_the_whole_layer(dtype, data):
    elements = st.floats(-1000, 1000, width=32) if dtype == np.float32 else None
    image = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=4, max_side=6), elements=elements))
    axes = parse_axes("TZYX"[-image.ndim :], image.shape)
    low, high = np.percentile(image.astype(np.float64), (0.1, 99.9))
    (found,) = choose_intensity("percentile", image, axes).values()
    # Without an outlying pixel, and with values that differ.
    assume(found.map is not None and found.warning is None)
    np.testing.assert_allclose((found.map.low, found.map.high), (low, high), rtol=1e-6, atol=1e-4)


def test_percentiles_do_not_depend_on_the_kind_of_array():
    image = np.random.default_rng(1).poisson(300, (3, 40, 50)).astype(np.uint16)
    axes = parse_axes("ZYX", image.shape)
    expected = intensity_maps("percentile", image, axes)
    assert intensity_maps("percentile", da.from_array(image, chunks=(1, 7, 50)), axes) == expected
    assert intensity_maps("percentile", zarr.array(image, chunks=(2, 20, 20)), axes) == expected


def test_percentiles_of_a_plane_larger_than_a_counting_block_are_exact(monkeypatch):
    monkeypatch.setattr("napari_sr.imaging.intensity.values._BLOCK", 100)
    image = np.random.default_rng(2).integers(0, 65536, (30, 40), dtype=np.uint16)
    (found,) = intensity_maps("percentile", image, parse_axes("YX", image.shape)).values()
    np.testing.assert_allclose((found.low, found.high), np.percentile(image, (0.1, 99.9)))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint32])
def test_percentiles_for_which_there_is_too_little_memory_are_refused_before_a_value_is_read(monkeypatch, dtype):
    shape = (1000, 30, 40)
    memory = psutil.virtual_memory()._replace(available=np.dtype(dtype).itemsize * 30 * 40 * 500)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    large = da.from_delayed(dask.delayed(pytest.fail)("A value was read."), shape, dtype)
    with pytest.raises(InputError, match=r"percentiles of 1,200,000 values .* GiB are free: give the intensity as two"):
        intensity_maps("auto", large, parse_axes("ZYX", shape))
    assert intensity_maps((0, 1), large, parse_axes("ZYX", shape))
    # Values of at most 16 bits are counted, which needs the same memory for any number of them.
    counted = da.from_array(np.broadcast_to(np.arange(40, dtype=np.uint16), shape))
    assert intensity_maps("auto", counted, parse_axes("ZYX", shape))


def test_separate_channels_have_their_own_percentiles_and_colors_share_them():
    image = np.stack([np.arange(100.0).reshape(10, 10) * gain for gain in (1, 10, 100)])
    apart = intensity_maps("percentile", image, parse_axes("CYX", image.shape))
    assert list(apart) == [0, 1, 2]
    np.testing.assert_allclose([m.high for m in apart.values()], [98.901, 989.01, 9890.1])
    colors = np.moveaxis(image, 0, -1)
    together = intensity_maps("percentile", colors, parse_axes("YXC", colors.shape))
    assert list(together) == [None]
    np.testing.assert_allclose(together[None].high, np.percentile(image, 99.9))


def test_alpha_does_not_count_in_the_percentiles():
    colors = np.random.default_rng(3).random((10, 12, 3))
    with_alpha = np.concatenate([colors, np.full((10, 12, 1), 1e6)], axis=-1)
    assert intensity_maps("percentile", with_alpha, parse_axes("YXC", (10, 12, 4))) == intensity_maps(
        "percentile", colors, parse_axes("YXC", (10, 12, 3))
    )


@pytest.mark.parametrize("spec", ["auto", "dtype", "percentile", "contrast", (0, 9)])
def test_the_maps_have_a_key_for_the_channel_of_every_plane(spec):
    image = np.arange(2 * 3 * 40).reshape(2, 3, 5, 8).astype(np.uint16)
    axes = parse_axes("TCYX", image.shape)
    maps = intensity_maps(spec, image, axes, contrast_limits=(1, 2))
    assert {axes.channel_of(index) for index in axes.plane_indices()} == set(maps)


def test_values_that_are_not_finite_do_not_count_in_the_percentiles():
    image = np.random.default_rng(4).random((20, 20)).astype(np.float32)
    spoiled = np.concatenate([image, np.full((2, 20), np.nan, np.float32), np.full((2, 20), np.inf, np.float32)])
    assert intensity_maps("percentile", spoiled, parse_axes("YX", spoiled.shape)) == intensity_maps(
        "percentile", image, parse_axes("YX", image.shape)
    )


def test_contrast_limits_and_pairs_are_taken_as_they_are():
    image, axes = np.zeros((4, 5), np.float32), parse_axes("YX", (4, 5))
    assert intensity_maps("contrast", image, axes, contrast_limits=(3, 7))[None] == IntensityMap(3, 7)
    assert intensity_maps(np.array([3, 7]), image, axes)[None] == IntensityMap(3, 7)


@pytest.mark.parametrize(
    ("spec", "dtype", "message"),
    [
        ("dtype", np.float32, "percentile"),
        ("contrast", np.uint16, "contrast limits"),
        ("percentile", np.uint16, "as a pair"),
        ("percentile", np.float32, "as a pair"),
        ("minmax", np.uint16, "does not exist: give one of auto, dtype, percentile, contrast"),
        ((1, 1), np.uint16, "less than"),
        ((1, 2, 3), np.uint16, "or a pair of values"),
        (7, np.uint16, "or a pair of values"),
        ("auto", np.complex64, "convert it"),
    ],
)
def test_an_unknown_intensity_is_refused_with_the_remedy(spec, dtype, message):
    with pytest.raises(InputError, match=message):
        intensity_maps(spec, np.ones((4, 5), dtype), parse_axes("YX", (4, 5)))


def test_percentiles_without_a_finite_value_are_refused():
    with pytest.raises(InputError, match="no finite value"):
        intensity_maps("percentile", np.full((4, 5), np.nan), parse_axes("YX", (4, 5)))


def test_nan_and_infinite_values_are_counted_separately():
    image = np.zeros((2, 4, 5), np.float16)
    axes = parse_axes("ZYX", image.shape)
    check_finite(image, axes)
    image[0, 1, 1] = image[1, 2, :2] = np.nan
    with pytest.raises(InputError, match="has 3 NaN values: replace them by numbers first"):
        check_finite(image, axes)
    image[1, 0, 0] = -np.inf
    with pytest.raises(InputError, match="3 NaN and 1 infinite values"):
        check_finite(da.from_array(image), axes)


def test_integers_are_not_read_to_find_nan():
    class Unreadable:
        shape, dtype = (4, 5), np.dtype(np.uint16)

        def __getitem__(self, index):
            raise AssertionError("an integer image was read")

    check_finite(Unreadable(), parse_axes("YX", (4, 5)))


def test_huge_values_are_missing_and_named():
    image = np.zeros((4, 5), np.float32)
    image[0, 1] = 9.97e36
    with pytest.raises(InputError, match=r"has 1 huge value \(9\.97e\+36, which stands for a missing pixel"):
        check_finite(image, parse_axes("YX", image.shape))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_given_percentiles_are_those_of_the_values(dtype: type) -> None:
    image = (100 * np.random.default_rng(0).random((2, 20, 30))).astype(dtype)
    maps = intensity_maps(Percentiles(3, 80.5), image, parse_axes("CYX", image.shape))
    for channel in (0, 1):
        low, high = np.percentile(image[channel].astype(np.float64), (3, 80.5))
        assert (maps[channel].low, maps[channel].high) == pytest.approx((low, high))


@pytest.mark.parametrize(("low", "high"), [(5, 5), (9, 3), (-1, 50), (50, 101), (float("nan"), 5)])
def test_percentiles_that_do_not_rise_are_refused(low: float, high: float) -> None:
    with pytest.raises(InputError, match=r"not in order|not finite"):
        Percentiles(low, high)


def colors(low, high, dtype=np.float32):
    """RGB values spread evenly over a range, its ends included."""
    values = np.linspace(low, high, 20 * 20 * 3)
    return (np.rint(values) if np.dtype(dtype).kind in "iu" else values).astype(dtype).reshape(20, 20, 3)


def bounds_of(image, spec="auto", axes=None):
    (chosen,) = choose_intensity(spec, image, parse_axes(axes, image.shape)).values()
    return (chosen.map.low, chosen.map.high), chosen.warning


@pytest.mark.parametrize(
    ("image", "white"),
    [
        (colors(0, 0.3), 1),
        (colors(-0.05, 1.2), 1),
        (colors(0, 250), 255),
        (colors(0, 250, np.float64), 255),
        (colors(0, 254, np.float16), 255),
        (colors(-3, 255.4), 255),
        (colors(0, 256), 4095),
        (colors(0, 4095), 4095),
        (colors(0, 5000), 65535),
        (colors(0, 65535), 65535),
        (colors(0, 255, np.uint16), 255),
        (colors(0, 256, np.uint16), 1023),
        (colors(7, 3000, np.uint16), 4095),
        (colors(0, 10000, np.int16), 16383),
        (colors(0, 16384, np.uint16), 65535),
        (colors(0, 4095, np.uint32), 4095),
        (colors(0, 4095, np.int64), 4095),
        (colors(0, 200, np.uint64), 255),
    ],
    ids=lambda value: f"{value.dtype} to {value.max():g}" if hasattr(value, "dtype") else f"{value}",
)
def test_white_of_rgb_follows_from_the_largest_value(image, white):
    found, warning = bounds_of(image)
    assert found == (0, white)
    own = white == 1 or (image.dtype == np.uint16 and white == 65535)
    assert (warning is None) == own
    assert own or f"0 is taken as black and {white} as white" in warning


@pytest.mark.parametrize(
    "image", [colors(-1, 1), colors(-100, 255), colors(0, 70000), colors(-5, 4000, np.int16), colors(0, 1e6, np.int32)]
)
def test_rgb_beyond_the_usual_ranges_gets_percentiles(image):
    found, warning = bounds_of(image)
    np.testing.assert_allclose(found, np.percentile(image.astype(float), (0.1, 99.9)), rtol=1e-6, atol=1e-6)
    assert "no usual range" in warning


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_one_hot_pixel_does_not_choose_white_of_rgb(dtype):
    image = colors(0, 200, dtype)
    image[3, 4] = 60000
    assert bounds_of(image)[0] == (0, 255)
    image[5, 6] = 60000
    # Two bright pixels are something of the image.
    assert bounds_of(image)[0] == (0, 65535)


def test_opacity_and_missing_values_do_not_choose_white():
    image = np.concatenate([colors(0, 200), np.full((20, 20, 1), 65535, np.float32)], axis=-1)
    image[0, 0] = np.nan, 1e4, 1e4, 65535
    image[1, 1, 2] = 9.97e36
    assert bounds_of(image)[0] == (0, 255)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, np.int32])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_single_hot_pixel_of_a_small_image_is_left_out(dtype, sign):
    rng = np.random.default_rng(0)
    image = rng.integers(100, 200, (20, 20)).astype(np.int64)
    image[7, 8] += sign * 15000
    image = image if sign == 1 else image + 30000
    image = image.astype(dtype)
    (low, high), warning = bounds_of(image, "percentile")
    others = np.sort(image.ravel())[:-1] if sign == 1 else np.sort(image.ravel())[1:]
    assert low >= others[0]
    assert high <= others[-1]
    assert "far from all others" in warning


def test_percentiles_0_and_100_are_taken_as_they_are():
    image = np.random.default_rng(0).random((20, 20))
    image[3, 4] = 1e7
    assert bounds_of(image, Percentiles(0, 100))[0] == (image.min(), 1e7)


def test_a_bright_pixel_that_is_not_an_outlier_counts():
    image = np.random.default_rng(0).random((20, 20))
    image[3, 4] = 15
    (low, high), warning = bounds_of(image, "percentile")
    np.testing.assert_allclose((low, high), np.percentile(image, (0.1, 99.9)))
    assert warning is None


def test_sparse_bright_spots_keep_their_range():
    """As in single-molecule images: 0.2 % of the pixels at 300 times the spread of the background."""
    rng = np.random.default_rng(1)
    image = rng.normal(100, 1, (100, 100))
    image.ravel()[rng.permutation(10000)[:20]] += 300
    (low, high), warning = bounds_of(image, "percentile")
    np.testing.assert_allclose((low, high), np.percentile(image, (0.1, 99.9)))
    assert high > 390
    assert warning is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64, np.float16])
@pytest.mark.parametrize("background", [0, 3])
def test_extremes_are_taken_where_both_percentiles_are_one_value(dtype, background):
    image = np.full((100, 100), background, dtype)
    image[3, :4] = 50, 60, 2, 70
    (low, high), warning = bounds_of(image, "percentile")
    assert (low, high) == (min(2, background), 70)
    assert "the same value" in warning


def test_a_sparse_image_with_a_hot_pixel_keeps_its_range():
    image = np.zeros((200, 200), np.float32)
    image[::40, ::40] = np.arange(25).reshape(5, 5) + 50
    image[7, 7] = 1e7
    (low, high), warning = bounds_of(image, "percentile")
    assert (low, high) == (0, 74)
    assert "far from all others" in warning


@pytest.mark.parametrize("dtype", [np.uint16, np.uint64, np.float32, bool])
@pytest.mark.parametrize("spec", ["percentile", Percentiles(1, 99)])
def test_a_channel_with_one_value_has_no_map(dtype, spec):
    image = np.zeros((2, 20, 20), dtype)
    image[1].ravel()[:200] = True
    chosen = choose_intensity(spec, image, parse_axes("CYX", image.shape))
    assert chosen[0].map is None
    assert chosen[0].values.constant == (0,)
    assert chosen[1].map == IntensityMap(0, 1)
    with pytest.raises(InputError, match="Channel 0 of the image has the single value 0"):
        intensity_maps(spec, image, parse_axes("CYX", image.shape))


def test_values_that_differ_only_as_integers_are_not_one_value():
    image = (2**64 - 1 - np.arange(400, dtype=np.uint64)).reshape(20, 20)
    (chosen,) = choose_intensity("auto", image, parse_axes("YX", image.shape)).values()
    assert chosen.values.constant is None
    assert chosen.map.high - chosen.map.low > 390


def test_each_plane_is_read_once():
    class Counting:
        shape, dtype = (3, 20, 20), np.dtype(np.float32)
        values = np.random.default_rng(0).random((3, 20, 20)).astype(np.float32)
        reads = 0

        def __getitem__(self, index):
            self.reads += 1
            return self.values[index]

    image = Counting()
    choose_intensity("auto", image, parse_axes("ZYX", image.shape))
    assert image.reads == 3
