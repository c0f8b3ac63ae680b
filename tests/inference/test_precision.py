"""What half precision costs is measured on the network itself."""

from __future__ import annotations

from math import inf

import pytest
import torch

from napari_sr.errors import Cancelled
from napari_sr.inference.device import ENOUGH, choose_precision
from napari_sr.inference.precision import measure_precision
from napari_sr.zoo.catalogue import load_model
from tests.inference.small_models import rrdb


def test_float16_is_nearer_to_float32_than_bfloat16() -> None:
    model = rrdb(2, 1)
    found = measure_precision(model.network, model.card)
    # A half precision has 3 bits more of fraction than the other: 6 dB each.
    assert 10 < found["float16"] - found["bfloat16"] < 26
    assert 30 < found["bfloat16"] < found["float16"] < 110


def test_a_network_that_leaves_float16_is_never_enough() -> None:
    model = rrdb(2, 1)
    network = model.network
    with torch.no_grad():
        network.conv_first.weight.fill_(6e4)
    found = measure_precision(network, model.card, precisions=("float16",))
    assert found == {"float16": -inf}
    assert choose_precision("auto", torch.device("cuda"), "uint8", found) == torch.float32


def test_the_network_is_left_as_it_was() -> None:
    model = rrdb(2, 3)
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    measure_precision(model.network, model.card)
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())
    assert next(model.network.parameters()).dtype == torch.float32


def test_measuring_can_be_stopped() -> None:
    model = rrdb(2, 1)

    def ask() -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        measure_precision(model.network, model.card, ask=ask)


@pytest.mark.parametrize("name", ["srcnn-x2", "srcnn-x3", "srcnn-x4"])
def test_bundled_models_are_good_enough_in_float16(name: str) -> None:
    model = load_model(name)
    assert measure_precision(model.network, model.card, precisions=("float16",))["float16"] >= ENOUGH
