"""Small valid model files of every format and dialect, and changes of their contents."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from safetensors.torch import save
from torch import Tensor

from napari_sr.zoo import Architecture
from napari_sr.zoo.architectures import build
from napari_sr.zoo.header import CARD_KEY

State = dict[str, Tensor]

#: Networks of the dialects: name, settings, and rules for the keys of the dialect.
_TRUNK = (
    (r"conv_in\.", "conv_block1.0."),
    (r"prelu_in\.", "conv_block1.1."),
    (r"body\.(\d+)\.conv1\.", r"trunk.\1.rcb.0."),
    (r"body\.(\d+)\.bn1\.", r"trunk.\1.rcb.1."),
    (r"body\.(\d+)\.prelu\.", r"trunk.\1.rcb.2."),
    (r"body\.(\d+)\.conv2\.", r"trunk.\1.rcb.3."),
    (r"body\.(\d+)\.bn2\.", r"trunk.\1.rcb.4."),
    (r"conv_mid\.", "conv_block2.0."),
    (r"bn_mid\.", "conv_block2.1."),
    (r"up\.(\d+)\.conv\.", r"upsampling.\1.upsample_block.0."),
    (r"up\.(\d+)\.prelu\.", r"upsampling.\1.upsample_block.2."),
    (r"conv_out\.", "conv_block3."),
)
_OLD = (
    (r"conv_first\.", "model.0."),
    (r"body\.(\d+)\.rdb(\d)\.conv(\d)\.", r"model.1.sub.\1.RDB\2.conv\3.0."),
    (r"conv_body\.", "model.1.sub.1."),
    (r"conv_up1\.", "model.3."),
    (r"conv_hr\.", "model.5."),
    (r"conv_last\.", "model.7."),
)
RRDB = {"scale": 2, "in_channels": 1, "out_channels": 1, "features": 4, "growth": 2, "blocks": 1}
NETWORKS: dict[str, tuple[str, dict[str, Any], tuple[tuple[str, str], ...]]] = {
    "RRDBNet": ("RRDBNet", RRDB, ()),
    "ESRGAN": ("RRDBNet", RRDB, _OLD),
    "SRGAN-PyTorch": ("SRResNet", {"scale": 2, "features": 4, "blocks": 1, "middle": "batch_norm"}, _TRUNK),
    "SRVGGNetCompact": ("SRVGGNetCompact", {"scale": 2, "features": 4, "convs": 1}, ()),
    "SRCNN": ("SRCNN", {"scale": 2, "kernels": (3, 1, 3), "features": (3, 2)}, ()),
}


@cache
def _state(name: str) -> State:
    network, settings, rules = NETWORKS[name]
    torch.manual_seed(0)
    state: State = {}
    for key, tensor in build(Architecture(network=network, settings=settings)).state_dict().items():
        for pattern, replacement in rules:
            if re.match(pattern, key):
                key = re.sub(pattern, replacement, key, count=1)
                break
        state[key] = tensor
    return state


def state_of(name: str) -> State:
    """A copy of the weights of a network of `NETWORKS`."""
    return {key: tensor.clone() for key, tensor in _state(name).items()}


def card_fields(endpoints: bool = False) -> dict[str, Any]:
    """The fields of the card of the RRDBNet."""
    fields: dict[str, Any] = {
        "name": "tiny",
        "family": "esrgan",
        "architecture": {"network": "RRDBNet", "settings": dict(RRDB)},
        "scale": 2,
        "channels": 1,
        "color": "gray",
        "intensity_range": [0.0, 1.0],
        "notes": "text",
        "recipe": "name = 'r'",
        "pixel_size": 0.1,
        "pixel_unit": "micrometer",
        "training_data": [{"name": "images", "license": "CC0"}],
    }
    return {**fields, "endpoints": ["a", "b"], "default_alpha": 0.5} if endpoints else fields


def model_bytes(fields: Mapping[str, Any], text: str | None = None) -> bytes:
    """A model file of the RRDBNet with these fields, or this text, on its card."""
    names = ("a/", "b/") if fields.get("endpoints") else ("",)
    tensors = {prefix + key: tensor.clone() for prefix in names for key, tensor in _state("RRDBNet").items()}
    return save(tensors, metadata={CARD_KEY: json.dumps(fields) if text is None else text})


def torch_bytes(content: Any, zipped: bool = True) -> bytes:
    """A file of torch.save."""
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def matlab_bytes(packed: bool) -> bytes:
    """The MATLAB file of a small SRCNN."""
    from scipy.io import savemat

    draw = np.random.default_rng(0).normal
    arrays = {"weights_conv1": draw(size=(9, 4)), "weights_conv2": draw(size=(4, 1, 3))}
    arrays |= {"weights_conv3": draw(size=(3, 25))}
    arrays |= {f"biases_conv{n + 1}": draw(size=(size, 1)) for n, size in enumerate((4, 3, 1))}
    stream = io.BytesIO()
    savemat(stream, {name: 0.1 * array for name, array in arrays.items()}, do_compression=packed)
    return stream.getvalue()


@cache
def valid_files() -> dict[str, tuple[str, bytes]]:
    """Endings and contents of small valid files."""
    files = {
        "model file": (".safetensors", model_bytes(card_fields())),
        "pair": (".safetensors", model_bytes(card_fields(endpoints=True))),
        "matlab": (".mat", matlab_bytes(packed=False)),
        "packed matlab": (".mat", matlab_bytes(packed=True)),
        "safetensors": (".safetensors", save({f"params_ema.{k}": t for k, t in state_of("RRDBNet").items()})),
        "training": (
            ".ckpt",
            torch_bytes({"netG": state_of("SRGAN-PyTorch"), "epoch": 3, "args": {"lr": 1e-4, "names": ["a", None]}}),
        ),
    }
    for name in NETWORKS:
        files[f"zip of {name}"] = (".pth", torch_bytes({"params": state_of(name)}))
        files[f"old file of {name}"] = (".pth", torch_bytes(state_of(name), zipped=False))
    return files


# Bytes --------------------------------------------------------------------------------------------------------------

_NUMBERS = (b"\0" * 8, b"\xff" * 8, b"\xff\xff\xff\x7f", b"\0\0\0\x80", (2**40).to_bytes(8, "little"), b"PK\x03\x04")


@st.composite
def changed_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes of a file, cut, flipped, repeated, moved or overwritten in a few places."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        # Headers and tables of contents are at the ends.
        near = st.integers(0, max(0, len(changed) - 1))
        place = draw(
            st.one_of(near, st.integers(0, min(400, len(changed))), near.map(lambda n: len(changed) - n % 400))
        )
        length = draw(st.sampled_from((1, 2, 4, 8, 64, 1024)))
        match draw(st.sampled_from(("flip", "cut", "remove", "insert", "number", "repeat", "move"))):
            case "flip" if place < len(changed):
                changed[place] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del changed[place:]
            case "remove":
                del changed[place : place + length]
            case "insert":
                changed[place:place] = draw(st.binary(min_size=1, max_size=16))
            case "number":
                number = draw(st.sampled_from(_NUMBERS))
                changed[place : place + len(number)] = number
            case "repeat":
                changed[place:place] = changed[place : place + length]
            case "move":
                part = changed[place : place + length]
                del changed[place : place + length]
                changed[len(changed) // 2 : len(changed) // 2] = part
    return bytes(changed)


# Weights ------------------------------------------------------------------------------------------------------------

#: Prefixes and wrappers that programs write around a network.
PREFIXES = ("module.", "_orig_mod.", "model.", "net_g.", "netG.", "generator.", "params_ema.", "params-ema.", "g_ema.")
WRAPPERS = (
    *("params", "params_ema", "params-ema", "state_dict", "model_state_dict", "model", "generator", "g_ema", "netG"),
    *("G", "net_g", "ema", "network", "gen"),
)
_DTYPES = (torch.int8, torch.uint8, torch.bool, torch.int64, torch.complex64, torch.float16, torch.float64)
_SHAPES: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda t: t.flatten(),
    lambda t: t[:0],
    lambda t: t[None],
    lambda t: t.flatten()[:1],
    lambda t: t.flatten()[0],
    lambda t: torch.cat((t, t)),
    lambda t: t.flip(0) if t.ndim else t,
    lambda t: t.transpose(0, -1) if t.ndim > 1 else t,
    lambda t: t.flatten()[:1].expand(4000, 4000),
    lambda t: t.new_zeros((1,) * 9),
)
_VALUES = (float("nan"), float("inf"), -float("inf"), 1e38, 1e-40, -1.0, 0.0, 1e9)
_OBJECTS: tuple[Any, ...] = (
    None,
    3,
    "text",
    [1, [2]],
    (),
    {},
    1e400,
    2**80,
    {"a": {"b": 1}},
    b"bytes",
    torch.Size([1]),
)
KEYS = st.one_of(
    st.text(max_size=20),
    st.integers(),
    st.sampled_from(("", ".", "a..b", "conv1.weight", "body.0.weight", "model.1.sub.9.weight", "body.99999999999.x")),
    st.sampled_from(("x" * 1000, "module." * 300 + "weight", "body.\u0663.weight", "layers.0.norm.weight")),
)


@st.composite
def changed_states(draw: st.DrawFn, state: State) -> dict[Any, Any]:
    """A state dict with other keys, shapes, types and values in a few places."""
    changed: dict[Any, Any] = dict(state)
    for _ in range(draw(st.integers(1, 3))):
        if not changed:
            return changed
        key = draw(st.sampled_from(list(changed)))
        tensor = changed[key] if isinstance(changed[key], Tensor) else torch.zeros(2)
        # An earlier change may have left no dimension or no value, which the functions of `_SHAPES` need.
        shaped = tensor if tensor.ndim and tensor.numel() else torch.zeros(2)
        match draw(st.sampled_from(("remove", "key", "swap", "dtype", "shape", "value", "object", "extra", "prefix"))):
            case "remove":
                del changed[key]
            case "key":
                changed[draw(KEYS)] = changed.pop(key)
            case "swap":
                other = draw(st.sampled_from(list(changed)))
                changed[key], changed[other] = changed[other], changed[key]
            case "dtype":
                changed[key] = tensor.to(draw(st.sampled_from(_DTYPES)))
            case "shape":
                changed[key] = draw(st.sampled_from(_SHAPES))(shaped)
            case "value":
                changed[key] = torch.full_like(
                    tensor, draw(st.sampled_from(_VALUES)) if tensor.is_floating_point() else 7
                )
            case "object":
                changed[key] = draw(st.sampled_from(_OBJECTS))
            case "extra":
                changed[draw(KEYS)] = torch.zeros(draw(st.lists(st.integers(0, 5), max_size=4)))
            case "prefix":
                prefix = draw(st.sampled_from(PREFIXES))
                part = draw(st.sampled_from(("", "body", "conv")))
                changed = {f"{prefix}{k}" if str(k).startswith(part) else k: t for k, t in changed.items()}
    return changed


@st.composite
def nested(draw: st.DrawFn, content: Any) -> Any:
    """The content of a file of torch.save in dicts and lists of other programs."""
    for _ in range(draw(st.integers(0, 3))):
        match draw(st.sampled_from(("wrap", "beside", "list", "other"))):
            case "wrap":
                content = {draw(st.sampled_from(WRAPPERS)): content}
            case "beside":
                content = {draw(st.sampled_from(WRAPPERS)): content, draw(st.sampled_from(WRAPPERS)): content}
            case "list":
                content = [content]
            case "other":
                content = {"model": content, draw(KEYS): draw(st.sampled_from(_OBJECTS)), "optimizer": {"state": {}}}
    return content


# Cards --------------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from((0, -1, 1, 3, 16, 511, 8192, 10**9, 10**400)),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(("", "../../x", "a/b", "NUL", "x" * 10**4, "\ud800", "os.system", "SRResNet", "SRCNN", "rgb")),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def changed_cards(draw: st.DrawFn, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a card, a few of them with other values, missing or additional."""
    changed: dict[str, Any] = json.loads(json.dumps(fields))
    for _ in range(draw(st.integers(1, 3))):
        table: Any = draw(
            st.sampled_from((changed, changed.get("architecture"), (changed.get("architecture") or {}).get("settings")))
            if isinstance(changed.get("architecture"), dict)
            else st.just(changed)
        )
        if not isinstance(table, dict):
            continue
        known = (*table, *RRDB, "gate", "noise_plane", "unshuffle", "padding", "skip", "alpha", "precision")
        key = draw(st.one_of(st.sampled_from(known), st.text(max_size=8)))
        if draw(st.booleans()) or key not in table:
            table[key] = draw(JSON)
        else:
            del table[key]
    return changed
