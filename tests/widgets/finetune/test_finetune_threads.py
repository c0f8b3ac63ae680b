"""A training on its own thread: pause, resume, stop, and windows that are closed meanwhile."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_sr import list_models
from napari_sr.training.finetuning import runs_folder
from napari_sr.widgets.finetune.panel import FinetunePanel
from napari_sr.widgets.qt.executor import ThreadExecutor

# More steps than any test waits for.
ENDLESS = 400_000


@pytest.fixture
def training(make_napari_viewer_proxy, models, qtbot):
    """A viewer and a panel whose training has done a step and would last for hours."""
    viewer = make_napari_viewer_proxy()
    viewer.add_image(np.kron(np.arange(144).reshape(12, 12) % 13, np.ones((8, 8))).astype(np.uint16), name="cells")
    panel = FinetunePanel(viewer, executor=ThreadExecutor())
    viewer.window.add_dock_widget(panel, name="Fine-tune")
    panel.models.select("srcnn-x2")
    panel.recipe.steps.value = ENDLESS
    panel.recipe.patch.value, panel.recipe.batch.value = 8, 2
    panel.controls.start_button.native.click()
    qtbot.waitUntil(lambda: len(panel.progress.curves.steps) > 1, timeout=120_000)
    yield viewer, panel
    if panel.running:
        panel.shut_down()


def user_models():
    return [entry.name for entry in list_models() if entry.where == "user"]


def test_pause_holds_the_training_and_resume_continues_it(training, qtbot):
    _, panel = training
    controls = panel.controls
    assert not controls.start_button.enabled
    controls.pause_button.native.click()
    qtbot.waitUntil(lambda: controls.message.value.startswith("Paused after step"), timeout=60_000)
    assert controls.pause_button.text == "Resume"
    held = panel.progress.curves.steps[-1]
    qtbot.wait(300)
    assert panel.progress.curves.steps[-1] == held
    controls.pause_button.native.click()
    qtbot.waitUntil(lambda: panel.progress.curves.steps[-1] > held, timeout=60_000)
    assert controls.pause_button.text == "Pause"


def test_stop_keeps_the_model_and_resume_continues_the_same_run(training, qtbot):
    _, panel = training
    controls = panel.controls
    controls.stop_button.native.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=60_000)
    assert "as it was when the training was stopped" in panel.outcome.title.value
    assert "srcnn-x2-quick" in user_models()
    done = panel.outcome.trained.outcome.step
    assert controls.pause_button.text == "Resume"
    controls.pause_button.native.click()
    qtbot.waitUntil(lambda: panel.progress.curves.steps[-1] > done, timeout=60_000)
    assert panel.progress.curves.steps == list(range(1, panel.progress.curves.steps[-1] + 1))
    assert len(list(runs_folder().iterdir())) == 1
    controls.stop_button.native.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=60_000)


def test_a_resumed_training_that_is_stopped_before_its_first_step_can_be_resumed_again(training, qtbot):
    _, panel = training
    controls = panel.controls
    controls.stop_button.native.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=60_000)
    title, done = panel.outcome.title.value, panel.outcome.trained.outcome.step
    controls.pause_button.native.click()
    controls.stop_button.native.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=60_000)
    assert controls.message.value == "Stopped. Resume continues from here."
    assert panel.outcome.trained is not None
    assert panel.outcome.title.value == title
    assert controls.pause_button.enabled
    controls.pause_button.native.click()
    qtbot.waitUntil(lambda: panel.progress.curves.steps[-1] > done, timeout=60_000)
    assert len(list(runs_folder().iterdir())) == 1
    controls.stop_button.native.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=60_000)


def test_stop_ends_a_pause(training, qtbot):
    _, panel = training
    panel.progress.pause()
    qtbot.waitUntil(lambda: panel.controls.message.value.startswith("Paused after step"), timeout=60_000)
    panel.progress.stop()
    qtbot.waitUntil(lambda: not panel.running, timeout=60_000)
    assert "srcnn-x2-quick" in user_models()


def thread_free(panel):
    """Return an event that is set when no thread works on the training any more."""
    free = threading.Event()
    run = panel.progress.training._run
    next_of_queue = run._thread_free

    def freed():
        free.set()
        next_of_queue()

    run.on_thread_free(freed)
    return free


def test_closing_the_panel_ends_the_training_and_makes_no_model(training, qtbot):
    viewer, panel = training
    before = user_models()
    free = thread_free(panel)
    viewer.window.remove_dock_widget(panel.native.parent())
    qtbot.waitUntil(free.is_set, timeout=60_000)
    assert user_models() == before
    assert [layer.name for layer in viewer.layers] == ["cells"]


def test_steps_that_were_done_before_the_panel_was_closed_are_not_shown_after_it(training, qtbot):
    """A timer of their message would find deleted widgets."""
    _, panel = training
    progress = panel.progress
    free, shown = thread_free(panel), len(progress.curves.steps)
    last = replace(progress._latest, step=progress._latest.step + 1)
    progress.training._events._events.append(last)
    panel.shut_down()
    assert len(progress.curves.steps) == shown
    assert not progress._message_timer.isActive()
    qtbot.waitUntil(free.is_set, timeout=60_000)


def test_closing_the_viewer_ends_the_training_and_makes_no_model(training, qtbot):
    viewer, panel = training
    before = user_models()
    free = thread_free(panel)
    panel.progress.pause()
    viewer.close()
    qtbot.waitUntil(free.is_set, timeout=60_000)
    assert user_models() == before


def test_the_training_is_no_task_of_the_window_that_is_in_front(training, qtbot):
    viewer, panel = training
    # A window that is closed ends its tasks; the training ends with its own panel.
    viewer.__wrapped__.window._task_status_manager.cancel_all()
    steps = panel.controls.bar.value
    qtbot.waitUntil(lambda: panel.controls.bar.value > steps, timeout=60_000)
    assert panel.running
