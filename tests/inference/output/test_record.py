"""The record of finished blocks holds no more than what was written to it, wherever its end is cut off."""

import pytest

from napari_sr.inference.output.record import FinishedBlocks


def test_blocks_are_read_again_with_their_shape(tmp_path):
    record = FinishedBlocks(tmp_path / "record")
    assert (record.shape, record.numbers) == (None, set())
    for number in (3, 0, 12):
        record.add((64, 128), number)
    again = FinishedBlocks(tmp_path / "record")
    assert (again.shape, again.numbers) == ((64, 128), {0, 3, 12})


@pytest.mark.parametrize("left", range(1, 13))
def test_a_line_that_was_cut_off_is_left_out_and_the_next_one_is_not(tmp_path, left):
    path = tmp_path / "record"
    FinishedBlocks(path).add((64, 128), 3)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\n[64, 128, 12]"[:left])
    assert FinishedBlocks(path).numbers == {3}
    FinishedBlocks(path).add((64, 128), 7)
    assert FinishedBlocks(path).numbers == {3, 7}
