"""Networks for the tests of streaming: random ones, and those of the package in small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from napari_sr.inference.compute.streaming.plan import plan_stream
from napari_sr.inference.compute.streaming.stream import stream
from napari_sr.networks import SRCNN, MSRResNet, RRDBNet, SRResNet, SRVGGNetCompact
from napari_sr.networks.conditioning import NoiseLevels, WithNoise
from napari_sr.networks.unshuffle import CropTo, PadUnshuffle
from napari_sr.networks.upsample import Upsample

Draw = Callable[[st.SearchStrategy[Any]], Any]


def with_noise(network: nn.Module) -> nn.Module:
    """A network with a noise plane as one of the image alone."""
    return WithNoise(network, NoiseLevels([0.02], [0.05], [1e-3]))


#: As in tests/networks: every way in, every way up, every kind of block.
SMALL: dict[str, Callable[[], nn.Module]] = {
    "srcnn 9-1-5": lambda: SRCNN(kernels=(9, 1, 5), features=(6, 4)),
    "srcnn 9-5-5": lambda: SRCNN(kernels=(9, 5, 5), features=(6, 4)),
    "srcnn 9-3-3-5": lambda: SRCNN(kernels=(9, 3, 3, 5), features=(6, 5, 4)),
    "srcnn x2": lambda: SRCNN(scale=2, features=(6, 4)),
    "srcnn x3 rgb": lambda: SRCNN(scale=3, channels=3, features=(6, 4)),
    "srcnn x4 lanczos": lambda: SRCNN(scale=4, features=(6, 4), upsampling="lanczos3"),
    "srcnn x2 bilinear": lambda: SRCNN(scale=2, features=(6, 4), upsampling="bilinear"),
    "srcnn x3 nearest": lambda: SRCNN(scale=3, features=(6, 4), upsampling="nearest"),
    "srresnet x4": lambda: SRResNet(features=8, blocks=2),
    "srresnet x3": lambda: SRResNet(scale=3, features=8, blocks=1),
    "srresnet x8": lambda: SRResNet(scale=8, features=8, blocks=1),
    "srresnet prelu tanh": lambda: SRResNet(
        scale=2, features=8, blocks=1, middle="prelu", output="tanh", shared_prelu=True
    ),
    "msrresnet x4": lambda: MSRResNet(features=8, blocks=2),
    "msrresnet x3": lambda: MSRResNet(scale=3, features=8, blocks=1, last_bias=False),
    "rrdbnet x1": lambda: RRDBNet(scale=1, features=8, growth=4, blocks=1),
    "rrdbnet x3": lambda: RRDBNet(scale=3, features=8, growth=4, blocks=1),
    "rrdbnet x4": lambda: RRDBNet(features=8, growth=4, blocks=2),
    "rrdbnet x2 unshuffled": lambda: RRDBNet(scale=2, features=8, growth=4, blocks=1, unshuffle=2),
    "rrdbnet x1 unshuffled": lambda: RRDBNet(scale=1, features=8, growth=4, blocks=1, unshuffle=4),
    "rrdbnet x4 bilinear skip": lambda: RRDBNet(features=8, growth=4, blocks=1, skip="bilinear"),
    "rrdbnet x4 plus": lambda: RRDBNet(features=8, growth=4, blocks=1, plus=True),
    "rrdbnet 1 to 3 channels": lambda: RRDBNet(scale=2, in_channels=1, features=8, growth=4, blocks=1),
    "rrdbnet x2 with noise": lambda: with_noise(
        RRDBNet(
            scale=2,
            in_channels=1,
            out_channels=1,
            features=8,
            growth=4,
            blocks=1,
            bias=False,
            padding="replicate",
            skip="bicubic",
            noise_plane=True,
            first_kernel=5,
        )
    ),
    "srcnn x4 with noise": lambda: with_noise(
        SRCNN(scale=4, features=(6, 4), bias=False, residual=True, noise_plane=True)
    ),
    "srvgg x4": lambda: SRVGGNetCompact(features=8, convs=2),
    "srvgg x2 relu": lambda: SRVGGNetCompact(scale=2, features=8, convs=1, activation="relu"),
}


class Written(nn.Module):
    """A network written down as a function of its layers and the image."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.write = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.write(self, x)


def small(name: str) -> nn.Module:
    """A small network with weights that matter everywhere, batch-norm statistics and slopes included."""
    torch.manual_seed(0)
    return with_drawn_weights(SMALL[name]())


