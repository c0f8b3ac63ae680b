import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sr.errors import InputError
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.intensity import IntensityMap, check_finite, intensity_maps
from napari_sr.imaging.intensity_spec import Percentiles

da = pytest.importorskip("dask.array")
zarr = pytest.importorskip("zarr")

ranges = st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-0.5, 0.5)])


@st.composite
def bounds(draw, least, most):
    low = draw(st.floats(least, most, allow_nan=False, width=32))
    high = draw(st.floats(least, most, allow_nan=False, width=32))
    # Narrower than a gray level over the whole dtype asks more of a float32 than its 24 bits.
    assume(high - low >= 1)
    return low, high


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
@given(data=st.data(), to=ranges)
def test_every_8_and_16_bit_value_is_restored_exactly(dtype, data, to):
    info = np.iinfo(dtype)
    low, high = data.draw(bounds(float(info.min), float(info.max)))
    every = np.arange(info.min, info.max + 1).astype(dtype)
    mapped = IntensityMap(low, high, to)
    middle = mapped.forward(every)
    assert middle.dtype == np.float32
    back, clipped = mapped.inverse(middle, dtype)
    assert back.dtype == dtype
    assert clipped == 0
    np.testing.assert_array_equal(back, every)


@given(hnp.arrays(np.float32, 20, elements=st.floats(-100, 100, width=32)), ranges)
def test_a_float_is_restored_to_the_precision_of_a_float32(values, to):
    mapped = IntensityMap(-100.0, 100.0, to)
    back, clipped = mapped.inverse(mapped.forward(values), np.float32)
    assert clipped == 0
    np.testing.assert_allclose(back, values, atol=2e-5)


@given(st.floats(-1e4, 1e4), st.floats(1e-2, 1e4), ranges)
def test_low_and_high_are_mapped_to_the_ends_of_the_range(low, width, to):
    mapped = IntensityMap(low, low + width, to)
    np.testing.assert_allclose(mapped.forward([low, low + width]), to, rtol=1e-6, atol=1e-6)


def test_nothing_is_clipped_on_the_way_in():
    assert IntensityMap(100, 200).forward(np.array([0, 300], np.uint16)).tolist() == [-1.0, 2.0]


def test_a_result_is_rounded_and_clipped_only_at_the_ends_of_its_dtype_and_counted():
    same = IntensityMap(0, 1)
    values = [-3.0, -0.4, 0.6, 99.5, 254.6, 255.4, 256.0]
    back, clipped = same.inverse(values, np.uint8)
    assert back.tolist() == [0, 0, 1, 100, 255, 255, 255]
    assert clipped == 2
    signed, none = same.inverse(values, np.int16)
    assert signed.tolist() == [-3, 0, 1, 100, 255, 255, 256]
    assert none == 0


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_the_ends_of_wide_integers_never_wrap_around(dtype):
    info = np.iinfo(dtype)
    back, clipped = IntensityMap(0, 1).inverse([-1e30, 1e30, np.inf], dtype)
    assert clipped == 3
    assert back[0] == info.min
    assert np.all(back[1:].astype(object) > info.max - 2**12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_keep_their_dtype_and_are_clipped_only_where_it_ends(dtype):
    top = float(np.finfo(dtype).max)
    back, clipped = IntensityMap(0, 1).inverse([0.25, -2.5, top, np.inf], dtype)
    assert back.dtype == dtype
    assert back.tolist() == [0.25, -2.5, top, top]
    assert clipped == 1


def test_a_bool_stays_a_bool_and_is_true_above_one_half():
    flags = np.array([True, False])
    same = IntensityMap(0, 1)
    assert same.inverse(same.forward(flags), bool)[0].tolist() == [True, False]
    assert same.inverse([0.4, 0.6, 1.4, 1.6], bool)[0].tolist() == [False, True, True, True]
    assert same.inverse([0.4, 0.6, 1.4, 1.6], bool)[1] == 1


def test_a_nan_result_is_refused_by_an_integer_and_kept_by_a_float():
    with pytest.raises(InputError, match="1 NaN"):
        IntensityMap(0, 1).inverse([np.nan, 1.0], np.uint16)
    assert np.isnan(IntensityMap(0, 1).inverse([np.nan], np.float32)[0][0])


@pytest.mark.parametrize(
    ("low", "high", "to"),
    [
        (5, 5, (0, 1)),
        (6, 5, (0, 1)),
        (0, float("nan"), (0, 1)),
        (float("-inf"), 1, (0, 1)),
        (0, 1, (1, 1)),
        (0, 1, (0, float("inf"))),
        (-1.7e308, 1.7e308, (0, 1)),
        (0, 5e-324, (0, 1)),
    ],
)
def test_a_range_without_an_affine_map_is_refused(low, high, to):
    with pytest.raises(InputError, match="range"):
        IntensityMap(low, high, to)


@pytest.mark.parametrize(
    ("dtype", "axes", "shape", "expected"),
    [
        (np.uint8, "YX", (8, 9), (0, 255)),
        (bool, "YX", (8, 9), (0, 1)),
        (np.uint8, "YXC", (8, 9, 3), (0, 255)),
        (np.uint16, "YXC", (8, 9, 3), (0, 65535)),
        (np.int16, "YXC", (8, 9, 4), (-32768, 32767)),
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
    assume(high > low)
    (found,) = intensity_maps("percentile", image, axes).values()
    np.testing.assert_allclose((found.low, found.high), (low, high), rtol=1e-6, atol=1e-4)


def test_percentiles_do_not_depend_on_the_kind_of_array():
    image = np.random.default_rng(1).poisson(300, (3, 40, 50)).astype(np.uint16)
    axes = parse_axes("ZYX", image.shape)
    expected = intensity_maps("percentile", image, axes)
    assert intensity_maps("percentile", da.from_array(image, chunks=(1, 7, 50)), axes) == expected
    assert intensity_maps("percentile", zarr.array(image, chunks=(2, 20, 20)), axes) == expected


def test_percentiles_of_a_plane_larger_than_a_counting_block_are_exact(monkeypatch):
    monkeypatch.setattr("napari_sr.imaging.intensity._BLOCK", 100)
    image = np.random.default_rng(2).integers(0, 65536, (30, 40), dtype=np.uint16)
    (found,) = intensity_maps("percentile", image, parse_axes("YX", image.shape)).values()
    np.testing.assert_allclose((found.low, found.high), np.percentile(image, (0.1, 99.9)))


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
    assert intensity_maps(np.array([3, 7]), image, axes, to=(-1, 1))[None] == IntensityMap(3, 7, (-1, 1))


@pytest.mark.parametrize(
    ("spec", "dtype", "message"),
    [
        ("dtype", np.float32, "percentile"),
        ("contrast", np.uint16, "contrast limits"),
        ("percentile", np.uint16, "as a pair"),
        ("percentile", np.float32, "as a pair"),
        ("minmax", np.uint16, "unknown"),
        ((1, 1), np.uint16, "less than"),
        ((1, 2, 3), np.uint16, "not a pair"),
        (7, np.uint16, "not a pair"),
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
    with pytest.raises(InputError, match=r"has 3 NaN values: .*nan_to_num"):
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
