"""The number format of a training."""

import pytest
import torch

from napari_sr import InputError
from napari_sr.networks import SRCNN, RRDBNet
from napari_sr.training.loop import precision
from napari_sr.training.loop.precision import choose_training_precision, fabric_for, replaced_precision

CPU = torch.device("cpu")


def test_auto_is_bfloat16_where_it_is_fast(monkeypatch):
    network = RRDBNet(features=2, growth=2, blocks=1)
    for fast, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(precision, "_fast_bfloat16", lambda device, fast=fast: fast)
        assert choose_training_precision("auto", CPU, network) == expected
        assert choose_training_precision("auto", CPU, SRCNN()) == "float32"


def test_bfloat16_is_replaced_where_the_processor_only_emulates_it(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for supported, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(
            torch.cpu, "_is_avx512_bf16_supported", lambda supported=supported: supported, raising=False
        )
        assert choose_training_precision("bfloat16", CPU, SRCNN()) == expected
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert choose_training_precision("bfloat16", CPU, SRCNN()) == "bfloat16"


def test_the_replacement_of_bfloat16_is_told_and_that_of_auto_is_not():
    exact, mixed = fabric_for(CPU, "float32"), fabric_for(CPU, "bfloat16")
    assert "float32 is used instead" in replaced_precision("bfloat16", exact)[0]
    assert replaced_precision("bfloat16", mixed) == replaced_precision("auto", exact) == ()
    assert replaced_precision("float32", exact) == ()
    assert "in which the training began: it continues in float32" in replaced_precision("auto", exact, "bf16-mixed")[0]
    assert "began in float32, in which it continues" in replaced_precision("bfloat16", exact, "32-true")[0]
    assert replaced_precision("auto", mixed, "bf16-mixed") == replaced_precision("auto", exact, "32-true") == ()


def test_a_run_that_continues_keeps_its_number_format_unless_it_would_be_emulated(monkeypatch):
    emulated = [False]
    monkeypatch.setattr(precision, "_emulates_bfloat16", lambda device: emulated[0])
    for fast in (False, True):
        monkeypatch.setattr(precision, "_fast_bfloat16", lambda device, fast=fast: fast)
        for name in ("auto", "bfloat16"):
            assert choose_training_precision(name, CPU, SRCNN(), "32-true") == "float32"
            assert choose_training_precision(name, CPU, SRCNN(), "bf16-mixed") == "bfloat16"
        assert choose_training_precision("float32", CPU, SRCNN(), "bf16-mixed") == "float32"
    emulated[0] = True
    assert choose_training_precision("auto", CPU, SRCNN(), "bf16-mixed") == "float32"


def test_float16_on_a_cpu_is_refused():
    with pytest.raises(InputError, match="choose bfloat16 or float32"):
        choose_training_precision("float16", CPU, SRCNN())


@pytest.mark.parametrize(("name", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_the_fabric_computes_in_the_chosen_number_format(name, dtype):
    with fabric_for(CPU, name).autocast():
        assert torch.nn.functional.linear(torch.ones(2, 2), torch.ones(2, 2)).dtype == dtype
