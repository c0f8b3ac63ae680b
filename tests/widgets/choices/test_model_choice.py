"""The lists of models and factors are consistent, and a user without a usable model is told the next step."""

import pytest

from napari_sr.networks import RRDBNet
from napari_sr.widgets.choices.file import OPEN_A_FILE
from napari_sr.widgets.choices.model_offers import ModelOffer, catalog_offers, classic_offers, likely_factor
from napari_sr.widgets.qt.executor import InPlaceExecutor
from napari_sr.zoo.catalog import list_models
from napari_sr.zoo.modelfile import write_model
from napari_sr.zoo.published import PUBLISHED


def texts(panel):
    return [text for text in (panel.models.model_choice.widget.native.itemText(n) for n in range(20)) if text]


def test_choosing_a_factor_chooses_a_model_with_it(in_viewer):
    viewer, panel = in_viewer("srcnn")
    assert (panel.models.model.source, panel.models.factor.value) == ("srcnn-x2", 2)
    panel.models.factor.value = 3
    assert panel.models.model.source == "srcnn-x3"
    assert panel.models.model_choice.value == "srcnn-x3"
    panel.controls.run_button.native.click()
    assert viewer.layers[-1].name == "cells (SRCNN x3)"
    panel.models.select("srcnn-x2")
    assert panel.models.factor.value == 2


def test_another_factor_chooses_a_model_for_the_same_kind_of_images(in_viewer, models):
    template = next(entry for entry in list_models() if entry.name == "esrgan-one").card
    for name, domain in (("cells-x2", "fluorescence"), ("axons-x4", "electron"), ("cells-x4", "fluorescence")):
        scale = int(name[-1])
        settings = {**template.architecture.settings, "scale": scale}
        architecture = template.architecture.model_copy(update={"settings": settings})
        changed = {"name": name, "domain": domain, "scale": scale, "architecture": architecture}
        network = RRDBNet(**settings)
        write_model(
            models / f"{name}.safetensors", template.model_copy(update=changed), {"weights": network.state_dict()}
        )
    _, panel = in_viewer("esrgan")
    panel.models.select("axons-x4")
    panel.models.factor.value = 2
    panel.models.select("cells-x2")
    panel.models.factor.value = 4
    assert panel.models.model.text == "cells-x4"


def test_a_first_model_of_the_family_is_chosen_when_the_catalog_is_read_again(in_viewer, models, srgan_file):
    _, panel = in_viewer("srgan")
    assert not panel.controls.run_button.enabled
    (models / "small-srgan.safetensors").write_bytes(srgan_file.read_bytes())
    panel.refresh_models()
    assert panel.models.model.source == "small-srgan"
    assert panel.controls.run_button.enabled


def test_the_user_chooses_the_factor_of_a_file_without_one(in_viewer, tmp_path):
    viewer, panel = in_viewer("srcnn")
    panel.models.choose_file(tmp_path / "bare-srcnn.pth")
    assert panel.models.model.scale_is_open
    assert panel.models.factor.enabled
    for factor in (2, 3, 4):
        panel.models.factor.value = factor
        panel.controls.run_button.native.click()
        assert viewer.layers[-1].data.shape == (12 * factor, 16 * factor)
    assert panel.models.model.source == tmp_path / "bare-srcnn.pth"


def test_a_single_factor_is_shown_and_cannot_be_changed(in_viewer):
    _, panel = in_viewer("esrgan")
    assert panel.models.factor.value == 4
    assert not panel.models.factor.enabled


def test_the_last_entry_of_the_list_opens_a_file(in_viewer, models, tmp_path):
    _, panel = in_viewer("esrgan")
    panel.models.model_choice.dialog = lambda parent: tmp_path / "gan.pth"
    panel.models.model_choice.widget.value = dict(panel.models.model_choice.widget._widget._mgui_get_choices())[
        OPEN_A_FILE
    ]
    assert panel.models.model.source == tmp_path / "gan.pth"
    assert "gan.pth" in texts(panel)
    panel.models.model_choice.dialog = lambda parent: None  # closed without a choice
    panel.models.model_choice.widget.native.setCurrentText(OPEN_A_FILE)
    assert panel.models.model_choice.widget.current_choice == "gan.pth"
    assert panel.models.model.source == tmp_path / "gan.pth"


def test_published_files_that_are_missing_name_the_remedy(in_viewer, models):
    _, panel = in_viewer("esrgan")
    assert "RealESRGAN_x4plus (to be downloaded)" in texts(panel)
    panel.models.select("RealESRGAN_x4plus")
    published = next(one for one in PUBLISHED if one.name == "RealESRGAN_x4plus")
    about = panel.models.about.value
    assert published.url in about
    assert str(models) in about
    assert not panel.controls.run_button.enabled
    panel.models.select("esrgan-one")
    assert panel.controls.run_button.enabled


def test_a_family_without_a_model_names_a_file_to_open(in_viewer, srgan_file):
    viewer, panel = in_viewer("srgan")
    assert panel.models.model is None
    assert "SRGAN" in panel.models.about.value
    assert ".pth" in panel.models.about.value
    assert not panel.controls.run_button.enabled
    assert texts(panel) == ["No model yet", *(offer.text for offer in classic_offers()), OPEN_A_FILE]
    panel.models.choose_file(srgan_file)
    panel.controls.run_button.native.click()
    assert viewer.layers[-1].name == "cells (SRGAN x2)"
    assert viewer.layers[-1].data.shape == (24, 32)


