"""A model has the facts of its card, its weights, and a network that alpha changes."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from napari_sr.errors import CheckpointError, InputError
from napari_sr.zoo import Architecture, Card, Model, build, mix


@pytest.fixture
def pair(small_card, small_state):
    card = small_card(endpoints=("psnr", "gan"), default_alpha=0.75)
    return Model(card, {"psnr": small_state(1), "gan": small_state(2)}, source="here")


@pytest.fixture
def srcnn(draw_network):
    settings = {"scale": 3, "channels": 1, "kernels": (9, 1, 5), "features": (4, 3), "upsampling": "bicubic"}
    architecture = Architecture(network="SRCNN", settings=settings)
    card = Card(name="s", family="srcnn", architecture=architecture, scale=3, channels=1, color="luma")
    return Model(card, {"weights": draw_network(architecture).state_dict()})


def test_a_model_has_the_facts_of_its_card_and_network(small_card, small_state):
    model = Model(small_card(), {"weights": small_state(0)}, source="a/b.safetensors")
    network = build(small_card().architecture)
    assert (model.name, model.scale, model.channels, model.alpha) == ("small", 2, 1, None)
    assert model.receptive_radius == network.receptive_radius
    assert model.source == "a/b.safetensors"
    assert "small" in repr(model)


def test_the_network_is_ready_to_run_and_built_once(small_card, small_state):
    model = Model(small_card(), {"weights": small_state(0)})
    assert model.network is model.network
    assert not model.network.training
    assert not any(p.requires_grad for p in model.network.parameters())
    assert {p.dtype for p in model.network.parameters()} == {torch.float32}
    assert model.network(torch.rand(1, 1, 5, 6)).shape == (1, 1, 10, 12)


def test_many_threads_get_one_network(pair):
    with ThreadPoolExecutor(8) as pool:
        networks = list(pool.map(lambda _: pair.network, range(16)))
    assert all(network is networks[0] for network in networks)


def test_alpha_mixes_the_weights_and_not_the_images(pair, small_state):
    expected = mix(small_state(1), small_state(2), 0.3)
    state = pair.with_alpha(0.3).network.state_dict()
    assert all(torch.equal(state[key], expected[key]) for key in expected)
    assert pair.with_alpha(0.3).alpha == 0.3


@pytest.mark.parametrize(("alpha", "seed"), [(0, 1), (1, 2)])
def test_the_ends_of_alpha_are_the_endpoints(pair, small_state, alpha, seed):
    state = pair.with_alpha(alpha).network.state_dict()
    assert all(torch.equal(state[key], tensor) for key, tensor in small_state(seed).items())


def test_alpha_is_that_of_the_card_or_0_unless_it_is_given(pair, small_card):
    assert pair.alpha == 0.75
    assert pair.with_alpha(0.1).with_alpha(0.9).alpha == 0.9
    assert Model(small_card(endpoints=("psnr", "gan")), pair.endpoints).alpha == 0


def test_another_alpha_changes_nothing_on_the_first_model(pair):
    before = {key: tensor.clone() for key, tensor in pair.network.state_dict().items()}
    assert pair.with_alpha(0.1).network is not pair.network
    assert pair.alpha == 0.75
    assert all(torch.equal(pair.network.state_dict()[key], tensor) for key, tensor in before.items())


def test_changes_of_the_network_do_not_change_the_endpoints(pair, small_state):
    with torch.no_grad():
        for parameter in pair.with_alpha(0).network.parameters():
            parameter.zero_()
    assert torch.equal(pair.endpoints["psnr"]["conv_hr.weight"], small_state(1)["conv_hr.weight"])


@pytest.mark.parametrize("alpha", [-0.1, 1.1, "0.5", "much", None, True, [0.5], float("nan")])
def test_another_alpha_is_refused_in_one_sentence(pair, alpha):
    with pytest.raises(InputError, match=r"^The alpha .* give"):
        pair.with_alpha(alpha)


def test_alpha_without_a_pair_is_refused(small_card, small_state):
    model = Model(small_card(), {"weights": small_state(0)})
    with pytest.raises(InputError, match="small does not have two weight sets"):
        model.with_alpha(0.5)


def test_endpoints_cannot_be_exchanged(pair, small_state):
    with pytest.raises(TypeError):
        pair.endpoints["psnr"] = small_state(3)
    with pytest.raises(AttributeError):
        pair.alpha = 0.5


def test_upsampling_changes_the_kernel_the_card_and_the_result(srcnn):
    x = torch.rand(1, 1, 12, 12)
    nearest = srcnn.with_upsampling("nearest")
    assert nearest.card.architecture.settings["upsampling"] == "nearest"
    assert srcnn.card.architecture.settings["upsampling"] == "bicubic"
    assert not torch.allclose(nearest.network(x), srcnn.network(x))
    assert torch.equal(nearest.with_upsampling("bicubic").network(x), srcnn.network(x))


def test_an_unknown_kernel_is_refused(srcnn, pair):
    with pytest.raises(InputError, match="only SRCNN"):
        pair.with_upsampling("nearest")
    with pytest.raises(InputError, match="spline"):
        srcnn.with_upsampling("spline")
    with pytest.raises(InputError, match="does not exist"):
        srcnn.with_upsampling(np.array(["bicubic", "nearest"]))
    with pytest.raises(InputError) as refused:
        srcnn.with_upsampling("x" * 5000)
    assert len(str(refused.value)) < 200


def test_a_model_can_be_pickled(pair):
    pair.network  # noqa: B018 (built before it is pickled)
    copied = pickle.loads(pickle.dumps(pair))
    x = torch.rand(1, 1, 6, 6)
    assert (copied.card, copied.alpha, copied.source) == (pair.card, 0.75, "here")
    assert torch.equal(copied.network(x), pair.network(x))
    assert copied.endpoints["psnr"]["conv_hr.weight"] is not pair.endpoints["psnr"]["conv_hr.weight"]


def test_a_changed_model_shares_the_weights_and_is_not_checked_again(pair, monkeypatch):
    monkeypatch.setattr("napari_sr.zoo.model.check_endpoints", lambda *arguments: pytest.fail("checked again"))
    for changed in (pair.with_alpha(np.float32(0.5)), pair.with_mixing("images"), copy.copy(pair)):
        assert changed.endpoints is pair.endpoints
    assert type(pair.with_alpha(np.float32(0.5)).alpha) is float


def test_weights_that_do_not_fit_the_card_are_refused_at_once(small_card, small_state):
    with pytest.raises(CheckpointError, match="is for the weight sets weights"):
        Model(small_card(), {"psnr": small_state(0)})
    with pytest.raises(CheckpointError, match="no tensor called extra"):
        Model(small_card(), {"weights": small_state(0) | {"extra": torch.zeros(1)}})
