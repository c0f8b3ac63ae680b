"""Adversarial losses against cases computed by hand."""

from math import exp, log

import pytest
import torch

from napari_sr.training.losses import adversarial as losses

REAL = torch.tensor([2.0, 0.0])
FAKE = torch.tensor([-1.0, 0.0])


def minus_log_sigmoid(x):
    return log(1 + exp(-x))


def test_standard():
    expected = (minus_log_sigmoid(2) + minus_log_sigmoid(0)) / 2 + (minus_log_sigmoid(1) + minus_log_sigmoid(0)) / 2
    assert losses.standard_discriminator(REAL, FAKE).item() == pytest.approx(expected)
    assert losses.standard_generator(FAKE).item() == pytest.approx((minus_log_sigmoid(-1) + minus_log_sigmoid(0)) / 2)


def test_relativistic():
    # Means: real 1, fake -0.5. real - mean fake: 2.5, 0.5; fake - mean real: -2, -1.
    expected = (minus_log_sigmoid(2.5) + minus_log_sigmoid(0.5)) / 2 + (minus_log_sigmoid(2) + minus_log_sigmoid(1)) / 2
    assert losses.relativistic_discriminator(REAL, FAKE).item() == pytest.approx(expected)
    expected = (minus_log_sigmoid(-2.5) + minus_log_sigmoid(-0.5)) / 2
    expected += (minus_log_sigmoid(-2) + minus_log_sigmoid(-1)) / 2
    assert losses.relativistic_generator(REAL, FAKE).item() == pytest.approx(expected)


def test_the_relativistic_generator_has_gradients_through_both_terms():
    fake = FAKE.clone().requires_grad_()
    losses.relativistic_generator(REAL, fake).backward()

    def s(x):
        return 1 / (1 + exp(-x))

    # d/dC(fake_i): through the mean, -(s(2.5) + s(0.5)) / 2 / 2; directly, -s(2) / 2 and -s(1) / 2.
    through_mean = -(s(2.5) + s(0.5)) / 4
    assert fake.grad.tolist() == pytest.approx([through_mean - s(2) / 2, through_mean - s(1) / 2], rel=1e-5)


def test_least_squares():
    assert losses.least_squares_discriminator(REAL, FAKE).item() == pytest.approx((1 + 1) / 4 + (1 + 0) / 4)
    assert losses.least_squares_generator(FAKE).item() == pytest.approx((4 + 1) / 4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_adversarial_losses_are_computed_in_float32(dtype):
    for loss in (losses.relativistic_discriminator, losses.standard_discriminator, losses.least_squares_discriminator):
        assert loss(REAL.to(dtype), FAKE.to(dtype)).dtype == torch.float32
    assert losses.relativistic_generator(REAL.to(dtype), FAKE.to(dtype)).dtype == torch.float32


def test_the_mean_over_one_process_is_the_number_itself():
    value = torch.tensor(3.0, requires_grad=True)
    losses.mean_over_processes(value).backward()
    assert value.grad.item() == 1


def test_the_gradient_penalty_of_a_linear_output_is_half_the_squared_length_of_its_weights():
    generator = torch.Generator().manual_seed(0)
    weight = torch.rand(1, 3, 4, 5, generator=generator, requires_grad=True)
    images = torch.rand(6, 3, 4, 5, generator=generator).requires_grad_()
    # The output has two positions, of which one is always 0.
    output = torch.stack([(weight * images).sum((1, 2, 3)), torch.zeros(6)], 1)
    value = losses.half_squared_gradient(output, images, 2)
    assert value.item() == pytest.approx(0.5 * (weight[:, :2] / 2).square().sum().item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(value, weight)
    torch.testing.assert_close(gradient[:, :2], weight[:, :2].detach() / 4)
    assert not gradient[:, 2].any()
