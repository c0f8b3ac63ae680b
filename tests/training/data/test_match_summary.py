"""Sentences on the pairs of a training stay few, however many pairs there are."""

import pytest

from napari_sr.training.data.match_summary import match_notes, match_warnings
from napari_sr.training.data.pairs import Match

BOX = (slice(0, 8), slice(0, 8))


def pair(number, shift=0.0, residual=0.0, uncertainty=0.1):
    return Match(BOX, BOX, (shift, 0.0), (residual, 0.0), uncertainty, (f"low {number}", f"high {number}"))


def test_each_of_a_few_pairs_has_its_own_sentences():
    pairs = [pair(n, uncertainty=float("nan")) for n in range(4)]
    assert match_notes(pairs) == tuple(each.sentence() for each in pairs)
    assert match_warnings(pairs) == tuple(each.warning for each in pairs)


def test_many_pairs_have_one_sentence_with_the_largest_shifts():
    pairs = [pair(n) for n in range(300)] + [pair("moved", -3.2, 0.2), pair("between", 0.5, -0.46)]
    (note,) = match_notes(pairs)
    assert "302 pairs" in note
    assert "3.20 high-resolution pixels against their partners (high moved)" in note
    assert "0.46 remain (high between)" in note
    assert match_warnings(pairs) == ()


def test_many_doubtful_pairs_have_one_sentence_of_each_kind_which_names_the_worst_first():
    pairs = [pair(n, uncertainty=float("nan")) for n in range(90)]
    pairs += [pair(f"u{n}", uncertainty=0.6 + n / 10) for n in range(6)]
    pairs += [pair(f"good{n}") for n in range(4)]
    uncertain, small = match_warnings(pairs)
    assert "up to 1.10 high-resolution pixels in 6 of 100 pairs" in uncertain
    assert "check high u5, high u4, high u3, high u2 and 2 more." in uncertain
    assert "Too small" in small and "90 of 100 pairs" in small
    assert "(high 0, high 1, high 2, high 3 and 86 more)" in small


def test_few_doubtful_pairs_among_many_keep_their_own_warnings():
    doubtful = pair("torn", uncertainty=0.9)
    assert match_warnings([*(pair(n) for n in range(50)), doubtful]) == (doubtful.warning,)


@pytest.mark.parametrize("value", [-0.001, 0.0, -0.0])
def test_a_shift_of_zero_has_no_minus_sign_and_an_unknown_uncertainty_is_not_stated(value):
    sentence = pair(1, value, value, float("nan")).sentence()
    assert "(+0.00, +0.00)" in sentence and "-0.00" not in sentence
    assert "uncertain" not in sentence and "nan" not in sentence
