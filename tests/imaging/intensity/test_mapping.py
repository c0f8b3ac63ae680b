import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sr.errors import InputError
from napari_sr.imaging.intensity import IntensityMap

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


@pytest.mark.parametrize(("dtype", "top"), [(np.uint64, 2**64), (np.int64, 2**63)])
def test_the_largest_64_bit_integer_is_a_result(dtype, top):
    back, clipped = IntensityMap(0, 1).inverse([float(top), float(top) * 2], dtype)
    assert back.tolist() == [top - 1] * 2
    assert clipped == 1


@pytest.mark.parametrize(
    ("dtype", "start"), [(np.uint64, 2**64 - 1001), (np.int64, 2**63 - 1001), (np.int64, -(2**63))]
)
def test_64_bit_integers_far_from_0_are_restored_exactly(dtype, start):
    values = np.array([start + n for n in range(1001)], dtype)
    same = IntensityMap(start + 3, start + 990)
    back, clipped = same.inverse(same.forward(values), dtype)
    assert back.tolist() == values.tolist()
    assert clipped == 0
    assert back.dtype == dtype


def test_64_bit_integers_of_the_whole_range_do_not_wrap():
    for dtype in (np.int64, np.uint64):
        ends = np.iinfo(dtype)
        values = np.array([ends.min, ends.max], dtype)
        for low in (ends.min, ends.max - 2000):
            mapped = IntensityMap(low, low + 1000)
            back, clipped = mapped.inverse(mapped.forward(values), dtype)
            assert clipped <= 1
            assert abs(int(back[0]) - ends.min) <= 2**41
            assert abs(int(back[1]) - ends.max) <= 2**41


def test_the_byte_order_of_64_bit_integers_does_not_matter():
    values = np.array([2**62 + n for n in range(5)], ">i8")
    mapped = IntensityMap(2**62, 2**62 + 4)
    assert mapped.forward(values).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert mapped.inverse([0, 0.25, 0.5, 0.75, 1], ">i8")[0].tolist() == values.tolist()


def test_values_beyond_float32_become_infinite_without_a_warning():
    assert IntensityMap(0, 1e-20).forward([1e30, -1e30]).tolist() == [np.inf, -np.inf]
    assert IntensityMap(0, 1e300).forward([5e299]).tolist() == [0.5]
    assert IntensityMap(0, 1e-40).inverse([0.5], np.float64)[0][0] == pytest.approx(5e-41)
