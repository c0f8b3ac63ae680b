"""Rows hold what is needed and no more; they are gathered without unnecessary copies."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from napari_sr.inference.compute.streaming.rows import Rows, Workspace, gather

WIDTH = 5


def numbered(rows: int, channels: int = 2, first: int = 0) -> Tensor:
    """Rows whose values tell where they belong."""
    row = torch.arange(first, first + rows, dtype=torch.float64).reshape(1, 1, -1, 1)
    channel = torch.arange(channels, dtype=torch.float64).reshape(1, -1, 1, 1)
    column = torch.arange(WIDTH, dtype=torch.float64).reshape(1, 1, 1, -1)
    return (1000 * channel + 10 * row + column).contiguous(memory_format=torch.channels_last)


def filled(*sizes: int, channels: int = 2) -> Rows:
    rows = Rows()
    for size in sizes:
        rows.append(numbered(size, channels, rows.stop))
    return rows


def memory(rows: Rows) -> int:
    """Bytes that are held for rows, whoever looks at them, the room for a tail among them."""
    held = [piece for _, piece in rows.pieces(0, rows.stop)] + ([] if rows._tail is None else [rows._tail])
    return sum({p.untyped_storage().data_ptr(): p.untyped_storage().nbytes() for p in held}.values())


def test_chunks_are_consecutive() -> None:
    rows = filled(3, 1, 4)
    assert (rows.start, rows.stop) == (0, 8)
    assert [(first, piece.shape[2]) for first, piece in rows.pieces(0, 8)] == [(0, 3), (3, 1), (4, 4)]


def test_an_empty_chunk_changes_nothing() -> None:
    rows = filled(3)
    rows.append(numbered(0))
    assert rows.stop == rows.held == 3
    assert len(list(rows.pieces(0, 3))) == 1


def test_pieces_are_views_of_the_requested_rows() -> None:
    rows = Rows()
    chunk = numbered(6)
    rows.append(chunk)
    ((first, piece),) = rows.pieces(2, 5)
    assert first == 2
    assert torch.equal(piece, numbered(3, first=2))
    assert piece.untyped_storage().data_ptr() == chunk.untyped_storage().data_ptr()


def test_pieces_cut_the_chunks_at_both_ends() -> None:
    found = list(filled(3, 2, 3).pieces(2, 6))
    assert [(first, piece.shape[2]) for first, piece in found] == [(2, 1), (3, 2), (5, 1)]
    assert torch.equal(torch.cat([piece for _, piece in found], 2), numbered(4, first=2))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6), st.lists(st.integers(0, 40), max_size=6), st.data())
def test_rows_that_were_not_released_are_unchanged(sizes: list[int], firsts: list[int], data: st.DataObject) -> None:
    rows = filled(*sizes)
    for first in firsts:
        rows.release(first)
    assert rows.start == min(max(firsts, default=0), sum(sizes))
    assert rows.stop == sum(sizes)
    start = data.draw(st.integers(rows.start, rows.stop))
    stop = data.draw(st.integers(start, rows.stop))
    found = list(rows.pieces(start, stop))
    assert sum(piece.shape[2] for _, piece in found) == stop - start
    assert all(torch.equal(piece, numbered(piece.shape[2], first=first)) for first, piece in found)


def test_a_released_row_stays_released() -> None:
    rows = filled(4, 4)
    rows.release(5)
    rows.release(2)
    assert rows.start == 5
    assert min(first for first, _ in rows.pieces(0, 8)) >= 4


def test_released_chunks_are_freed() -> None:
    rows = filled(4, 4, 4)
    before = memory(rows)
    rows.release(4)
    assert memory(rows) == before * 2 // 3
    rows.release(12)
    assert memory(rows) == 0


@given(st.integers(1, 40), st.integers(0, 40))
def test_a_mostly_released_chunk_holds_at_most_twice_its_rows(size: int, first: int) -> None:
    rows = filled(size)
    rows.release(min(first, size))
    left = size - rows.start
    each = 2 * WIDTH * 8
    assert left * each <= memory(rows) <= (2 * left + 1) * each * (left > 0)


def test_two_rows_of_a_large_strip_hold_two_rows_of_memory() -> None:
    rows = filled(64)
    rows.release(62)
    assert memory(rows) == 2 * 2 * WIDTH * 8
    ((_, piece),) = rows.pieces(62, 64)
    assert torch.equal(piece, numbered(2, first=62))
    assert piece.is_contiguous(memory_format=torch.channels_last)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.lists(st.integers(0, 45), max_size=5))
def test_held_is_the_number_of_rows_with_memory(sizes: list[int], firsts: list[int]) -> None:
    rows = filled(*sizes)
    for first in firsts:
        rows.release(first)
    assert rows.held * 2 * WIDTH * 8 == memory(rows)


def test_the_tail_has_the_same_memory_for_every_strip() -> None:
    rows = filled(8)
    rows.release(6)
    places = set()
    for strip in range(1, 9):
        ((_, tail),) = rows.pieces(rows.start, rows.stop)
        assert torch.equal(tail, numbered(2, first=8 * strip - 2))
        places.add(tail.data_ptr())
        rows.append(numbered(8, first=8 * strip))
        rows.release(8 * strip + 6)
    assert len(places) == 1


def test_gathering_from_one_chunk_copies_nothing() -> None:
    rows = Rows()
    chunk = numbered(6)
    rows.append(chunk)
    rows.append(numbered(3, first=6))
    window = gather([rows], 1, 5)
    assert window.data_ptr() == chunk[:, :, 1:].data_ptr()
    assert torch.equal(window, numbered(4, first=1))


def test_gathering_from_several_chunks_is_one_new_tensor() -> None:
    rows = filled(3, 2, 4)
    window = gather([rows], 2, 7)
    assert torch.equal(window, numbered(5, first=2))
    held = {piece.untyped_storage().data_ptr() for _, piece in rows.pieces(0, 9)}
    assert window.untyped_storage().data_ptr() not in held
    assert window.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("above", "below"), [(2, 0), (0, 3), (1, 2)])
def test_gathering_adds_rows_of_zeros(above: int, below: int) -> None:
    window = gather([filled(4)], 1, 3, above, below)
    assert window.shape == (1, 2, above + 2 + below, WIDTH)
    assert torch.equal(window[:, :, above : above + 2], numbered(2, first=1))
    assert not window[:, :, :above].any()
    assert not window[:, :, above + 2 :].any()


def test_zeros_are_written_to_used_memory() -> None:
    rows = filled(4)
    for _ in range(20):
        used = torch.full((1, 2, 9, WIDTH), torch.nan, dtype=torch.float64)
        del used
        assert not gather([rows], 0, 4, 2, 3).isnan().any()


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2), st.data())
def test_parts_are_concatenated_however_they_are_chunked(
    first: int, second: int, above: int, below: int, data: st.DataObject
) -> None:
    total = 9
    cut = lambda: sorted({0, total, *data.draw(st.lists(st.integers(0, total), max_size=3))})  # noqa: E731
    parts = []
    for channels in (first, second):
        ends = cut()
        parts.append(filled(*(b - a for a, b in pairwise(ends)), channels=channels))
    start = data.draw(st.integers(0, total - 1))
    stop = data.draw(st.integers(start + 1, total))
    window = gather(parts, start, stop, above, below)
    expected = torch.cat([numbered(stop - start, channels, start) for channels in (first, second)], 1)
    assert torch.equal(window, torch.nn.functional.pad(expected, (0, 0, above, below)))


def test_a_workspace_is_allocated_once_and_gives_the_same_tensors() -> None:
    parts = [filled(9), filled(9)]
    workspace = Workspace()
    first = gather(parts, 0, 9, 1, 2, workspace=workspace)
    place = first.data_ptr()
    assert torch.equal(first, gather(parts, 0, 9, 1, 2))
    second = gather(parts, 4, 7, workspace=workspace)
    assert second.data_ptr() == place
    assert second.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(second, gather(parts, 4, 7))
