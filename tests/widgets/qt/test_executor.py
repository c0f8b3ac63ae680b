"""Work is done on any thread; its callbacks are called on the main thread, and exactly one of them with the end."""

import subprocess
import sys
import threading

import pytest

from napari_sr.errors import Cancelled, InputError
from napari_sr.widgets.qt.executor import InPlaceExecutor, ThreadExecutor
from napari_sr.widgets.qt.run import Run, assert_main_thread


class Recorder:
    """Records the calls of a run's callbacks, and their threads."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []
        self.threads: set[threading.Thread] = set()

    def record(self, callback, *arguments):
        self.threads.add(threading.current_thread())
        self.calls.append((callback, *arguments))

    def run(self, work, **more):
        return Run(
            "a test",
            work,
            returned=lambda result: self.record("returned", result),
            errored=lambda error: self.record("errored", error),
            cancelled=lambda: self.record("cancelled"),
            progressed=lambda done, total: self.record("progressed", done, total),
            **more,
        )

    @property
    def ends(self):
        return [call for call in self.calls if call[0] != "progressed"]


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


def test_result_and_progress_reach_the_main_thread(perform):
    recorder, workers = Recorder(), []

    def work(progress, cancel):
        workers.append(threading.current_thread())
        progress(1, 2)
        progress(2, 2)
        return 42

    perform(recorder.run(work))
    assert recorder.ends == [("returned", 42)]
    assert recorder.calls[-2] == ("progressed", 2, 2)
    assert recorder.threads == {threading.main_thread()}
    assert len(workers) == 1


@pytest.mark.parametrize("error", [InputError("no"), ValueError("a bug"), RuntimeError("from torch")])
def test_an_error_is_reported_once(perform, error):
    recorder = Recorder()

    def work(progress, cancel):
        raise error

    perform(recorder.run(work))
    assert recorder.ends == [("errored", error)]


def test_work_that_stops_on_request_is_cancelled(perform):
    recorder = Recorder()

    def work(progress, cancel):
        run.cancel()
        assert cancel()
        raise Cancelled("stopped")

    run = recorder.run(work)
    perform(run)
    assert recorder.ends == [("cancelled",)]


def test_a_result_after_the_cancel_is_dropped(perform):
    recorder = Recorder()

    def work(progress, cancel):
        run.cancel()
        return "too late"

    run = recorder.run(work)
    perform(run)
    assert recorder.ends == [("cancelled",)]


def test_no_progress_is_shown_while_a_run_stops(perform):
    recorder = Recorder()

    def work(progress, cancel):
        run.cancel()
        progress(1, 1)
        raise Cancelled("stopped")

    run = recorder.run(work)
    perform(run)
    assert recorder.calls == [("cancelled",)]


def test_a_run_cancelled_before_it_starts_does_no_work(perform):
    recorder, worked = Recorder(), []
    run = recorder.run(lambda progress, cancel: worked.append(1))
    run.cancel()
    perform(run)
    assert recorder.ends == [("cancelled",)]
    assert not worked


def test_an_abandoned_run_stops_and_calls_nothing(qtbot):
    recorder = Recorder()
    started, stopped = threading.Event(), threading.Event()

    def work(progress, cancel):
        started.set()
        while not cancel():
            pass
        stopped.set()
        raise Cancelled("stopped")

    run = recorder.run(work)
    ThreadExecutor().submit(run)
    assert started.wait(10)
    run.abandon()
    assert stopped.wait(10)
    qtbot.wait(100)
    assert recorder.calls == []


def test_the_thread_of_the_work_is_not_the_main_thread(qtbot):
    recorder = Recorder()
    run = recorder.run(lambda progress, cancel: assert_main_thread())
    ThreadExecutor().submit(run)
    qtbot.waitUntil(lambda: run.ended, timeout=10_000)
    ((callback, error),) = recorder.ends
    assert callback == "errored"
    assert "main thread" in str(error)


def test_a_run_that_has_ended_holds_no_references(perform):
    import gc
    import weakref

    class Array:
        """Stands for a large one."""

    array = Array()
    gone = weakref.ref(array)
    recorder = Recorder()
    run = recorder.run(lambda progress, cancel, kept=array: None)
    perform(run)
    del array
    gc.collect()
    assert gone() is None


def test_a_run_is_no_task_of_the_window_in_front(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy()
    recorder, release = Recorder(), threading.Event()
    run = recorder.run(lambda p, c: release.wait(10))
    ThreadExecutor().submit(run)
    assert not viewer.__wrapped__.window._task_status_manager.is_busy()
    release.set()
    qtbot.waitUntil(lambda: run.ended, timeout=10_000)


def test_the_end_of_the_application_waits_for_work_that_cannot_be_stopped():
    script = """
import time
from qtpy.QtCore import QCoreApplication, QTimer
from napari_sr.widgets.qt.executor import ThreadExecutor
from napari_sr.widgets.qt.run import Run, assert_main_thread

def work(progress, cancel):
    time.sleep(1)
    print("worked", flush=True)

application = QCoreApplication([])
executor = ThreadExecutor(threads=1)
executor.submit(Run("work", work, returned=id, errored=print))
QTimer.singleShot(100, application.quit)
application.exec()
print("ended", flush=True)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert ended.stdout.split() == ["worked", "ended"]
