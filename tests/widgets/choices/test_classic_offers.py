"""Methods without training are offered in the panels, with any factor, and not for training."""

import numpy as np
import pytest

import napari_sr as sr
from napari_sr.widgets.choices.model_offers import classic_offers

NAMES = {"Bicubic interpolation": "bicubic", "Lanczos interpolation": "lanczos3", "Wiener filter": "wiener"}


def texts(panel):
    return [offer.text for offer in panel.models.offers]


def test_every_method_is_offered_with_a_sentence_and_loads_for_each_factor():
    offers = classic_offers()
    assert {offer.text: offer.source for offer in offers} == {**NAMES, "Richardson-Lucy": "richardson-lucy"}
    for offer in offers:
        assert offer.about().endswith(".")
        assert sr.load_model(offer.source, scale=3).card.conditioning == offer.card.conditioning


@pytest.mark.parametrize("family", ["srcnn", "srgan", "esrgan"])
def test_they_follow_the_models_that_can_be_used_and_are_not_chosen_first(in_viewer, models, family):
    _, panel = in_viewer(family)
    usable = [offer.usable for offer in panel.models.offers]
    assert usable == sorted(usable, reverse=True)
    assert texts(panel).index("Wiener filter") > 0
    model = panel.models.model
    assert model is None or not model.is_classic


@pytest.mark.parametrize("source", [*NAMES.values(), "richardson-lucy"])
def test_a_run_gives_the_result_of_the_public_call(in_viewer, models, source):
    viewer, panel = in_viewer("srcnn")
    panel.models.select(source)
    panel.models.factor.value = 3
    settings = {}
    if panel.conditions.takes_blur:
        panel.conditions.blur.sigma.value = 1.1
        settings["blur"] = 1.1
    layer = panel.layer_choice.layer
    panel.run_upscaling()
    expected = sr.upscale(np.asarray(layer.data), sr.load_model(source, scale=3), device="cpu", **settings)
    assert np.array_equal(np.asarray(viewer.layers[-1].data), expected)
    assert viewer.layers[-1].name == f"{layer.name} ({source} x3)"


def test_rows_of_networks_are_hidden_for_them(in_viewer, models):
    _, panel = in_viewer("srcnn")
    panel.models.select("wiener")
    assert not panel.kernel.native.isVisibleTo(panel.native)
    panel.models.select("srcnn-x2")
    assert panel.kernel.native.isVisibleTo(panel.native)
    _, mixing = in_viewer("esrgan")
    mixing.models.select("wiener")
    assert not mixing.mixing.second_choice.widget.native.isVisibleTo(mixing.native)


def test_only_methods_that_take_noise_and_blur_show_their_rows(in_viewer, models):
    _, panel = in_viewer("srcnn")
    taken = {}
    for source in ("bicubic", "wiener", "richardson-lucy"):
        panel.models.select(source)
        taken[source] = (panel.conditions.takes_noise, panel.conditions.takes_blur)
    assert taken == {"bicubic": (False, False), "wiener": (True, True), "richardson-lucy": (False, True)}
