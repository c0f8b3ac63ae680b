"""Saved weights load into the modules of other programs and give the same pixels, as docs/reference/files.md states."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from napari_sr import load_model
from napari_sr.networks import MSRResNet, RRDBNet, SRVGGNetCompact


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, 1, 1)


def leaky(x, slope=0.2):
    return functional.leaky_relu(x, slope)


class Dense(nn.Module):
    """Dense block of BasicSR."""

    def __init__(self, features, growth):
        super().__init__()
        for n in range(5):
            self.add_module(f"conv{n + 1}", conv(features + n * growth, growth if n < 4 else features))

    def forward(self, x):
        outputs = [x]
        for n in range(1, 5):
            outputs.append(leaky(self.get_submodule(f"conv{n}")(torch.cat(outputs, 1))))
        return 0.2 * self.conv5(torch.cat(outputs, 1)) + x


class Residual(nn.Module):
    """Residual-in-residual block of BasicSR."""

    def __init__(self, features, growth):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (Dense(features, growth) for _ in range(3))

    def forward(self, x):
        return 0.2 * self.rdb3(self.rdb2(self.rdb1(x))) + x


class RRDBNetOfBasicSR(nn.Module):
    """Two upsampling steps for every factor, after a pixel unshuffle for 2 and 1."""

    def __init__(self, scale, features, growth, blocks):
        super().__init__()
        self.unshuffle = 4 // scale
        self.conv_first = conv(3 * self.unshuffle**2, features)
        self.body = nn.Sequential(*(Residual(features, growth) for _ in range(blocks)))
        self.conv_body, self.conv_up1, self.conv_up2, self.conv_hr = (conv(features, features) for _ in range(4))
        self.conv_last = conv(features, 3)

    def forward(self, x):
        first = self.conv_first(functional.pixel_unshuffle(x, self.unshuffle))
        x = first + self.conv_body(self.body(first))
        for step in (self.conv_up1, self.conv_up2):
            x = leaky(step(functional.interpolate(x, scale_factor=2, mode="nearest")))
        return self.conv_last(leaky(self.conv_hr(x)))


class Plain(nn.Module):
    """Residual block of BasicSR without normalization."""

    def __init__(self, features):
        super().__init__()
        self.conv1, self.conv2 = conv(features, features), conv(features, features)

    def forward(self, x):
        return x + self.conv2(self.conv1(x).relu())


class MSRResNetOfBasicSR(nn.Module):
    def __init__(self, scale, features, blocks):
        super().__init__()
        self.scale, self.steps = scale, (2, 2) if scale == 4 else (scale,)
        self.conv_first = conv(3, features)
        self.body = nn.Sequential(*(Plain(features) for _ in range(blocks)))
        for n, step in enumerate(self.steps, 1):
            self.add_module(f"upconv{n}", conv(features, features * step**2))
        self.conv_hr, self.conv_last = conv(features, features), conv(features, 3)

    def forward(self, x):
        out = self.body(leaky(self.conv_first(x), 0.1))
        for n, step in enumerate(self.steps, 1):
            out = leaky(functional.pixel_shuffle(self.get_submodule(f"upconv{n}")(out), step), 0.1)
        out = self.conv_last(leaky(self.conv_hr(out), 0.1))
        return out + functional.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)


class SRVGGOfRealESRGAN(nn.Module):
    def __init__(self, scale, features, convs):
        super().__init__()
        self.scale = scale
        between = [layer for _ in range(convs) for layer in (conv(features, features), nn.PReLU(features))]
        self.body = nn.Sequential(conv(3, features), nn.PReLU(features), *between, conv(features, 3 * scale**2))

    def forward(self, x):
        enlarged = functional.interpolate(x, scale_factor=self.scale, mode="nearest")
        return functional.pixel_shuffle(self.body(x), self.scale) + enlarged


class CommonSRCNN(nn.Module):
    """The usual three layers, for an image that is interpolated already."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 9, padding=4, padding_mode="replicate")
        self.conv2 = nn.Conv2d(64, 32, 5, padding=2, padding_mode="replicate")
        self.conv3 = nn.Conv2d(32, 1, 5, padding=2, padding_mode="replicate")

    def forward(self, x):
        return self.conv3(self.conv2(self.conv1(x).relu()).relu())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        *(
            (
                RRDBNet(scale=scale, unshuffle=4 // scale, features=8, growth=4, blocks=2),
                RRDBNetOfBasicSR(scale, 8, 4, 2),
            )
            for scale in (4, 2, 1)
        ),
        *((MSRResNet(scale=scale, features=8, blocks=2), MSRResNetOfBasicSR(scale, 8, 2)) for scale in (2, 3, 4)),
        *((SRVGGNetCompact(scale=scale, features=8, convs=2), SRVGGOfRealESRGAN(scale, 8, 2)) for scale in (2, 3)),
    ],
    ids=lambda network: f"{type(network).__name__} x{getattr(network, 'scale', '')}",
)
@torch.inference_mode()
def test_networks_of_other_programs_take_the_weights(ours, theirs):
    theirs.load_state_dict(ours.state_dict(), strict=True)
    image = torch.rand(1, 3, 16, 12)
    torch.testing.assert_close(theirs(image), ours(image), rtol=0, atol=1e-5)


@torch.inference_mode()
def test_a_common_srcnn_takes_the_weights_for_an_interpolated_image():
    theirs, ours = CommonSRCNN(), load_model("srcnn-x2").network
    theirs.load_state_dict(ours.state_dict(), strict=True)
    image = torch.rand(1, 1, 16, 12)
    difference = theirs(ours.upsample(image)) - ours(image)
    # Ours continues the interpolated image by its edge pixels once, theirs the features of each layer.
    assert difference[..., 8:-8, 8:-8].abs().max() < 1e-5


@torch.inference_mode()
def test_the_compact_esrgan_needs_a_bilinear_interpolation_in_other_programs():
    theirs, ours = RRDBNetOfBasicSR(4, 32, 16, 6), load_model("esrgan-compact-x4").network
    theirs.load_state_dict(ours.state_dict(), strict=True)
    image = torch.rand(1, 3, 16, 12)
    added = functional.interpolate(image, scale_factor=4, mode="bilinear")
    torch.testing.assert_close(theirs(image) + added, ours(image), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["srcnn-microscopy-x2", "esrgan-microscopy-x2"])
def test_the_microscopy_models_do_not_fit_into_other_programs(name):
    theirs = CommonSRCNN() if "srcnn" in name else RRDBNetOfBasicSR(4, 32, 16, 4)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        theirs.load_state_dict(load_model(name).network.state_dict(), strict=True)
