"""Jobs wait for one another; previews do not wait for jobs."""

import threading

import pytest

from napari_sr.widgets.qt.executor import InPlaceExecutor, ThreadExecutor
from napari_sr.widgets.qt.queues import WorkQueue, queues_on
from napari_sr.widgets.qt.run import Run


class Step:
    """A run that lasts until `go_on` is set."""

    def __init__(self, calls, name):
        self.started, self.go_on, self.passed = threading.Event(), threading.Event(), 0
        self.run = Run(
            name,
            self.work,
            returned=lambda result: calls.append(f"{name} returned"),
            errored=lambda error: calls.append(f"{name} {error!r}"),
            cancelled=lambda: calls.append(f"{name} cancelled"),
        )

    def work(self, progress, cancel):
        self.started.set()
        while not self.go_on.wait(0.001):
            if cancel():
                break
            self.passed += 1


@pytest.fixture
def calls():
    return []


@pytest.fixture
def step(calls):
    made = []

    def make(name):
        made.append(Step(calls, name))
        return made[-1]

    yield make
    for made_step in made:
        made_step.run.abandon()
        made_step.go_on.set()


def test_runs_come_one_after_another(qtbot, calls, step):
    queue = WorkQueue(ThreadExecutor(threads=4))
    first, second, third = step("first"), step("second"), step("third")
    for each in (first, second, third):
        queue.submit(each.run)
    assert first.started.wait(10)
    assert [queue.ahead(each.run) for each in (first, second, third)] == [0, 1, 2]
    assert not second.started.is_set()
    first.go_on.set()
    qtbot.waitUntil(second.started.is_set, timeout=10_000)
    assert calls == ["first returned"]
    assert not third.started.is_set()
    second.go_on.set()
    third.go_on.set()
    qtbot.waitUntil(lambda: not queue.busy, timeout=10_000)
    assert calls == ["first returned", "second returned", "third returned"]


def test_a_waiting_run_can_be_cancelled_at_once(qtbot, calls, step):
    queue = WorkQueue(ThreadExecutor(threads=4))
    first, second = step("first"), step("second")
    queue.submit(first.run)
    queue.submit(second.run)
    queue.cancel(second.run)
    assert calls == ["second cancelled"]
    queue.cancel(first.run)
    qtbot.waitUntil(lambda: not queue.busy, timeout=10_000)
    assert calls == ["second cancelled", "first cancelled"]
    assert not second.started.is_set()


def test_an_abandoned_run_keeps_the_queue_until_its_thread_is_free(qtbot, calls, step):
    queue = WorkQueue(ThreadExecutor(threads=4))
    first, gone, last = step("first"), step("gone"), step("last")
    for each in (first, gone, last):
        queue.submit(each.run)
    assert first.started.wait(10)
    queue.abandon(gone.run)
    assert queue.ahead(last.run) == 1
    queue.abandon(first.run)
    last.go_on.set()
    qtbot.waitUntil(lambda: not queue.busy, timeout=10_000)
    assert calls == ["last returned"]
    assert not gone.started.is_set()


def test_a_run_that_is_abandoned_while_it_waits_is_no_longer_ahead_of_others(step):
    queue = WorkQueue(ThreadExecutor(threads=4))
    first, gone, last = step("first"), step("gone"), step("last")
    for each in (first, gone, last):
        queue.submit(each.run)
    ahead = []
    queue.add_listener(lambda: ahead.append(queue.ahead(last.run)))
    queue.abandon(gone.run)
    assert ahead == [1]


def test_a_job_pauses_while_a_preview_is_made(qtbot, calls, step):
    previews = WorkQueue(ThreadExecutor(threads=1))
    jobs = WorkQueue(ThreadExecutor(threads=1), previews)
    job, preview = step("job"), step("preview")
    jobs.submit(job.run)
    qtbot.waitUntil(lambda: job.passed > 3, timeout=10_000)
    previews.submit(preview.run)
    assert preview.started.wait(10)
    qtbot.wait(50)  # the step that the job was in when the preview came
    before = job.passed
    qtbot.wait(100)
    assert job.passed == before
    preview.go_on.set()
    qtbot.waitUntil(lambda: job.passed > before, timeout=10_000)
    job.go_on.set()
    qtbot.waitUntil(lambda: not jobs.busy, timeout=10_000)
    assert calls == ["preview returned", "job returned"]


def test_a_paused_job_can_be_cancelled(qtbot, calls, step):
    previews = WorkQueue(ThreadExecutor(threads=1))
    jobs = WorkQueue(ThreadExecutor(threads=1), previews)
    job, preview = step("job"), step("preview")
    previews.submit(preview.run)
    jobs.submit(job.run)
    assert job.started.wait(10)
    jobs.cancel(job.run)
    qtbot.waitUntil(lambda: not jobs.busy, timeout=10_000)
    assert calls == ["job cancelled"]


def test_an_error_lets_the_next_one_start(qtbot, calls):
    queue = queues_on(InPlaceExecutor()).jobs
    changes = []
    queue.add_listener(lambda: changes.append(queue.busy))

    def fail(progress, cancel):
        raise ValueError("broken")

    bad = Run("bad", fail, returned=calls.append, errored=lambda error: calls.append(str(error)))
    good = Run("good", lambda p, c: "fine", returned=calls.append, errored=calls.append)
    queue.submit(bad)
    queue.submit(good)
    assert calls == ["broken", "fine"]
    assert not queue.busy
    assert changes[-1] is False
