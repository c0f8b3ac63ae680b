"""Network interpolation is the weighted average of the weights."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_sr.errors import CheckpointError, InputError
from napari_sr.zoo import mix

values = st.lists(st.floats(-1e3, 1e3, width=32), min_size=6, max_size=6)
alphas = st.floats(0, 1)


def state(numbers, count=0):
    return {"a": torch.tensor(numbers).reshape(2, 3), "n": torch.tensor(count)}


@given(values, values)
def test_the_ends_are_the_endpoints_bit_for_bit(first, second):
    for alpha, end in ((0, state(first, 1)), (1, state(second, 2)), (0.0, state(first, 1)), (1.0, state(second, 2))):
        mixed = mix(state(first, 1), state(second, 2), alpha)
        # As integers: 0.0 and -0.0 are different bits.
        assert torch.equal(mixed["a"].view(torch.int32), end["a"].view(torch.int32))
        assert torch.equal(mixed["n"], end["n"])


@given(values, values, alphas)
def test_every_weight_is_the_weighted_mean_of_the_two(first, second, alpha):
    mixed = mix(state(first), state(second), alpha)["a"]
    expected = (1 - alpha) * state(first)["a"].double() + alpha * state(second)["a"].double()
    assert mixed.dtype == torch.float32
    # The rounding of float32 is relative to the two terms, which may nearly cancel.
    rounding = 2**-23 * (state(first)["a"].abs() + state(second)["a"].abs()).double()
    assert ((mixed.double() - expected).abs() <= rounding + 1e-30).all()


@given(values, values, alphas)
def test_mixing_with_exchanged_networks_gives_the_same(first, second, alpha):
    there, back = mix(state(first), state(second), alpha), mix(state(second), state(first), 1 - alpha)
    torch.testing.assert_close(there["a"], back["a"], rtol=1e-5, atol=1e-3)


def test_between_the_ends_counters_are_those_of_the_first():
    assert mix(state([0.0] * 6, 7), state([1.0] * 6, 9), 0.5)["n"] == 7


def test_half_precision_is_mixed_in_float32():
    first, second = {"a": torch.tensor([1.0]).half()}, {"a": torch.tensor([1.0 + 2**-10]).half()}
    assert mix(first, second, 0.5)["a"].item() == 1 + 2**-11


def test_nothing_is_shared_with_the_endpoints():
    first = state([1.0] * 6)
    for alpha in (0, 0.5):
        mix(first, state([2.0] * 6), alpha)["a"].zero_()
    assert first["a"].all()


@pytest.mark.parametrize("alpha", [-0.01, 1.01, float("nan"), float("inf"), "0.5", None])
def test_another_alpha_is_refused(alpha):
    with pytest.raises(InputError, match=r"^The alpha"):
        mix(state([1.0] * 6), state([1.0] * 6), alpha)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"a": torch.zeros(2), "b": torch.zeros(1)}, {"a": torch.zeros(2)}, "only the first has b: choose two files"),
        ({"a": torch.zeros(2)}, {"a": torch.zeros(2), "b": torch.zeros(1)}, "only the second has b: choose two files"),
        (
            {"a": torch.zeros(2)},
            {"a": torch.zeros(1, 2)},
            r"a is \(2,\) in the first and \(1, 2\) in the second: choose two",
        ),
    ],
)
@pytest.mark.parametrize("alpha", [0, 0.5, 1])
def test_weight_sets_that_differ_are_refused_naming_the_first_difference(first, second, words, alpha):
    with pytest.raises(CheckpointError, match=words):
        mix(first, second, alpha)
