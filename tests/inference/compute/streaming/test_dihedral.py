"""Networks with flipped and transposed kernels give the transformed result of the transformed image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from napari_sr.inference.compute.streaming.dihedral import DIHEDRALS, Dihedral, transformed_plan
from napari_sr.inference.compute.streaming.plan import StreamPlan, plan_stream
from napari_sr.inference.compute.streaming.scaling import ShuffleStep
from napari_sr.inference.compute.streaming.steps import ConvolveStep
from napari_sr.inference.compute.streaming.stream import stream
from napari_sr.networks.unshuffle import CropTo, PadUnshuffle
from napari_sr.networks.upsample import Upsample
from tests.inference.compute.streaming.drawn import SMALL, Written, small, whole, with_drawn_weights

#: Two sizes without a common divisor, and neither a multiple of 2, 3 or 4.
HEIGHT, WIDTH = 13, 11


def conv(inputs: int, outputs: int, kernel: Any = 3, **settings: Any) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, **settings)


def in_a_row(*layers: nn.Module) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(*layers)


def _two_then_shuffle(layers: Any, x: Tensor) -> Tensor:
    out: Tensor = layers.shuffle(torch.cat((layers.one(x), layers.two(x)), 1))
    return out


def _shuffled_and_read(layers: Any, x: Tensor) -> Tensor:
    made = layers.one(x)
    out: Tensor = layers.shuffle(made) + layers.up(layers.two(made))
    return out


def _grouped(layers: Any, x: Tensor) -> Tensor:
    out: Tensor = layers.crop(layers.up(layers.inner(layers.gather(x))), x)
    return out


#: What no network of ours has: nothing that is the same from all sides.
WRITTEN: dict[str, Callable[[], nn.Module]] = {
    "flat kernel": in_a_row(conv(1, 4, (1, 5), padding=(0, 2)), nn.PixelShuffle(2)),
    "tall dilated kernel": in_a_row(conv(1, 4, (5, 3), padding=(4, 3), dilation=(2, 3)), nn.PixelShuffle(2)),
    "pads of four widths": in_a_row(
        nn.ReplicationPad2d((0, 2, 3, 1)), conv(1, 2, (5, 3)), nn.ReflectionPad2d((1, 3, 0, 2)), conv(2, 1, (3, 5))
    ),
    "zeros of four widths": in_a_row(nn.ZeroPad2d((4, 0, 1, 3)), conv(1, 1, (5, 5))),
    "an unpadded result": in_a_row(conv(1, 2, (3, 5)), conv(2, 4, (1, 3)), nn.PixelShuffle(2)),
    "slopes before a shuffle": in_a_row(conv(1, 8, padding=1), nn.PReLU(8), nn.PixelShuffle(2), conv(2, 1, padding=1)),
    "batch-norm before a shuffle": in_a_row(conv(1, 9, padding=1), nn.BatchNorm2d(9), nn.PixelShuffle(3)),
    "two shuffles": in_a_row(conv(1, 16, padding=1), nn.PixelShuffle(2), nn.PixelShuffle(2)),
    "a shuffle of groups of channels": in_a_row(
        conv(1, 4, padding=1), conv(4, 4, padding=1, groups=4), nn.PixelShuffle(2)
    ),
    "a shuffle of two tensors": lambda: Written(
        _two_then_shuffle, one=conv(1, 3, padding=1), two=conv(1, 5, padding=1), shuffle=nn.PixelShuffle(2)
    ),
    "a shuffle of what others read": lambda: Written(
        _shuffled_and_read,
        one=conv(1, 4, padding=1),
        two=conv(4, 1, padding=1),
        shuffle=nn.PixelShuffle(2),
        up=Upsample(2, "bicubic"),
    ),
    "groups of 3": lambda: Written(
        _grouped,
        gather=PadUnshuffle(3),
        inner=conv(9, 36, padding=1),
        up=nn.Sequential(nn.PixelShuffle(3), nn.PixelShuffle(2)),
        crop=CropTo(2, 3),
    ),
    "groups of 2 through slopes": lambda: Written(
        _grouped,
        gather=PadUnshuffle(2),
        inner=nn.Sequential(nn.PReLU(4), conv(4, 4, padding=1), nn.PReLU(4)),
        up=nn.Sequential(nn.PixelShuffle(2), conv(1, 1, (3, 1), padding=(1, 0))),
        crop=CropTo(1, 2),
    ),
    "nearest": in_a_row(Upsample(3, "nearest"), conv(1, 1, (3, 1), padding=(1, 0))),
    "torch's bilinear": in_a_row(nn.Upsample(scale_factor=2, mode="bilinear"), conv(1, 1, (1, 3), padding=(0, 1))),
}

FEW = [
    "rrdbnet x2 with noise",
    "srcnn x4 with noise",
    "srcnn x3 rgb",
    "srresnet x3",
    "msrresnet x4",
    "rrdbnet x2 unshuffled",
    "rrdbnet x1 unshuffled",
    "srvgg x4",
]


def network_of(name: str) -> nn.Module:
    torch.manual_seed(2)
    network = small(name) if name in SMALL else with_drawn_weights(WRITTEN[name]())
    return network.double()


def image_for(network: nn.Module, batch: int = 1) -> Tensor:
    channels = getattr(network, "in_channels", 1)
    generator = torch.Generator().manual_seed(7)
    return torch.rand(batch, channels, HEIGHT, WIDTH, dtype=torch.float64, generator=generator)


def streamed(plan: StreamPlan, image: Tensor, strip: int) -> Tensor:
    rows, columns = image.shape[-2:]
    with torch.inference_mode():
        return torch.cat(list(stream(plan, lambda a, b: image[:, :, a:b], rows, columns, strip)), 2)


def difference(result: Tensor, expected: Tensor) -> float:
    assert result.shape == expected.shape
    return float((result - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("dihedral", DIHEDRALS, ids=str)
@pytest.mark.parametrize("name", FEW + list(WRITTEN))
def test_the_transformed_network_gives_the_transformed_result(name: str, dihedral: Dihedral) -> None:
    network = network_of(name)
    image = image_for(network, 2)
    expected = dihedral.apply(whole(network, image))
    result = streamed(transformed_plan(plan_stream(network), dihedral), dihedral.apply(image), 3)
    assert difference(result, expected) <= 1e-10


@pytest.mark.parametrize("name", ["srcnn x4 lanczos", "srcnn x2 bilinear", "srresnet prelu tanh", "rrdbnet x4 plus"])
def test_the_other_layers_of_the_package_are_transformed_too(name: str) -> None:
    network, dihedral = network_of(name), Dihedral(True, False, True)
    image = image_for(network)
    expected = dihedral.apply(whole(network, image))
    # Interpolation weights are kept in float32: their mirror images are equal to its rounding.
    result = streamed(transformed_plan(plan_stream(network), dihedral), dihedral.apply(image), 4)
    assert difference(result, expected) <= 1e-7


def test_the_eight_results_of_a_network_differ() -> None:
    """The tests above can fail: the eight results of one network differ."""
    network = network_of("srresnet x3")
    image = image_for(network)
    plan = plan_stream(network)
    results = [dihedral.undo(streamed(plan, dihedral.apply(image), 4)) for dihedral in DIHEDRALS]
    for n, one in enumerate(results):
        assert all(difference(one, other) > 1e-3 for other in results[:n])


def test_there_are_eight_transforms_and_each_has_its_inverse() -> None:
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    transformed = [dihedral.apply(image) for dihedral in DIHEDRALS]
    assert len({(one.shape, tuple(one.flatten().tolist())) for one in transformed}) == 8
    for dihedral in DIHEDRALS:
        assert torch.equal(dihedral.undo(dihedral.apply(image)), image)


def test_a_transform_flips_before_it_exchanges() -> None:
    image = torch.tensor([[1, 2], [3, 4]])
    assert Dihedral(flip_rows=True).apply(image).tolist() == [[3, 4], [1, 2]]
    assert Dihedral(flip_columns=True).apply(image).tolist() == [[2, 1], [4, 3]]
    assert Dihedral(exchange=True).apply(image).tolist() == [[1, 3], [2, 4]]
    assert Dihedral(flip_rows=True, exchange=True).apply(image).tolist() == [[3, 1], [4, 2]]


def test_the_identity_returns_the_plan_itself() -> None:
    plan = plan_stream(network_of("srresnet x3"))
    assert transformed_plan(plan, Dihedral()) is plan


@pytest.mark.parametrize("dihedral", DIHEDRALS[1:], ids=str)
def test_a_transform_does_not_change_the_plan(dihedral: Dihedral) -> None:
    network = network_of("rrdbnet x2 unshuffled")
    image, plan = image_for(network), plan_stream(network)
    before = streamed(plan, image, 4)
    transformed_plan(plan, dihedral)
    assert torch.equal(streamed(plan, image, 4), before)


def test_a_shuffle_after_a_convolution_needs_no_copy() -> None:
    """The convolution writes its channels in the order in which they are read; others' are put in order."""
    dihedral = Dihedral(flip_rows=True)
    after_convolution = transformed_plan(plan_stream(network_of("srresnet x3")), dihedral)
    after_slopes = transformed_plan(plan_stream(network_of("slopes before a shuffle")), dihedral)
    orders = [
        [step.order for step in plan.steps if isinstance(step, ShuffleStep)]
        for plan in (after_convolution, after_slopes)
    ]
    assert orders == [[None], [(2, 3, 0, 1)]]


def test_transformed_kernels_keep_precision_and_layout() -> None:
    plan = plan_stream(small("srresnet x3").to(torch.bfloat16))
    for step in transformed_plan(plan, Dihedral(True, True, True)).steps:
        if isinstance(step, ConvolveStep):
            assert step.module.weight.dtype == torch.bfloat16
            assert step.module.weight.is_contiguous(memory_format=torch.channels_last)
            assert not step.module.weight.requires_grad
