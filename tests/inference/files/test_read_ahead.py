"""The next item is read while one is used, and each item is read once and taken once."""

from threading import Event, Thread

import pytest

from napari_sr.errors import InputError
from napari_sr.inference.files.read_ahead import ReadAhead


def test_the_next_item_is_read_before_it_is_taken():
    read = [Event() for _ in range(3)]

    def reading(item):
        read[item].set()
        return item * 10

    with ReadAhead(range(3), reading, lambda item: True) as items:
        first, result = items.take()
        assert (first, read[1].wait(10), read[2].is_set()) == (0, True, False)
        assert result() == 0
        second, result = items.take()
        assert (second, result(), read[2].wait(10)) == (1, 10, True)
        assert items.take()[1]() == 20
        assert items.take() is None


def test_an_item_that_is_too_large_is_read_in_its_turn():
    read = []
    with ReadAhead([1, 2, 3], lambda item: read.append(item) or item, lambda item: item != 2) as items:
        _, result = items.take()
        assert (result(), read) == (1, [1])
        _, result = items.take()
        assert result() == 2
        assert items.take()[1]() == 3


def test_an_item_that_failed_beside_another_one_is_read_again():
    attempts = []

    def reading(item):
        attempts.append(item)
        if attempts.count(item) == 1:
            raise InputError("It does not fit into memory.")
        return item

    with ReadAhead([1, 2], reading, lambda item: True) as items:
        with pytest.raises(InputError):
            items.take()[1]()
        assert items.take()[1]() == 2
    assert attempts.count(2) == 2


def test_several_threads_take_each_item_once():
    taken, count = [], 200

    def work(items):
        while (next_one := items.take()) is not None:
            item, result = next_one
            taken.append((item, result()))

    with ReadAhead(range(count), lambda item: -item, lambda item: item % 3 != 0, ahead=3) as items:
        threads = [Thread(target=work, args=(items,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(taken) == [(item, -item) for item in range(count)]
