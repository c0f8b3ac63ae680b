"""Weights of networks that are not run are refused by the name of the network, in every wrapper."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from napari_sr.errors import CheckpointError
from napari_sr.zoo import detect_architecture, load_model
from napari_sr.zoo.dialects import DIALECTS
from napari_sr.zoo.dialects.others import OTHER_NETWORKS


def conv(inputs: int = 4, outputs: int = 4, side: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, padding=side // 2)


class Tree(nn.Module):
    """A module with these children; its names are those of the authors' code."""

    def __init__(self, **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


def edsr() -> nn.Module:
    """EDSR by its authors: sanghyun-son/EDSR-PyTorch, model/edsr.py."""
    blocks = [Tree(body=nn.Sequential(conv(), nn.ReLU(), conv())) for _ in range(2)]
    tail = nn.Sequential(nn.Sequential(conv(4, 16), nn.PixelShuffle(2)), conv(4, 3))
    means = {name: conv(3, 3, 1) for name in ("sub_mean", "add_mean")}
    return Tree(**means, head=nn.Sequential(conv(3, 4)), body=nn.Sequential(*blocks, conv()), tail=tail)


def rcan() -> nn.Module:
    """RCAN by its authors: yulunzhang/RCAN, model/rcan.py."""

    def block() -> nn.Module:
        attention = Tree(
            avg_pool=nn.AdaptiveAvgPool2d(1),
            conv_du=nn.Sequential(conv(4, 2, 1), nn.ReLU(), conv(2, 4, 1), nn.Sigmoid()),
        )
        return Tree(body=nn.Sequential(conv(), nn.ReLU(), conv(), attention))

    groups = [Tree(body=nn.Sequential(block(), block(), conv())) for _ in range(2)]
    tail = nn.Sequential(nn.Sequential(conv(4, 16), nn.PixelShuffle(2)), conv(4, 3))
    means = {name: conv(3, 3, 1) for name in ("sub_mean", "add_mean")}
    return Tree(**means, head=nn.Sequential(conv(3, 4)), body=nn.Sequential(*groups, conv()), tail=tail)


def swinir() -> nn.Module:
    """SwinIR by its authors: JingyunLiang/SwinIR, models/network_swinir.py."""
    attention = Tree(qkv=nn.Linear(4, 12), proj=nn.Linear(4, 4))
    attention.register_parameter("relative_position_bias_table", nn.Parameter(torch.zeros(9, 2)))
    attention.register_buffer("relative_position_index", torch.zeros(4, 4, dtype=torch.int64))
    block = Tree(
        norm1=nn.LayerNorm(4),
        attn=attention,
        norm2=nn.LayerNorm(4),
        mlp=Tree(fc1=nn.Linear(4, 8), fc2=nn.Linear(8, 4)),
    )
    layer = Tree(residual_group=Tree(blocks=nn.ModuleList([block])), conv=conv())
    return Tree(
        conv_first=conv(3, 4),
        patch_embed=Tree(norm=nn.LayerNorm(4)),
        layers=nn.ModuleList([layer]),
        norm=nn.LayerNorm(4),
        conv_after_body=conv(),
        conv_before_upsample=nn.Sequential(conv(), nn.LeakyReLU()),
        upsample=nn.Sequential(conv(4, 16), nn.PixelShuffle(2)),
        conv_last=conv(4, 3),
    )


def dncnn(norm: bool = False) -> nn.Module:
    """DnCNN as in KAIR: cszn/KAIR, models/network_dncnn.py."""
    layers: list[nn.Module] = [conv(1, 4), nn.ReLU()]
    for _ in range(15):
        layers += [conv(), nn.BatchNorm2d(4), nn.ReLU()] if norm else [conv(), nn.ReLU()]
    return Tree(model=nn.Sequential(*layers, conv(4, 1)))


NETWORKS = {
    "EDSR": (edsr, "This is EDSR, which napari-sr does not run: use weights of SRCNN, "),
    "RCAN": (rcan, "This is RCAN, which spandrel reads and napari-sr does not run"),
    "SwinIR": (swinir, "This is SwinIR, which spandrel reads"),
    "DnCNN": (dncnn, "This is DnCNN, which spandrel reads"),
    "DnCNN with batch normalization": (lambda: dncnn(norm=True), "This is DnCNN, which spandrel reads"),
}


@pytest.mark.parametrize("wrapper", [None, "params", "params_ema", "state_dict", "netG"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "_orig_mod.", "net_g.module."])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_is_not_run_is_named_in_every_wrapper(tmp_path, name, prefix, wrapper):
    make, words = NETWORKS[name]
    state = {prefix + key: tensor for key, tensor in make().state_dict().items()}
    paths = [tmp_path / "w.pth"]
    torch.save(state if wrapper is None else {wrapper: state, "epoch": 3}, paths[0])
    if wrapper is None:
        paths.append(tmp_path / "w.safetensors")
        save_file(state, paths[1])
    for path in paths:
        with pytest.raises(CheckpointError) as caught:
            load_model(path)
        message = str(caught.value)
        assert words in message
        assert message.startswith(path.name)
        assert "\n" not in message


@pytest.mark.parametrize("number", range(len(OTHER_NETWORKS)))
def test_every_entry_is_reached_and_names_its_network(number):
    other = OTHER_NETWORKS[number]
    channels = other.channels[0] if other.channels else 3
    tensors = {key: torch.zeros(4, channels, 3, 3) for key in other.keys}
    with pytest.raises(CheckpointError, match=f"^This is {other.name}, "):
        detect_architecture(tensors)


def test_no_network_that_is_run_is_taken_for_another():
    for dialect in DIALECTS:
        tensors = {key: torch.zeros(4, 3, 3, 3) for key in dialect.required_keys}
        assert not any(other.matches(tensors) for other in OTHER_NETWORKS)