def with_drawn_weights(network: nn.Module) -> nn.Module:
    """Draw every tensor, so that no bias is zero and no batch-norm an identity; values stay near 1."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                fan = module.weight[0].numel()
                module.weight.copy_(torch.randn_like(module.weight) / fan**0.5)
                if module.bias is not None:
                    module.bias.uniform_(-0.5, 0.5)
            elif isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-1, 1)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-1, 1)
            elif isinstance(module, nn.PReLU):
                module.weight.uniform_(0.1, 0.9)
    return network.eval()


def streamed(network: nn.Module, image: Tensor, strip: int, ask: Callable[[], None] = lambda: None) -> Tensor:
    """Run a network over an image by strips, and put them together."""
    with torch.inference_mode():
        rows, columns = image.shape[-2:]
        plan = plan_stream(network)
        return torch.cat(list(stream(plan, lambda a, b: image[:, :, a:b], rows, columns, strip, ask)), 2)


def whole(network: nn.Module, image: Tensor) -> Tensor:
    with torch.inference_mode():
        return network(image)


class Residual(nn.Module):
    """A branch around layers, joined in one of the ways that people write it."""

    def __init__(self, inner: nn.Module, fit: nn.Module, way: int) -> None:
        super().__init__()
        self.inner, self.fit, self.way = inner, fit, way

    def forward(self, x: Tensor) -> Tensor:
        deep, skip = self.inner(x), self.fit(x)
        match self.way:
            case 0:
                return deep + skip
            case 1:
                return deep * 0.2 + skip
            case 2:
                return 0.5 * skip - deep / 3
            case 3:
                return torch.add(skip, deep.mul(0.7)) + deep
            case _:
                return (torch.sub(skip * 1.5, deep) + skip) * 0.5 - 0.25


class Dense(nn.Module):
    """What was made before stands beside what is made."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        one = self.first(x)
        two = self.second(torch.cat((x, one), 1))
        return torch.cat([x, one * 0.5, two], dim=1)


class Numbers(nn.Module):
    """Arithmetic with numbers, and activations that are functions."""

    def __init__(self, way: int) -> None:
        super().__init__()
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        match self.way:
            case 0:
                return (torch.tanh(x) + 1) / 2
            case 1:
                return nn.functional.relu(x * -0.5) + 0.125
            case 2:
                return 0.25 + (x - 0.5) * 2
            case _:
                return x.relu() + x


class InAndOut(nn.Module):
    """Body at low resolution between a way in and a way out, with or without a long skip."""

    def __init__(
        self, gather: nn.Module, body: nn.Module, up: nn.Module, crop: nn.Module | None, skip: nn.Module | None
    ) -> None:
        super().__init__()
        self.gather, self.body, self.up, self.crop, self.skip = gather, body, up, crop, skip

    def forward(self, x: Tensor) -> Tensor:
        out = self.up(self.body(self.gather(x)))
        if self.crop is not None:
            out = self.crop(out, x)
        return out if self.skip is None else out + self.skip(x)


PADS = {"zeros": nn.ZeroPad2d, "replicate": nn.ReplicationPad2d, "reflect": nn.ReflectionPad2d}
MODES = st.sampled_from(list(PADS))
KERNELS = st.sampled_from([(1, 1), (3, 3), (3, 3), (5, 5), (1, 3), (5, 1)])
POINTWISE: list[Callable[[int], nn.Module]] = [
    lambda c: nn.ReLU(),
    lambda c: nn.LeakyReLU(0.2),
    lambda c: nn.PReLU(c),
    lambda c: nn.PReLU(),
    lambda c: nn.Tanh(),
    lambda c: nn.Sigmoid(),
    lambda c: nn.GELU(),
    lambda c: nn.SiLU(),
    lambda c: nn.ELU(),
    lambda c: nn.Mish(),
    lambda c: nn.Identity(),
    lambda c: nn.Dropout(),
    lambda c: nn.BatchNorm2d(c),
    lambda c: nn.BatchNorm2d(c),
    lambda c: Numbers(0),
    lambda c: Numbers(1),
    lambda c: Numbers(2),
    lambda c: Numbers(3),
]


def _split(draw: Draw, whole: int) -> tuple[int, int]:
    first = draw(st.integers(0, whole))
    return first, whole - first


