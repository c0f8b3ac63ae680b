"""Networks of random sizes are detected in files of every dialect, and compute the same."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from napari_sr import load_model, upscale
from napari_sr.errors import CheckpointError
from napari_sr.inference.channels import network_for
from napari_sr.zoo import Architecture, detect_architecture, read_checkpoint
from napari_sr.zoo.architectures import build_with

draws = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
channels = st.sampled_from([1, 3])
small = st.integers(1, 3)


def identity(state):
    return dict(state)


def renamer(*rules):
    """Rename keys to those of a dialect, by the first rule that matches a whole key."""

    def rename(state):
        theirs = {}
        for key, tensor in state.items():
            for pattern, replacement in rules:
                if re.fullmatch(pattern, key):
                    key = (
                        re.fullmatch(pattern, key).expand(replacement)
                        if isinstance(replacement, str)
                        else replacement(key)
                    )
                    break
            theirs[key] = tensor
        return theirs

    return rename


def assert_loads_correctly(draw_network, tmp_path, network, sizes, to_dialect, *, scale=None, seed=0):
    """Write a random network to a file in a dialect; the detected network has its sizes and computes the same."""
    architecture = Architecture(network=network, settings=sizes)
    original = draw_network(architecture, seed)
    theirs = to_dialect(original.state_dict())
    torch.save({"params": theirs}, tmp_path / "weights.pth")
    tensors = read_checkpoint(tmp_path / "weights.pth").tensors
    architecture, renamed = detect_architecture(tensors, scale=scale)
    assert architecture.network == network
    assert {key: architecture.settings[key] for key in sizes} == sizes
    x = torch.rand(1, original.in_channels, 9, 8)
    with torch.inference_mode():
        torch.testing.assert_close(build_with(architecture, renamed)(x), original(x), rtol=0, atol=0)
    return tensors


# RRDBNet ----------------------------------------------------------------------------------------------------------


def old_esrgan(state):
    """The first keys of ESRGAN, layer by layer as numbered by its `sequential`."""
    blocks = len({key.split(".")[1] for key in state if key.startswith("body.")})
    ups = len([key for key in state if re.fullmatch(r"conv_up\d\.weight", key)])
    layer = {"conv_first": "model.0", "conv_body": f"model.1.sub.{blocks}"}
    number = 2
    for n in range(ups):
        layer[f"conv_up{n + 1}"] = f"model.{number + 1}"  # upsample, convolution, activation
        number += 3
    layer["conv_hr"], layer["conv_last"] = f"model.{number}", f"model.{number + 2}"  # activation between
    theirs = {}
    for key, tensor in state.items():
        name, kind = key.rsplit(".", 1)
        match = re.fullmatch(r"body\.(\d+)\.rdb(\d)\.(conv\w+)", name)
        if match:
            inner = "" if match[3] == "conv1x1" else ".0"
            name = f"model.1.sub.{match[1]}.RDB{match[2]}.{match[3]}{inner}"
        else:
            name = layer[name]
        theirs[f"{name}.{kind}"] = tensor
    return theirs


new_esrgan = renamer(
    (r"body\.(\d+)\.rdb(\d)\.(.*)", r"RRDB_trunk.\1.RDB\2.\3"),
    (r"conv_body\.(.*)", r"trunk_conv.\1"),
    (r"conv_up(\d)\.(.*)", r"upconv\1.\2"),
    (r"conv_hr\.(.*)", r"HRconv.\1"),
)
RRDB_DIALECTS = {"old": old_esrgan, "new": new_esrgan, "basicsr": identity}


@pytest.mark.parametrize("dialect", RRDB_DIALECTS)
@draws
@given(
    factor=st.sampled_from([(1, 1), (2, 1), (3, 1), (4, 1), (8, 1), (2, 2), (1, 4)]),
    image=channels,
    features=small,
    growth=small,
    blocks=small,
    plus=st.booleans(),
)
def test_rrdbnet(draw_network, tmp_path, dialect, factor, image, features, growth, blocks, plus):
    sizes = {
        "scale": factor[0],
        "unshuffle": factor[1],
        "in_channels": image,
        "out_channels": image,
        "features": features,
        "growth": growth,
        "blocks": blocks,
        "plus": plus,
    }
    # x3 has the keys of x2: the caller says it.
    scale = 3 if factor[0] == 3 else None
    assert_loads_correctly(draw_network, tmp_path, "RRDBNet", sizes, RRDB_DIALECTS[dialect], scale=scale)


def test_the_first_keys_of_a_x4_are_those_of_the_published_file(small_state):
    published = {f"model.{n}.{kind}" for n in (0, 3, 6, 8, 10) for kind in ("weight", "bias")}
    state = small_state(0) | {"conv_up2.weight": torch.zeros(4, 4, 3, 3), "conv_up2.bias": torch.zeros(4)}
    assert {key for key in old_esrgan(state) if ".sub." not in key} == published


@pytest.mark.parametrize("step", [2, 3])
def test_the_first_keys_with_pixel_shuffles_are_refused_by_their_upsampling(small_state, step):
    state = old_esrgan(small_state(0))
    # A convolution, the pixel shuffle and an activation in place of interpolation, convolution and activation.
    for kind, shape in (("weight", (4 * step**2, 4, 3, 3)), ("bias", (4 * step**2,))):
        state[f"model.2.{kind}"] = torch.zeros(shape)
        del state[f"model.3.{kind}"]
    with pytest.raises(CheckpointError, match=r"upsample by pixel shuffles .* not supported"):
        detect_architecture(state)


@pytest.mark.parametrize(("scale", "words"), [(4, "upscale by 2 or 3, not by 4"), (1, "upscale by 2 or 3, not by 1")])
def test_a_factor_that_the_weights_cannot_have_is_refused(small_state, scale, words):
    with pytest.raises(CheckpointError, match=words):
        detect_architecture(small_state(0), scale=scale)


# SRResNet ---------------------------------------------------------------------------------------------------------


def without_counters(state):
    return {key: tensor for key, tensor in state.items() if not key.endswith("num_batches_tracked")}


def leftthomas(state):
    blocks = len({key.split(".")[1] for key in state if key.startswith("body.")})
    ups = len({key.split(".")[1] for key in state if key.startswith("up.")})
    middle, tail = f"block{blocks + 2}", f"block{blocks + 3}"
    rename = renamer(
        (r"conv_in\.(.*)", r"block1.0.\1"),
        (r"prelu_in\.(.*)", r"block1.1.\1"),
        (r"body\.(\d+)\..*", lambda key: re.sub(r"body\.(\d+)", lambda m: f"block{int(m[1]) + 2}", key)),
        (r"conv_mid\.(.*)", rf"{middle}.0.\1"),
        (r"(?:bn|prelu)_mid\.(.*)", rf"{middle}.1.\1"),
        (r"up\.(\d+)\.(.*)", rf"{tail}.\1.\2"),
        (r"conv_out\.(.*)", rf"{tail}.{ups}.\1"),
    )
    return rename(without_counters(state))


@draws
@given(scale=st.sampled_from([2, 4, 8]), blocks=st.integers(1, 12), middle=st.sampled_from(["prelu", "batch_norm"]))
def test_srresnet_of_leftthomas(draw_network, tmp_path, scale, blocks, middle):
    sizes = {
        "scale": scale,
        "in_channels": 3,
        "out_channels": 3,
        "features": 2,
        "blocks": blocks,
        "batch_norm_eps": 1e-5,
        "shared_prelu": True,
        "middle": middle,
        "output": "tanh",
    }
    assert_loads_correctly(draw_network, tmp_path, "SRResNet", sizes, leftthomas)


@draws
@given(scale=st.sampled_from([1, 2, 3, 4, 8]), image=channels, features=st.integers(2, 4), blocks=small)
def test_srresnet_of_krasserm(draw_network, tmp_path, scale, image, features, blocks):
    sizes = {
        "scale": scale,
        "in_channels": image,
        "out_channels": image,
        "features": features,
        "blocks": blocks,
        "batch_norm_eps": 1e-3,
        "shared_prelu": False,
        "middle": "batch_norm",
        "output": "tanh",
    }
    assert_loads_correctly(draw_network, tmp_path, "SRResNet", sizes, identity)


TRUNK_BIASES = re.compile(r"(body\.\d+\.conv[12]|conv_mid)\.bias")


@pytest.mark.parametrize(("conv", "chained"), [("conv", False), ("conv_block", False), ("conv_block", True)])
@draws
@given(scale=st.sampled_from([2, 4, 8]), image=channels, blocks=st.integers(1, 12), biases=st.booleans())
def test_srresnet_with_a_trunk(draw_network, tmp_path, conv, chained, scale, image, blocks, biases):
    def up(layer):
        """The key of an upsampling layer, in a block of its own or numbered in one chain."""
        if not chained:
            return rf"upsampling.\1.upsample_block.{layer}.\2"
        return lambda key: re.sub(r"up\.(\d+)\.\w+\.", lambda m: f"upsampling.{3 * int(m[1]) + layer}.", key)

    theirs = renamer(
        (r"conv_in\.(.*)", rf"{conv}1.0.\1"),
        (r"prelu_in\.(.*)", rf"{conv}1.1.\1"),
        (r"body\.(\d+)\.conv1\.(.*)", r"trunk.\1.rcb.0.\2"),
        (r"body\.(\d+)\.bn1\.(.*)", r"trunk.\1.rcb.1.\2"),
        (r"body\.(\d+)\.prelu\.(.*)", r"trunk.\1.rcb.2.\2"),
        (r"body\.(\d+)\.conv2\.(.*)", r"trunk.\1.rcb.3.\2"),
        (r"body\.(\d+)\.bn2\.(.*)", r"trunk.\1.rcb.4.\2"),
        (r"conv_mid\.(.*)", rf"{conv}2.0.\1"),
        (r"bn_mid\.(.*)", rf"{conv}2.1.\1"),
        (r"up\.(\d+)\.conv\.(.*)", up(0)),
        (r"up\.(\d+)\.prelu\.(.*)", up(2)),
        (r"conv_out\.(.*)", rf"{conv}3.\1"),
    )

    def to_dialect(state):
        if not biases:
            # As published: no bias before batch normalization, which is a bias of zero.
            for key in [key for key in state if TRUNK_BIASES.fullmatch(key)]:
                state.pop(key).zero_()
        return theirs(state)

    sizes = {
        "scale": scale,
        "in_channels": image,
        "out_channels": image,
        "features": 2,
        "blocks": blocks,
        "batch_norm_eps": 1e-5,
        "shared_prelu": True,
        "middle": "batch_norm",
        "output": "linear",
    }
    assert_loads_correctly(draw_network, tmp_path, "SRResNet", sizes, to_dialect)


class Dongheehand(nn.Module):
    """The generator as its program computes it: values in [-1, 1], one PReLU for all layers, a last kernel of 3 x 3."""

    def __init__(self, features, blocks, steps):
        super().__init__()
        self.prelu = nn.PReLU()

        def layer(inputs, outputs, kernel, *after):
            return named(body=nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), *after))

        def named(**parts):
            return nn.ModuleDict(parts)

        def normed():
            return nn.BatchNorm2d(features)

        self.conv01 = layer(3, features, 9, self.prelu)
        self.body = nn.ModuleList(
            named(
                body=nn.ModuleList(
                    [layer(features, features, 3, normed(), self.prelu), layer(features, features, 3, normed())]
                )
            )
            for _ in range(blocks)
        )
        self.conv02 = layer(features, features, 3, normed())
        self.tail = nn.ModuleList(
            named(body=nn.ModuleList([layer(features, features * n * n, 3), nn.PixelShuffle(n), self.prelu]))
            for n in steps
        )
        self.last_conv = layer(features, 3, 3, nn.Tanh())

    def forward(self, x):
        first = x = self.conv01["body"](x)
        for block in self.body:
            one, two = block["body"]
            x = x + two["body"](one["body"](x))
        x = self.conv02["body"](x) + first
        for step in self.tail:
            convolution, shuffle, prelu = step["body"]
            x = prelu(shuffle(convolution["body"](x)))
        return self.last_conv["body"](x)


@pytest.mark.parametrize("steps", [(2,), (3,), (2, 2)])
def test_srresnet_of_dongheehand_with_values_from_minus_one(tmp_path, steps):
    torch.manual_seed(0)
    network = Dongheehand(4, 2, steps)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.05, 0.3) if tensor.ndim < 4 else tensor.uniform_(-0.3, 0.3)
    network.eval()
    state = {key: tensor for key, tensor in network.state_dict().items() if not key.startswith("prelu.")}
    assert {"conv01.body.0.weight", "body.1.body.0.body.2.weight", "tail.0.body.0.body.0.bias"} < state.keys()
    torch.save(state, tmp_path / "SRGAN_gene_500.pt")
    model = load_model(tmp_path / "SRGAN_gene_500.pt")
    assert (model.name, model.scale, model.card.intensity_range) == ("SRGAN_gene_500", math.prod(steps), (-1.0, 1.0))
    image = torch.rand(1, 3, 9, 8)
    with torch.inference_mode():
        theirs = (network(2 * image - 1) + 1) / 2
        # To the border, beyond which there are zeros in values from -1.
        ours = network_for(model.network, model.card, 3)(image)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-6)
        assert float(theirs.std()) > 0.01
        pixels = upscale(image[0].permute(1, 2, 0).numpy(), model, device="cpu")
    torch.testing.assert_close(torch.from_numpy(pixels).permute(2, 0, 1)[None], theirs, rtol=0, atol=2e-6)


def test_other_kernels_of_dongheehand_are_refused():
    state = Dongheehand(4, 1, (2,)).state_dict()
    for size in (4, 11):
        state["last_conv.body.0.weight"] = torch.zeros(3, 4, size, size)
        with pytest.raises(CheckpointError, match=r"conv_out.weight is .* should be \(3, 4, 9, 9\)"):
            detect_architecture({key: tensor for key, tensor in state.items() if not key.startswith("prelu.")})


# The others -------------------------------------------------------------------------------------------------------

kair = renamer((r"body\.(.*)", r"recon_trunk.\1"), (r"conv_hr\.(.*)", r"HRconv.\1"))


@pytest.mark.parametrize("dialect", [identity, kair], ids=["basicsr", "kair"])
@draws
@given(scale=st.sampled_from([2, 3, 4, 8]), image=channels, features=small, blocks=small, bias=st.booleans())
def test_msrresnet(draw_network, tmp_path, dialect, scale, image, features, blocks, bias):
    sizes = {
        "scale": scale,
        "in_channels": image,
        "out_channels": image,
        "features": features,
        "blocks": blocks,
        "last_bias": bias,
    }
    tensors = assert_loads_correctly(draw_network, tmp_path, "MSRResNet", sizes, dialect)
    with pytest.raises(CheckpointError, match=f"upscale by {scale}, not by 5"):
        detect_architecture(tensors, scale=5)


@draws
@given(
    scale=st.integers(1, 4),
    image=channels,
    kernels=st.sampled_from([(9, 1, 5), (9, 3, 5), (9, 5, 5), (9, 3, 3, 5), (9, 3, 1, 3, 5)]),
    features=st.tuples(small, small, small, small),
)
def test_srcnn(draw_network, tmp_path, scale, image, kernels, features):
    sizes = {"scale": scale, "channels": image, "kernels": kernels, "features": features[: len(kernels) - 1]}
    tensors = assert_loads_correctly(draw_network, tmp_path, "SRCNN", sizes, identity, scale=scale)
    with pytest.raises(CheckpointError, match="give the scale"):
        detect_architecture(tensors)
    with pytest.raises(CheckpointError, match="upscale by 0"):
        detect_architecture(tensors, scale=0)


named_layers = renamer(
    (r"conv1\.(.*)", r"features.0.\1"), (r"conv2\.(.*)", r"map.0.\1"), (r"conv3\.(.*)", r"reconstruction.\1")
)


@draws
@given(scale=st.integers(1, 4), image=channels, kernel=st.sampled_from([1, 3, 5]), features=st.tuples(small, small))
def test_srcnn_with_named_layers(draw_network, tmp_path, scale, image, kernel, features):
    sizes = {"scale": scale, "channels": image, "kernels": (9, kernel, 5), "features": features}
    tensors = assert_loads_correctly(draw_network, tmp_path, "SRCNN", sizes, named_layers, scale=scale)
    with pytest.raises(CheckpointError, match="give the scale"):
        detect_architecture(tensors)


@draws
@given(scale=st.integers(1, 4), image=channels, features=small, convs=st.integers(0, 12))
def test_srvgg(draw_network, tmp_path, scale, image, features, convs):
    sizes = {"scale": scale, "in_channels": image, "out_channels": image, "features": features, "convs": convs}
    tensors = assert_loads_correctly(draw_network, tmp_path, "SRVGGNetCompact", sizes, identity)
    with pytest.raises(CheckpointError, match=f"upscale by {scale}, not by 7"):
        detect_architecture(tensors, scale=7)


def test_squeezenet_without_its_classifier(draw_network):
    network = draw_network(Architecture(network="SqueezeNetFeatures"))
    classifier = {"classifier.1.weight": torch.zeros(1000, 512, 1, 1), "classifier.1.bias": torch.zeros(1000)}
    architecture, renamed = detect_architecture(network.state_dict() | classifier)
    x = torch.rand(1, 3, 40, 40)
    assert architecture.network == "SqueezeNetFeatures"
    assert torch.equal(build_with(architecture, renamed)(x), network(x))
    with pytest.raises(CheckpointError, match="leave scale out"):
        detect_architecture(network.state_dict(), scale=4)


# Refusals ---------------------------------------------------------------------------------------------------------


def drop(key):
    return lambda state: state.pop(key)


def put(key, *shape):
    return lambda state: state.update({key: torch.zeros(shape)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop("conv_last.weight"), "conv_last.weight is missing"),
        (drop("conv_hr.bias"), "conv_hr.bias is missing"),
        (drop("body.0.rdb2.conv3.weight"), "body.0.rdb2.conv3.weight is missing"),
        (put("conv_first.weight", 4), "conv_first.weight has 1 dimensions"),
        (put("conv_hr.weight", 4, 4, 1, 1), r"conv_hr.weight is \(4, 4, 1, 1\)"),
        (put("body.2.rdb1.conv1.weight", 2, 4, 3, 3), "body.1.rdb1.conv1.weight is missing"),
        (put("attention.weight", 4), "no tensor called attention.weight"),
        (
            lambda s: [s.update({f"conv_up{n}.weight": torch.zeros(4, 4, 3, 3)}) for n in (2, 3, 4)],
            "4 upsampling steps",
        ),
    ],
)
def test_incomplete_and_other_weights_are_refused_with_the_tensor(small_state, change, words):
    state = small_state(0)
    change(state)
    with pytest.raises(CheckpointError, match=words) as caught:
        detect_architecture(state)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"layers.0.attn.qkv.weight": (3, 3)}, "layers.0.attn.qkv.weight.*SRCNN, SRResNet, MSRResNet, RRDBNet"),
        ({}, "tensors: none"),
        ({"model.1.sub.0.res.0.weight": (4, 4, 3, 3)}, "first MSRResNet of KAIR"),
        ({"residual_blocks.0.conv_block1.conv_block.0.weight": (4, 4, 3, 3)}, "normalized as for ImageNet"),
        ({"body.0.weight": (4, 3, 3, 3), "body.2.weight": (12, 4, 3, 3)}, "their activation"),
        ({"body.0.weight": (4, 3, 3, 3), "body.1.weight": (4,), "body.2.weight": (13, 4, 3, 3)}, "fit no factor"),
        (
            {
                "conv_first.weight": (4, 3, 3, 3),
                "body.0.conv1.weight": (4, 4, 3, 3),
                "upconv1.weight": (20, 4, 3, 3),
                "conv_last.weight": (3, 4, 3, 3),
            },
            "which MSRResNet does not have",
        ),
    ],
)
def test_weights_of_unknown_networks_are_refused(keys, words):
    with pytest.raises(CheckpointError, match=words):
        detect_architecture({key: torch.zeros(shape) for key, shape in keys.items()})


# Real weights -----------------------------------------------------------------------------------------------------

SRRESNET = {"features": 64, "in_channels": 3, "out_channels": 3, "output": "tanh"}
KRASSERM = {**SRRESNET, "scale": 4, "blocks": 16, "batch_norm_eps": 1e-3, "middle": "batch_norm", "shared_prelu": False}
LEFTTHOMAS = {**SRRESNET, "blocks": 5, "batch_norm_eps": 1e-5, "middle": "prelu", "shared_prelu": True}
RRDBNET = {"scale": 4, "in_channels": 3, "out_channels": 3, "features": 64, "growth": 32, "unshuffle": 1, "plus": False}
REAL = {
    "chxy95_srcnn_915_x3.pkl": ("SRCNN", {"kernels": (9, 1, 5), "features": (64, 32), "channels": 1}),
    "fivefold_srcnn_955_x3.pth": ("SRCNN", {"kernels": (9, 5, 5), "features": (64, 32), "channels": 1}),
    "krasserm_srgan_x4.pth": ("SRResNet", KRASSERM),
    "krasserm_srresnet_x4.pth": ("SRResNet", KRASSERM),
    "leftthomas_netG_epoch_2_100.pth": ("SRResNet", {**LEFTTHOMAS, "scale": 2}),
    "leftthomas_netG_epoch_4_100.pth": ("SRResNet", {**LEFTTHOMAS, "scale": 4}),
    "realesr-animevideov3-x4.fp16.pth": ("SRVGGNetCompact", {"scale": 4, "features": 64, "convs": 16}),
    "realesrgan-x4plus-anime.fp16.pth": ("RRDBNet", {**RRDBNET, "blocks": 6}),
    "realesrgan-x4plus.fp16.pth": ("RRDBNet", {**RRDBNET, "blocks": 23}),
    "squeezenet1_1_caffe_bgr.pth": ("SqueezeNetFeatures", {}),
}


@pytest.mark.skipif(
    "NAPARI_SR_DATA" not in os.environ, reason="NAPARI_SR_DATA does not name the folder of real weights"
)
@pytest.mark.parametrize("name", REAL)
def test_published_weights_are_detected(name):
    network, sizes = REAL[name]
    path = Path(os.environ["NAPARI_SR_DATA"]) / "weights" / name
    architecture, renamed = detect_architecture(read_checkpoint(path).tensors, scale=3 if network == "SRCNN" else None)
    assert architecture.network == network
    assert {key: architecture.settings[key] for key in sizes} == sizes
    assert build_with(architecture, renamed)(torch.rand(1, sizes.get("channels", 3), 48, 48)).isfinite().all()
