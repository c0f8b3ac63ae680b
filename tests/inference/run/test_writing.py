"""Parts of a result are written in order, beside the computation of the next ones, and no error is lost."""

from __future__ import annotations

import threading

import pytest

from napari_sr.inference.run.writing import MOST_WAITING, Writing


@pytest.mark.parametrize("beside", [False, True])
def test_functions_are_called_in_order_before_the_context_ends(beside: bool) -> None:
    called: list[int] = []
    with Writing(beside=beside) as writing:
        for n in range(20):
            writing.add(called.append, n)
    assert called == list(range(20))


def test_the_caller_goes_on_until_two_parts_are_not_written() -> None:
    may_write, begun, called = threading.Event(), threading.Event(), []

    def write(n: int) -> None:
        begun.set()
        assert may_write.wait(30)
        called.append((n, threading.current_thread() is threading.main_thread()))

    with Writing(beside=True) as writing:
        for n in range(MOST_WAITING):
            writing.add(write, n)
        assert begun.wait(30)
        assert not called
        # The next one waits for the first.
        threading.Timer(0.05, may_write.set).start()
        writing.add(write, MOST_WAITING)
        assert called
    assert called == [(n, False) for n in range(MOST_WAITING + 1)]


def test_without_a_thread_a_function_is_called_at_once() -> None:
    called: list[int] = []
    with Writing(beside=False) as writing:
        writing.add(called.append, 1)
        assert called == [1]


def fail() -> None:
    raise OSError("disk full")


@pytest.mark.parametrize("beside", [False, True])
def test_an_error_of_a_function_ends_the_context(beside: bool) -> None:
    with pytest.raises(OSError, match="disk full"), Writing(beside=beside) as writing:
        writing.add(fail)


def test_an_error_is_raised_by_one_of_the_next_calls() -> None:
    called = 0
    with pytest.raises(OSError, match="disk full"), Writing(beside=True) as writing:
        for n in range(100):
            called = n
            writing.add(fail)
    assert called == MOST_WAITING


def test_after_an_exception_nothing_is_written_any_more() -> None:
    may_write, begun, called = threading.Event(), threading.Event(), []

    def write(n: int) -> None:
        begun.set()
        assert may_write.wait(30)
        called.append(n)

    def interrupted() -> None:
        with Writing(beside=True) as writing:
            writing.add(write, 0)
            writing.add(write, 1)
            assert begun.wait(30)
            threading.Timer(0.05, may_write.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    # The one that had begun was waited for, so that no thread writes after the end.
    assert called == [0]
