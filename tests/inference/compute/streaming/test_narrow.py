"""Convolutions of several columns at once equal plain convolutions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from napari_sr.inference.compute.streaming.narrow import NarrowConvolution


@given(
    features=st.integers(1, 4),
    channels=st.integers(2, 9),
    height=st.sampled_from([1, 3, 5]),
    width=st.sampled_from([1, 3, 5, 9]),
    padding=st.integers(0, 4),
    columns=st.integers(1, 40),
    bias=st.booleans(),
)
def test_the_result_is_that_of_the_plain_convolution(
    features: int, channels: int, height: int, width: int, padding: int, columns: int, bias: bool
) -> None:
    padding = min(padding, width // 2)
    columns = max(columns, width - 2 * padding)
    torch.manual_seed(columns)
    module = nn.Conv2d(channels, features, (height, width), bias=bias).double()
    window = torch.rand(2, channels, height + 2, columns, dtype=torch.float64)
    with torch.inference_mode():
        plain = functional.conv2d(window, module.weight, module.bias, 1, (0, padding))
        narrow = NarrowConvolution(module)(window.contiguous(memory_format=torch.channels_last), padding)
    assert narrow.shape == plain.shape
    assert float((narrow - plain).abs().max()) < 1e-12


@pytest.mark.parametrize(
    ("module", "pays"),
    [
        (nn.Conv2d(32, 1, 5), True),
        (nn.Conv2d(64, 3, 9), True),
        (nn.Conv2d(64, 32, 5), False),
        (nn.Conv2d(1, 1, 5), False),
        (nn.Conv2d(4, 4, 3, groups=4), False),
        (nn.Conv2d(8, 1, 3, dilation=2), False),
    ],
    ids=["one", "three", "many", "one of one", "groups", "dilated"],
)
def test_only_plain_convolutions_with_few_features_are_faster(module: nn.Conv2d, pays: bool) -> None:
    assert NarrowConvolution.pays(module) == pays
