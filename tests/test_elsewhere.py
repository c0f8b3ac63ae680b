"""The device that is not there finds the faults for which it is made."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.elsewhere import elsewhere


@pytest.fixture(params=["cuda:0", "mps"])
def device(request, monkeypatch):
    """The name of a device, within its context."""
    with elsewhere(request.param, monkeypatch):
        yield request.param


def test_its_tensors_have_its_name_and_their_numbers(device):
    numbers = torch.arange(6.0).reshape(2, 3)
    there = numbers.to(device)
    assert there.device == torch.device(device)
    assert torch.zeros(2, device=device).device == torch.device(device)
    assert (there.is_cuda, there.is_mps, there.is_meta) == (device == "cuda:0", device == "mps", False)
    assert numbers.device.type == "cpu"
    assert torch.equal((2 * there + 1).cpu(), 2 * numbers + 1)
    assert there.tolist() == numbers.tolist()
    assert float(there.sum()) == 15


def test_a_copy_on_the_cpu_keeps_its_numbers(device):
    there = torch.zeros(3).to(device)
    here = there.cpu()
    there += 1
    assert here.tolist() == [0, 0, 0]
    assert there.tolist() == [1, 1, 1]


def test_gradients_and_steps_are_those_of_the_cpu(device):
    def trained(place):
        torch.manual_seed(0)
        layer = nn.Conv2d(2, 3, 3).to(place).to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(layer.parameters(), 1e-2, fused=device == "cuda:0")
        images = torch.rand(2, 2, 8, 8).to(place)
        for _ in range(3):
            optimizer.zero_grad()
            layer(images).square().mean().backward()
            optimizer.step()
        return layer

    here, there = trained("cpu"), trained(device)
    assert there.weight.device == torch.device(device)
    torch.testing.assert_close(there.weight.detach().cpu(), here.weight.detach())


@pytest.mark.parametrize(
    "mix",
    [
        lambda here, there: there + here,
        lambda here, there: torch.cat([there, here]),
        lambda here, there: nn.functional.conv2d(there[None, None], here[None, None]),
        lambda here, there: there.mul_(here),
        lambda here, there: torch._foreach_lerp_([there], [here], 0.5),
        lambda here, there: there.index_put_((torch.zeros(1, dtype=torch.long),), here[:1]),
    ],
)
def test_tensors_of_two_places_are_refused_together(mix, device):
    here = torch.ones(3, 3)
    with pytest.raises(RuntimeError, match="on the CPU with the shape"):
        mix(here, torch.ones(3, 3, device=device))


def test_numbers_and_indices_of_the_cpu_are_taken(device):
    there = torch.arange(3.0).to(device)
    assert (there * torch.tensor(2.0)).tolist() == [0, 2, 4]
    assert there[torch.tensor([2, 0])].tolist() == [2, 0]


@pytest.mark.parametrize("read", [lambda there: there.numpy(), np.asarray])
def test_numbers_there_are_not_read_as_if_they_were_here(read, device):
    with pytest.raises(TypeError, match="copy it to the CPU first"):
        read(torch.ones(2, device=device))


def test_a_copy_that_is_not_waited_for_is_refused(device):
    here = torch.ones(2)
    there = here.to(device)
    for copy in (
        lambda: here.to(device, non_blocking=True),
        lambda: there.to("cpu", non_blocking=True),
        lambda: here.copy_(there, non_blocking=True),
    ):
        with pytest.raises(RuntimeError, match="not waited for"):
            copy()


def test_mps_has_no_numbers_of_64_bits(monkeypatch):
    with elsewhere("cuda:0", monkeypatch):
        assert torch.ones(2, device="cuda:0").double().tolist() == [1, 1]
    with elsewhere("mps", monkeypatch), pytest.raises(TypeError, match="mps has no"):
        torch.ones(2, device="mps").double()


def test_its_tensors_are_of_no_use_without_it(monkeypatch):
    with elsewhere("mps", monkeypatch):
        there = torch.ones(2, device="mps")
    with pytest.raises(RuntimeError, match="after the end of its device"):
        there + there
