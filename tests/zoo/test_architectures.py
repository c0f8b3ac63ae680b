"""Networks are built from the architecture of a card."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from napari_sr.errors import CheckpointError
from napari_sr.zoo.architectures import NETWORKS, build, build_empty, build_with, check_tensors
from napari_sr.zoo.card import Architecture

SMALL = {
    "AnchoredRegression": {"scale": 3, "atoms": 5, "features": 3},
    "SRCNN": {"scale": 3, "channels": 1, "kernels": (9, 1, 5), "features": (4, 3), "upsampling": "lanczos3"},
    "SRResNet": {"scale": 2, "features": 4, "blocks": 2},
    "MSRResNet": {"scale": 3, "features": 4, "blocks": 2},
    "RRDBNet": {"scale": 2, "features": 4, "growth": 2, "blocks": 1, "skip": "bilinear"},
    "SRVGGNetCompact": {"scale": 2, "features": 4, "convs": 2},
    "SqueezeNetFeatures": {},
    "Interpolation": {"scale": 2, "kernel": "lanczos3"},
    "Wiener": {"scale": 3, "channels": 1},
    "RichardsonLucy": {"scale": 2, "channels": 1, "iterations": 4},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_built_with_weights_computes_the_same_as_their_network(name, draw_network):
    architecture = Architecture(network=name, settings=SMALL[name])
    first = draw_network(architecture)
    second = build_with(architecture, first.state_dict())
    x = torch.rand(1, getattr(first, "in_channels", 3), 32, 32)
    assert torch.equal(first(x), second(x))
    assert not second.training
    assert not any(p.requires_grad for p in second.parameters())
    assert not any(t.is_meta for t in (*second.parameters(), *second.buffers()))


def test_building_with_weights_draws_no_random_numbers(small_card, small_state):
    state = small_state(0)
    before = torch.get_rng_state()
    build_with(small_card().architecture, state)
    assert torch.equal(torch.get_rng_state(), before)


def test_two_networks_of_one_architecture_share_nothing(small_card, small_state):
    first, second = (build_with(small_card().architecture, small_state(0)) for _ in range(2))
    with torch.no_grad():
        for parameter in first.train().requires_grad_(True).parameters():
            parameter.zero_()
    assert second.state_dict()["conv_first.weight"].any()
    assert not second.training
    assert not any(p.requires_grad for p in second.parameters())


def test_the_weights_are_copied(small_card, small_state):
    state = small_state(0)
    network = build_with(small_card().architecture, state)
    state["conv_first.weight"].zero_()
    assert network.state_dict()["conv_first.weight"].any()


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        (Architecture(network="SwinIR"), "no network called SwinIR.*RRDBNet"),
        (Architecture(network="RRDBNet", settings={"width": 3}), "RRDBNet has no setting called width"),
        (Architecture(network="RRDBNet", settings={"scale": 5}), "RRDBNet cannot be built"),
        (Architecture(network="SRCNN", settings={"kernels": (9, 4, 5)}), "SRCNN cannot be built"),
        (Architecture(network="SRResNet", settings={"features": "many"}), "SRResNet cannot be built"),
    ],
)
def test_a_wrong_architecture_is_refused_in_one_sentence(architecture, words):
    with pytest.raises(CheckpointError, match=words) as caught:
        build(architecture)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("conv_hr.bias"), "conv_hr.bias is missing"),
        (lambda s: s.update({"conv_hr.bias": torch.zeros(5)}), r"conv_hr.bias is \(5,\) and should be \(4,\)"),
        (lambda s: s.update({"extra": torch.zeros(5)}), "no tensor called extra"),
    ],
)
def test_weights_of_another_network_are_refused_with_the_tensor(small_card, small_state, change, words):
    state = small_state(0)
    change(state)
    with pytest.raises(CheckpointError, match=words):
        check_tensors(build_empty(small_card().architecture), state)


def test_building_without_values_does_not_import_the_compiler_of_torch():
    program = (
        "import sys, torch; from napari_sr.zoo.architectures import NETWORKS, build_empty; "
        "from napari_sr.zoo.card import Architecture; "
        "[build_empty(Architecture(network=name, settings={})) for name in NETWORKS]; "
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
