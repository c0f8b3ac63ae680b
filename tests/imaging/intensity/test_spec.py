"""Black and white as text."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_sr.imaging.intensity.spec import format_limits

numbers = st.floats(-1e300, 1e300, allow_subnormal=False)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (103, 3211, ("103", "3211")),
        (0.0, 1.0, ("0", "1")),
        (1000000123, 1000004567, ("1000000123", "1000004567")),
        (7, 7, ("7", "7")),
        (-1234567890.5, 1e12, ("-1.23457e+09", "1e+12")),
    ],
)
def test_usual_values_have_six_digits_and_others_the_digits_that_tell_them_apart(low, high, expected):
    assert format_limits(low, high) == expected


@given(low=numbers, high=numbers)
def test_the_text_is_within_a_hundredth_of_the_distance(low, high):
    distance = high - low
    assume(1e-250 < distance < 1e300 and distance > 1e-12 * max(abs(low), abs(high)))
    assert [float(text) for text in format_limits(low, high)] == pytest.approx([low, high], rel=0, abs=distance / 100)
