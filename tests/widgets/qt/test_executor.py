"""Work goes on anywhere; who hears of it is on the main thread, and hears one end."""

import threading

import pytest

from napari_sr.errors import Cancelled, InputError
from napari_sr.widgets.qt.executor import InPlaceExecutor, Run, ThreadExecutor, assert_main_thread


class Ear:
    """Notes what it hears, and on which thread."""

    def __init__(self) -> None:
        self.heard: list[tuple] = []
        self.threads: set[threading.Thread] = set()

    def note(self, what, *arguments):
        self.threads.add(threading.current_thread())
        self.heard.append((what, *arguments))

    def run(self, work, **more):
        return Run(
            "a test",
            work,
            returned=lambda result: self.note("returned", result),
            errored=lambda error: self.note("errored", error),
            cancelled=lambda: self.note("cancelled"),
            progressed=lambda done, total: self.note("progressed", done, total),
            **more,
        )

    @property
    def ends(self):
        return [heard for heard in self.heard if heard[0] != "progressed"]


@pytest.fixture(params=["in place", "thread"])
def perform(request, qtbot):
    """Do a run from beginning to end, with either executor."""

    def perform(run):
        if request.param == "in place":
            InPlaceExecutor().submit(run)
            return
        ThreadExecutor().submit(run)
        qtbot.waitUntil(lambda: run.ended, timeout=10_000)
        qtbot.wait(50)

    return perform


def test_result_and_progress_are_told_on_the_main_thread(perform):
    ear, workers = Ear(), []

    def work(progress, cancel):
        workers.append(threading.current_thread())
        progress(1, 2)
        progress(2, 2)
        return 42

    perform(ear.run(work))
    assert ear.ends == [("returned", 42)]
    assert ear.heard[-2] == ("progressed", 2, 2)
    assert ear.threads == {threading.main_thread()}
    assert len(workers) == 1


@pytest.mark.parametrize("error", [InputError("no"), ValueError("a bug"), RuntimeError("torch says so")])
def test_an_error_is_told_once(perform, error):
    ear = Ear()

    def work(progress, cancel):
        raise error

    perform(ear.run(work))
    assert ear.ends == [("errored", error)]


def test_work_that_stops_when_asked_is_told_as_cancelled(perform):
    ear = Ear()

    def work(progress, cancel):
        run.cancel()
        assert cancel()
        raise Cancelled("stopped")

    run = ear.run(work)
    perform(run)
    assert ear.ends == [("cancelled",)]


def test_a_result_that_comes_after_the_cancel_is_not_told(perform):
    ear = Ear()

    def work(progress, cancel):
        run.cancel()
        return "too late"

    run = ear.run(work)
    perform(run)
    assert ear.ends == [("cancelled",)]


def test_a_run_cancelled_before_it_starts_does_no_work(perform):
    ear, worked = Ear(), []
    run = ear.run(lambda progress, cancel: worked.append(1))
    run.cancel()
    perform(run)
    assert ear.ends == [("cancelled",)]
    assert not worked


def test_an_abandoned_run_stops_and_tells_nobody(qtbot):
    ear = Ear()
    started, stopped = threading.Event(), threading.Event()

    def work(progress, cancel):
        started.set()
        while not cancel():
            pass
        stopped.set()
        raise Cancelled("stopped")

    run = ear.run(work)
    ThreadExecutor().submit(run)
    assert started.wait(10)
    run.abandon()
    assert stopped.wait(10)
    qtbot.wait(100)
    assert ear.heard == []


def test_the_thread_is_another_one_and_may_not_touch_the_viewer(qtbot):
    ear = Ear()
    run = ear.run(lambda progress, cancel: assert_main_thread())
    ThreadExecutor().submit(run)
    qtbot.waitUntil(lambda: run.ended, timeout=10_000)
    ((what, error),) = ear.ends
    assert what == "errored"
    assert "main thread" in str(error)


def test_nothing_is_kept_of_a_run_that_has_ended(perform):
    import gc
    import weakref

    class Array:
        """Stands for a large one."""

    array = Array()
    gone = weakref.ref(array)
    ear = Ear()
    run = ear.run(lambda progress, cancel, kept=array: None)
    perform(run)
    del array
    gc.collect()
    assert gone() is None


def test_napari_names_the_run_when_it_is_asked_to_close(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy()
    ear, release = Ear(), threading.Event()
    run = Run("upscaling “cells”", lambda p, c: release.wait(10), returned=ear.note, errored=ear.note)
    ThreadExecutor().submit(run)
    manager = viewer.__wrapped__.window._task_status_manager
    assert "upscaling “cells”" in manager.get_status()[-1]
    release.set()
    qtbot.waitUntil(lambda: not manager.is_busy(), timeout=10_000)


def test_background_work_is_not_asked_about(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy()
    ear, release = Ear(), threading.Event()
    run = ear.run(lambda p, c: release.wait(10), announced=False)
    ThreadExecutor().submit(run)
    assert not viewer.__wrapped__.window._task_status_manager.is_busy()
    release.set()
    qtbot.waitUntil(lambda: run.ended, timeout=10_000)
