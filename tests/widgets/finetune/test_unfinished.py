"""A training that napari's end interrupted is offered by the next panel, and continues from its checkpoint."""

import json
import shutil

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_sr import list_models
from napari_sr.errors import InputError
from napari_sr.owner import this_process
from napari_sr.training.finetuning import runs_folder
from napari_sr.widgets.finetune.panel import FinetunePanel
from napari_sr.widgets.finetune.run import EventQueue
from napari_sr.widgets.finetune.unfinished import CHOICES, unfinished_trainings
from napari_sr.widgets.qt.executor import InPlaceExecutor

RECTANGLE = [[0, 0], [0, 60], [60, 60], [60, 0]]


def field(seed=0):
    coarse = np.kron(np.random.default_rng(seed).integers(0, 3000, (12, 12)), np.ones((8, 8)))
    return coarse.astype(np.uint16)


def open_panel(viewer):
    panel = FinetunePanel(viewer, executor=InPlaceExecutor())
    viewer.window.add_dock_widget(panel, name="Fine-tune")
    return panel


def click(button):
    QTest.mouseClick(button.native, Qt.MouseButton.LeftButton)


@pytest.fixture
def interrupted(make_napari_viewer_proxy, models, monkeypatch):
    """A viewer whose training of four steps was interrupted after the second, with its panel closed."""
    viewer = make_napari_viewer_proxy()
    viewer.add_image(field(), name="cells")
    viewer.add_shapes([RECTANGLE], shape_type="polygon", name="regions")
    panel = open_panel(viewer)
    panel.models.select("srcnn-x2")
    panel.recipe.steps.value = 4
    panel.recipe.patch.value, panel.recipe.batch.value = 8, 2
    panel.regions.train.value = viewer.layers["regions"]
    panel.name_box.value = "mine"
    post = EventQueue.post

    def interrupt(queue, event):
        post(queue, event)
        if getattr(event, "step", None) == 3:
            raise InputError("The computer went to sleep: wake it.")

    with monkeypatch.context() as patched:
        patched.setattr(EventQueue, "post", interrupt)
        panel.start()
    assert "went to sleep" in panel.controls.message.value
    panel.shut_down()
    viewer.window.remove_dock_widget(panel.native)
    return viewer


def user_models():
    return [entry.name for entry in list_models() if entry.where == "user"]


def test_an_interrupted_training_is_offered_and_continue_ends_it(interrupted):
    panel = open_panel(interrupted)
    assert panel.unfinished_offer.native.isVisibleTo(panel.native)
    assert "“mine” was interrupted" in panel.unfinished_offer.text.value
    assert "cells" in panel.unfinished_offer.text.value
    panel.models.select("srcnn-x2")
    click(panel.unfinished_offer.continue_button)
    assert panel.progress.curves.steps[0] > 1
    assert panel.progress.curves.steps[-1] == 4
    assert "mine" in user_models()
    assert not panel.unfinished_offer.native.isVisibleTo(panel.native)
    assert not open_panel(interrupted).unfinished_offer.native.isVisibleTo(panel.native)
    assert unfinished_trainings(runs_folder()) == []


def test_an_image_that_is_not_open_is_named_and_the_offer_remains(interrupted):
    interrupted.layers["cells"].name = "others"
    panel = open_panel(interrupted)
    click(panel.unfinished_offer.continue_button)
    assert (
        "“mine” was trained with the image “cells”, which is not open: open it first." in panel.controls.message.value
    )
    assert panel.unfinished_offer.native.isVisibleTo(panel.native)
    interrupted.layers["others"].name = "cells"
    interrupted.layers.remove("regions")
    click(panel.unfinished_offer.continue_button)
    assert "the shapes layer “regions”, which is not open" in panel.controls.message.value


def test_another_image_of_the_same_name_is_refused_and_the_checkpoint_is_kept(interrupted):
    interrupted.layers["cells"].data = field(1)
    panel = open_panel(interrupted)
    folder = panel.unfinished_offer.training.folder
    checkpoint = (folder / "last.pt").read_bytes()
    click(panel.unfinished_offer.continue_button)
    assert str(folder) in panel.controls.message.value
    assert (folder / "last.pt").read_bytes() == checkpoint
    assert "mine" not in user_models()
    assert panel.unfinished_offer.native.isVisibleTo(panel.native)


def test_forget_offers_it_no_more_and_keeps_the_files_of_the_run(interrupted):
    panel = open_panel(interrupted)
    folder = panel.unfinished_offer.training.folder
    click(panel.unfinished_offer.forget_button)
    assert not panel.unfinished_offer.native.isVisibleTo(panel.native)
    assert not (folder / CHOICES).exists()
    assert (folder / "last.pt").exists()


def test_a_training_that_another_panel_has_continued_is_offered_no_more(interrupted):
    one, two = open_panel(interrupted), open_panel(interrupted)
    click(one.unfinished_offer.continue_button)
    assert "mine" in user_models()
    assert not two.unfinished_offer.visible
    assert two.unfinished_offer.training is None


@pytest.mark.parametrize("gone", ["ended", "in progress", "removed"])
def test_an_offer_that_is_out_of_date_continues_nothing_and_says_so(interrupted, gone):
    panel = open_panel(interrupted)
    folder = panel.unfinished_offer.training.folder
    if gone == "ended":
        (folder / CHOICES).unlink()
    elif gone == "in progress":
        (folder / "lock.json").write_text(this_process().to_json())
    else:
        shutil.rmtree(folder)
    click(panel.unfinished_offer.continue_button)
    assert "“mine” cannot be continued" in panel.controls.message.value
    assert not panel.running
    assert panel.unfinished_offer.training is None
    assert "mine" not in user_models()


def test_forget_keeps_the_choices_of_a_training_that_goes_on_in_another_program(interrupted):
    panel = open_panel(interrupted)
    folder = panel.unfinished_offer.training.folder
    (folder / "lock.json").write_text(this_process().to_json())
    click(panel.unfinished_offer.forget_button)
    assert panel.unfinished_offer.training is None
    assert (folder / CHOICES).exists()


def test_trainings_that_run_and_choices_that_cannot_be_read_are_not_offered(interrupted):
    (training,) = unfinished_trainings(runs_folder())
    lock = training.folder / "lock.json"
    lock.write_text(this_process().to_json())
    assert unfinished_trainings(runs_folder()) == []
    lock.unlink()
    content = json.loads((training.folder / CHOICES).read_text())
    for change in ({"recipe": "steps = ["}, {"pairs": 3}, {"pairs": []}, {"name": None, "scale": {}, "pairs": [[1]]}):
        (training.folder / CHOICES).write_text(json.dumps({**content, **change}))
        assert unfinished_trainings(runs_folder()) == []
    for text in ("{", "[" * 100_000):
        (training.folder / CHOICES).write_text(text)
        assert unfinished_trainings(runs_folder()) == []
