"""Methods without training are offered in the panels, with any factor, and not for training."""

import numpy as np
import pytest

import napari_sr as sr
from napari_sr.networks import AnchoredRegression
from napari_sr.widgets.choices.model_offers import catalog_offers, classic_offers
from napari_sr.zoo.modelfile import write_model
from tests.widgets.conftest import card, weights

NAMES = {"Bicubic interpolation": "bicubic", "Lanczos interpolation": "lanczos3", "Wiener filter": "wiener"}


def texts(panel):
    return [offer.text for offer in panel.models.offers]


def test_every_method_is_offered_with_a_sentence_and_loads_for_each_factor():
    offers = [offer for offer in classic_offers() if offer.scale_is_open]
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


@pytest.fixture
def sparse(models):
    """Small models of sparse coding for two factors."""
    for scale in (2, 3):
        settings = {"scale": scale, "atoms": 4, "features": 3}
        state = {"weights": weights(AnchoredRegression(**settings))}
        name = f"sparse-coding-x{scale}"
        made = card(name, "classic", "AnchoredRegression", settings, notes="Sparse coding.")
        write_model(models / f"{name}.safetensors", made, state)


@pytest.mark.parametrize("family", ["srcnn", "srgan", "esrgan"])
def test_sparse_coding_is_offered_behind_them_and_each_factor_is_a_model(in_viewer, sparse, family):
    _, panel = in_viewer(family)
    shown = texts(panel)
    assert shown.index("sparse-coding-x2") > shown.index("Wiener filter")
    assert shown.count("sparse-coding-x3") == 1
    panel.models.select("sparse-coding-x2")
    assert panel.models.about.value == "Sparse coding."
    assert [value for _, value in panel.models._factors()] == [2, 3]
    panel.models.factor.value = 3
    assert panel.models.model.source == "sparse-coding-x3"


def test_the_factor_of_a_network_does_not_lead_to_sparse_coding(in_viewer, sparse):
    _, panel = in_viewer("esrgan")
    panel.models.select("esrgan-one")
    assert [value for _, value in panel.models._factors()] == [panel.models.model.scale]


def test_a_run_of_sparse_coding_gives_the_result_of_the_public_call(in_viewer, sparse):
    viewer, panel = in_viewer("srcnn")
    panel.models.select("sparse-coding-x3")
    layer = panel.layer_choice.layer
    panel.run_upscaling()
    expected = sr.upscale(np.asarray(layer.data), "sparse-coding-x3", device="cpu")
    assert np.array_equal(np.asarray(viewer.layers[-1].data), expected)
    assert viewer.layers[-1].name == f"{layer.name} (sparse-coding x3)"


def test_sparse_coding_is_listed_once_where_all_families_are_and_not_for_training(sparse):
    assert not any(offer.is_classic for offer in catalog_offers(None))
    assert [offer.source for offer in catalog_offers("classic")] == ["sparse-coding-x2", "sparse-coding-x3"]