def _convolution(draw: Draw, channels: int, out: int) -> nn.Module:
    """A convolution that gives back the size: padded by itself, or by a layer before it or after it."""
    kernel, dilation, mode = draw(KERNELS), draw(st.sampled_from([1, 1, 1, 2])), draw(MODES)
    extent = [(k - 1) * dilation for k in kernel]
    groups = channels if out % channels == 0 and draw(st.booleans()) else 1
    make = lambda **padding: nn.Conv2d(channels, out, kernel, dilation=dilation, groups=groups, **padding)  # noqa: E731
    way = draw(st.sampled_from(["padded", "padded", "pad before", "pad after"]))
    if way == "padded":
        return make(padding=(extent[0] // 2, extent[1] // 2), padding_mode=mode)
    # Not the same on all sides: nothing says that a border is symmetric.
    pad = PADS[mode]((*_split(draw, extent[1]), *_split(draw, extent[0])))
    return nn.Sequential(pad, make()) if way == "pad before" else nn.Sequential(make(), pad)


def _layers(draw: Draw, channels: int, depth: int) -> tuple[nn.Module, int]:
    """Layers that give back the size, and the channels that they give."""
    kinds = ["convolution", "convolution", "pointwise", "pointwise"]
    if depth:
        kinds += ["chain", "chain", "residual", "dense"]
    match draw(st.sampled_from(kinds)):
        case "convolution":
            out = draw(st.integers(1, 3))
            return _convolution(draw, channels, out), out
        case "pointwise":
            return draw(st.sampled_from(POINTWISE))(channels), channels
        case "chain":
            first, between = _layers(draw, channels, depth - 1)
            second, out = _layers(draw, between, depth - 1)
            return nn.Sequential(first, second), out
        case "residual":
            inner, out = _layers(draw, channels, depth - 1)
            fit = nn.Identity() if out == channels else nn.Conv2d(channels, out, 1)
            return Residual(inner, fit, draw(st.integers(0, 4))), out
        case _:
            first, one = _layers(draw, channels, depth - 1)
            second, two = _layers(draw, channels + one, depth - 1)
            return Dense(first, second), channels + one + two


def _enlargement(draw: Draw, channels: int, factor: int) -> nn.Module:
    way = draw(st.sampled_from(["shuffle", "torch", "nearest", "bilinear", "bicubic", "lanczos3"]))
    if way == "shuffle":
        return nn.Sequential(_convolution(draw, channels, channels * factor**2), nn.PixelShuffle(factor))
    if way == "torch":
        mode = draw(st.sampled_from(["nearest", "bilinear"]))
        return nn.Upsample(scale_factor=factor, mode=mode)
    return Upsample(factor, way)


@st.composite
def networks(draw: Draw) -> tuple[nn.Module, int]:
    """Any network that can be streamed, in float64, and its factor; it takes one channel."""
    torch.manual_seed(draw(st.integers(0, 2**16)))
    scale, group = draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from([1, 1, 2, 3]))
    gather = PadUnshuffle(group) if group > 1 else nn.Identity()
    body, channels = _layers(draw, group**2, 3)
    up: list[nn.Module] = []
    for factor in draw(st.permutations([scale, group])):
        if factor > 1:
            up.append(_enlargement(draw, channels, factor))
        between, channels = _layers(draw, channels, 1)
        up.append(between)
    crop = CropTo(scale, group) if group > 1 else None
    kernel = draw(st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos3"]))
    skip = draw(st.booleans())
    way_past = nn.Sequential(Upsample(scale, kernel), nn.Conv2d(1, channels, 1)) if skip else None
    network: nn.Module = InAndOut(gather, nn.Sequential(body), nn.Sequential(*up), crop, way_past)
    if draw(st.booleans()):
        # A result smaller than the image enlarged, as from unpadded convolutions without a pad.
        network = nn.Sequential(network, nn.Conv2d(channels, 1, draw(KERNELS)))
    return with_drawn_weights(network).double(), scale


def smallest(network: nn.Module, axis: int, limit: int = 64) -> int:
    """Fewest rows (axis 2) or columns (axis 3) that torch itself takes: reflections and kernels need their room."""
    for size in range(1, limit):
        shape = [1, 1, limit, limit]
        shape[axis] = size
        try:
            whole(network, torch.zeros(shape, dtype=torch.float64))
        except RuntimeError:
            continue
        return size
    raise AssertionError("a drawn network takes no image at all")