def test_a_folder_file_without_a_card_is_read_when_it_is_chosen(in_viewer, models, tmp_path):
    (models / "mine.pth").write_bytes((tmp_path / "gan.pth").read_bytes())
    viewer, panel = in_viewer("esrgan")
    assert panel.models.model.source == "esrgan-one"
    panel.models.select("mine")
    assert panel.models.model.source == "mine"
    assert panel.models.model.scale == 4
    panel.controls.run_button.native.click()
    assert viewer.layers[-1].data.shape == (48, 64)


class Later:
    """Does the reading of model files when a test says so."""

    def __init__(self):
        self.runs = {}

    def submit(self, run):
        self.runs[run.name] = run

    def read(self, name):
        InPlaceExecutor().submit(self.runs.pop(f"reading {name}"))


def test_nothing_is_started_while_a_model_is_read(in_viewer, models, tmp_path):
    (models / "mine.pth").write_bytes((tmp_path / "gan.pth").read_bytes())
    later = Later()
    _, panel = in_viewer("esrgan", executor=later)
    panel.models.select("mine")
    panel.settings.batch.value = 3
    assert not panel.controls.run_button.enabled
    assert "mine is being read" in panel.summary.value
    panel.run_upscaling()
    assert not panel.running
    later.read("mine")
    assert panel.controls.run_button.enabled
    assert panel._plan().request.source == "mine"


def test_the_model_that_was_chosen_last_stays_however_long_another_is_read(in_viewer, models, tmp_path):
    for name in ("slow", "fast"):
        (models / f"{name}.pth").write_bytes((tmp_path / "gan.pth").read_bytes())
    (models / "broken.pth").write_bytes(b"no weights")
    later = Later()
    _, panel = in_viewer("esrgan", executor=later)
    panel.models.select("slow")
    panel.models.select("fast")
    later.read("fast")
    later.read("slow")
    assert panel.models.model.source == "fast"
    panel.models.select("broken")
    panel.models.select("esrgan-pair")
    later.read("broken")
    assert panel.models.model.source == panel.models.model_choice.value == "esrgan-pair"
    panel.models.select("slow")
    assert panel.models.model.known
    assert panel.controls.run_button.enabled


def test_a_broken_file_in_the_folder_is_listed_with_its_error(in_viewer, models):
    (models / "half.safetensors").write_bytes(b"\x10\x00")
    _, panel = in_viewer("esrgan")
    assert "half (cannot be used)" in texts(panel)
    panel.models.select("half")
    assert "half.safetensors" in panel.models.about.value
    assert not panel.controls.run_button.enabled


@pytest.mark.parametrize(
    ("domain", "sentence"),
    [
        (None, "Fine-tuned from esrgan-one on images of your own."),
        ("electron", "Fine-tuned from esrgan-one on electron microscopy."),
    ],
)
def test_a_fine_tuned_model_names_its_base(in_viewer, models, domain, sentence):
    entry = next(entry for entry in list_models() if entry.name == "esrgan-one")
    tuned = entry.card.model_copy(update={"domain": domain, "base": "esrgan-one"})
    assert ModelOffer("esrgan-one", "esrgan-one", card=tuned).about() == sentence


@pytest.mark.parametrize(
    ("training_noise", "sentence"),
    [
        (False, "Trained on fluorescence microscopy without noise: it sharpens noise."),
        (True, "Trained on fluorescence microscopy."),
        (None, "Trained on fluorescence microscopy."),
    ],
)
def test_a_model_that_was_trained_without_noise_is_marked(models, training_noise, sentence):
    entry = next(entry for entry in list_models() if entry.name == "esrgan-one")
    card = entry.card.model_copy(update={"domain": "fluorescence", "training_noise": training_noise, "base": None})
    assert ModelOffer("one", "one", card=card).about() == sentence


def test_new_files_appear_and_the_choice_stays(in_viewer, models):
    _, panel = in_viewer("srcnn")
    panel.models.select("srcnn-x3")
    (models / "aaa.safetensors").write_bytes((models / "srcnn-x2.safetensors").read_bytes())
    panel.models.refresh()
    assert "aaa" in texts(panel)
    assert panel.models.model.source == "srcnn-x3"


@pytest.mark.parametrize("family", ["srcnn", "srgan", "esrgan"])
def test_usable_models_come_first(models, family):
    usable = [offer.usable for offer in catalog_offers(family)]
    assert usable == sorted(usable, reverse=True)


def test_lists_keep_their_order_when_entries_are_added(in_viewer, models, tmp_path):
    _, panel = in_viewer("srcnn")
    panel.models.choose_file(tmp_path / "bare-srcnn.pth")
    assert texts(panel)[-1] == OPEN_A_FILE
    panel.models.factor.value = 4
    assert [text for text, _ in panel.models.factor._widget._mgui_get_choices()] == ["2 ×", "3 ×", "4 ×"]
    panel.models.select("srcnn-x3")
    assert [text for text, _ in panel.models.factor._widget._mgui_get_choices()] == ["2 ×", "3 ×"]


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("fivefold_srcnn_955_x3.pth", 3),
        ("x4.mat", 4),
        ("SRCNN-X2.pth", 2),
        ("max3.pth", 2),
        ("x16.pth", 2),
        ("a.pth", 2),
    ],
)
def test_the_factor_in_a_name_is_shown_first(name, factor):
    assert likely_factor(name) == factor
