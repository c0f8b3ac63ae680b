"""The number format of a training."""

import pytest
import torch

from napari_sr import InputError
from napari_sr.networks import SRCNN, RRDBNet
from napari_sr.training.loop import precision
from napari_sr.training.loop.precision import choose_training_precision, fabric_for

CPU = torch.device("cpu")


def test_auto_is_bfloat16_where_it_is_fast(monkeypatch):
    network = RRDBNet(features=2, growth=2, blocks=1)
    for fast, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(precision, "_fast_bfloat16", lambda device, fast=fast: fast)
        assert choose_training_precision("auto", CPU, network) == expected
        assert choose_training_precision("auto", CPU, SRCNN()) == "float32"
        assert choose_training_precision("bfloat16", CPU, SRCNN()) == "bfloat16"


def test_float16_on_a_cpu_is_refused():
    with pytest.raises(InputError, match="choose bfloat16 or float32"):
        choose_training_precision("float16", CPU, SRCNN())


@pytest.mark.parametrize(("name", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_the_fabric_computes_in_the_chosen_number_format(name, dtype):
    with fabric_for(CPU, name).autocast():
        assert torch.nn.functional.linear(torch.ones(2, 2), torch.ones(2, 2)).dtype == dtype
