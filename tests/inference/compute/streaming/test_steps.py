"""Border rules, and the rows of each step compared with torch."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from napari_sr.inference.compute.streaming.border import border_reads, bordered, fold
from napari_sr.inference.compute.streaming.rows import Rows
from napari_sr.inference.compute.streaming.steps import ConvolveStep, PadStep, SumStep


@pytest.mark.parametrize(
    ("mode", "start", "stop", "length", "rows"),
    [
        ("replicate", -2, 5, 3, [0, 0, 0, 1, 2, 2, 2]),
        ("replicate", -3, 2, 1, [0, 0, 0, 0, 0]),
        ("reflect", -2, 5, 3, [2, 1, 0, 1, 2, 1, 0]),
        ("reflect", -1, 3, 2, [1, 0, 1, 0]),
        ("symmetric", -2, 5, 3, [1, 0, 0, 1, 2, 2, 1]),
        ("symmetric", -3, 5, 2, [1, 1, 0, 0, 1, 1, 0, 0]),
        ("symmetric", -3, 3, 1, [0, 0, 0, 0, 0, 0]),
    ],
)
def test_indices_outside_are_folded_by_the_border_rule(
    mode: str, start: int, stop: int, length: int, rows: list[int]
) -> None:
    assert fold(start, stop, length, mode).tolist() == rows


def test_an_unknown_border_rule_is_named() -> None:
    with pytest.raises(ValueError, match="circular"):
        fold(-1, 3, 2, "circular")


@pytest.mark.parametrize(
    ("low", "high", "rows", "mode", "reads"),
    [
        (2, 5, 9, "reflect", (2, 5)),
        (-2, 3, 9, "zeros", (0, 3)),
        (7, 11, 9, "zeros", (7, 9)),
        (-2, 1, 9, "replicate", (0, 1)),
        (8, 12, 9, "replicate", (8, 9)),
        (-3, 1, 9, "reflect", (0, 4)),
        (7, 12, 9, "reflect", (5, 9)),
        (8, 11, 9, "symmetric", (7, 9)),
    ],
)
def test_a_window_reads_the_rows_of_its_border(
    low: int, high: int, rows: int, mode: str, reads: tuple[int, int]
) -> None:
    assert border_reads(low, high, rows, mode) == reads


def filled(rows: int) -> Rows:
    made = Rows()
    made.append(torch.arange(1.0, rows + 1).reshape(1, 1, -1, 1))
    return made


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(-2, 1, [0, 0, 1]), (2, 5, [3, 0, 0]), (-1, 4, [0, 1, 2, 3, 0]), (0, 2, [1, 2])]
)
def test_zeros_are_added_above_and_below(low: int, high: int, expected: list[float]) -> None:
    assert bordered([filled(3)], low, high, 3, "zeros").flatten().tolist() == expected


@pytest.mark.parametrize(("low", "high"), [(-3, -1), (4, 6)], ids=["above", "below"])
def test_a_window_outside_the_image_is_zeros(low: int, high: int) -> None:
    assert bordered([filled(3)], low, high, 3, "zeros").flatten().tolist() == [0, 0]


def convolve(module: nn.Conv2d) -> ConvolveStep:
    return ConvolveStep(name="conv", inputs=(0,), output=1, module=module)


def border_of(step: ConvolveStep | PadStep) -> str:
    return step.module.padding_mode if isinstance(step, ConvolveStep) else step.mode


STEPS = st.one_of(
    st.builds(
        lambda k, d, mode: convolve(nn.Conv2d(1, 1, k, dilation=d, padding=(k - 1) * d // 2, padding_mode=mode)),
        st.sampled_from([1, 3, 5]),
        st.sampled_from([1, 2]),
        st.sampled_from(["zeros", "replicate", "reflect"]),
    ),
    st.builds(lambda k: convolve(nn.Conv2d(1, 1, k)), st.sampled_from([1, 3, 5])),
    st.builds(
        lambda top, bottom, mode: PadStep(
            name="pad", inputs=(0,), output=1, left=0, right=0, top=top, bottom=bottom, mode=mode
        ),
        st.integers(0, 4),
        st.integers(0, 4),
        st.sampled_from(["zeros", "replicate", "reflect"]),
    ),
)


@given(STEPS, st.integers(9, 14))
def test_reachable_rows_read_only_rows_that_are_there_and_later_rows_only_rows_that_are_kept(
    step: ConvolveStep | PadStep, rows: int
) -> None:
    def reads(start: int, stop: int) -> tuple[int, int]:
        return border_reads(*step.needs(start, stop, rows), rows, border_of(step))

    total = step.total(rows)
    before = 0
    for there in range(rows + 1):
        now = step.reach(there, rows)
        assert now >= before
        if now > before:
            assert reads(before, now)[1] <= there
        before = now
    assert before == total
    for next_row in range(total):
        for row in range(next_row, total):
            low, high = reads(row, row + 1)
            if low < high:
                assert low >= step.keeps(next_row, rows)


@pytest.mark.parametrize("mode", ["zeros", "replicate", "reflect"])
@given(kernel=st.sampled_from([1, 3, 5, 9]), features=st.sampled_from([3, 40]), rows=st.integers(5, 14), data=st.data())
def test_a_convolution_gives_the_same_rows_for_any_division_into_ranges(
    mode: str, kernel: int, features: int, rows: int, data: st.DataObject
) -> None:
    torch.manual_seed(0)
    padding = data.draw(st.integers(0, kernel // 2))
    module = nn.Conv2d(2, features, kernel, padding=padding, padding_mode=mode).double().requires_grad_(False)
    image = torch.rand(1, 2, rows, 9, dtype=torch.float64)
    # A network that gives fewer rows than it gets can have too few.
    total = rows + 2 * padding - kernel + 1
    if total < 1:
        return
    step = convolve(module)
    held = Rows()
    held.append(image)
    cuts = sorted({0, total, *data.draw(st.lists(st.integers(1, total), max_size=3))})
    made = [step.compute([held], start, stop, rows) for start, stop in itertools.pairwise(cuts)]
    assert [part.shape[2] for part in made] == [stop - start for start, stop in itertools.pairwise(cuts)]
    torch.testing.assert_close(torch.cat(made, 2), module(image))


def test_all_rows_but_the_first_are_not_treated_as_the_whole_image() -> None:
    torch.manual_seed(0)
    module = nn.Conv2d(1, 40, 5, padding=2).double().requires_grad_(False)
    image = torch.rand(1, 1, 7, 9, dtype=torch.float64)
    step = convolve(module)
    held = Rows()
    held.append(image)
    torch.testing.assert_close(step.compute([held], 1, 7, 7), module(image)[:, :, 1:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("factors", [(1.0, 0.2), (0.2, 1.0), (0.2, 0.2)])
def test_a_sum_is_rounded_as_in_the_network(dtype: torch.dtype, factors: tuple[float, float]) -> None:
    torch.manual_seed(0)
    x, y = (torch.rand(1, 3, 40, 30).to(dtype).contiguous(memory_format=torch.channels_last) for _ in range(2))
    a, b = factors
    rows = Rows(), Rows()
    for held, values in zip(rows, (x, y), strict=True):
        held.append(values)
    found = SumStep(name="sum", inputs=(0, 1), output=2, factors=factors).compute(rows, 0, 40, 40)
    plain = x * a + y * b
    # In half precision bit for bit, or what streams would lie farther from float32 than the whole image does.
    assert torch.allclose(found, plain, rtol=1e-6 if dtype == torch.float32 else 0, atol=0)
