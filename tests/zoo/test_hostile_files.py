"""Files that are made to take memory, time or control are refused in one sentence, within seconds and bytes."""

from __future__ import annotations

import io
import json
import pickle
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from napari_sr.zoo import Architecture
from napari_sr.zoo.architectures import build
from napari_sr.zoo.header import CARD_KEY

MIB = 2**20
#: Allowance of the measured peak for the interpreter, beside three times the file.
ALLOWANCE = 32 * MIB
SECONDS = 10.0

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is measured on Linux"
)

TINY = {"scale": 2, "in_channels": 1, "out_channels": 1, "features": 4, "growth": 2, "blocks": 1}
CARD = {
    "name": "tiny",
    "family": "esrgan",
    "architecture": {"network": "RRDBNet", "settings": TINY},
    "scale": 2,
    "channels": 1,
    "color": "gray",
}


def tiny():
    torch.manual_seed(0)
    return {key: t.clone() for key, t in build(Architecture(network="RRDBNet", settings=TINY)).state_dict().items()}


# Builders of files -------------------------------------------------------------------------------------------------


def with_card(state=None, settings=(), **fields) -> bytes:
    card = {**CARD, **fields}
    card["architecture"] = {"network": "RRDBNet", "settings": {**TINY, **dict(settings)}}
    return save(tiny() if state is None else state, metadata={CARD_KEY: json.dumps(card)})


def with_card_text(text: str) -> bytes:
    return save(tiny(), metadata={CARD_KEY: text})


def saved(content: object, zipped: bool = True) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def safetensors_of(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def header_of(*entries: tuple[str, str, list[int], list[int]]) -> bytes:
    return json.dumps({k: {"dtype": d, "shape": s, "data_offsets": o} for k, d, s, o in entries}).encode()


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as target:
        for name, data in members.items():
            target.writestr(name, data)
    return stream.getvalue()


def changed_archive(data: bytes, change) -> bytes:
    """An archive of torch.save with other members."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    change(members)
    return archive(members)


def deflated(megabytes: int) -> bytes:
    """A torch file whose storage is packed zeros."""
    members = {"w/data.pkl": data_pickle(megabytes * MIB // 4), "w/version": b"3", "w/byteorder": b"little"}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for name, data in members.items():
            target.writestr(name, data)
        with target.open("w/data/0", "w", force_zip64=True) as member:
            for _ in range(megabytes):
                member.write(bytes(MIB))
    return stream.getvalue()


def data_pickle(count: int, shape: tuple[int, ...] | None = None, keys: tuple[str, ...] = ("conv.weight",)) -> bytes:
    """The pickle of tensors with one storage of any size."""
    sizes = shape or (count,)
    parts = [b"\x80\x02ccollections\nOrderedDict\n)R("]
    for key in keys:
        text = key.encode()
        parts += [b"X", struct.pack("<I", len(text)), text]
        parts.append(b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n")
        parts += [b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpu", long(count), b"tQK\x00(", *map(long, sizes), b"t("]
        strides = [int(np.prod(sizes[n + 1 :])) for n in range(len(sizes))]
        parts += [*map(long, strides), b"t\x89ccollections\nOrderedDict\n)RtR"]
    return b"".join((*parts, b"u."))


def long(number: int) -> bytes:
    data = number.to_bytes(9, "little")
    return b"\x8a" + bytes([len(data)]) + data


def old_format(pickled: bytes, keys: list[str]) -> bytes:
    start = b"".join(pickle.dumps(n, protocol=2) for n in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    return start + pickled + pickle.dumps(keys, protocol=2)


def mat(elements: list[bytes]) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(elements)


def packed(megabytes: int) -> bytes:
    squeeze = zlib.compressobj(1)
    body = b"".join([squeeze.compress(bytes(MIB)) for _ in range(megabytes)]) + squeeze.flush()
    return struct.pack("<II", 15, len(body)) + body


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def torchscript() -> bytes:
    return archive({"n/constants.pkl": b"", "n/data.pkl": b"", "n/code/__torch__.py": b"import os"})


class Sparse:
    """A file that ends far behind its content."""

    def __init__(self, data: bytes, size: int = 40 * 2**30, end: bytes = b"") -> None:
        self.data, self.size, self.end = data, size, end


RRDB = "body.0.rdb1.conv1.weight"
BIG = 10 * 2**30
LAUGHS = b"\x80\x02}q\x00" + b"".join(
    b"h"
    + bytes([n])
    + b"("
    + b"".join(b"K" + bytes([k]) + b"h" + bytes([n]) for k in range(9))
    + b"u0}q"
    + bytes([n + 1])
    for n in range(100)
)
GLOBAL = b"cos\nsystem\n(X\x04\x00\x00\x00exittR."

#: Files by name: their content, and the beginning of the sentence after their name.
CASES: dict[str, tuple[object, str]] = {
    # Sizes in the card.
    "blocks.safetensors": (lambda: with_card(settings={"blocks": 10**9}), "blocks = 1000000000"),
    "blocks-more.safetensors": (lambda: with_card(settings={"blocks": 10**30}), "needs .* tensors"),
    "blocks-fewer.safetensors": (lambda: with_card(settings={"blocks": 500}), "needs .* tensors, and there are"),
    "blocks-negative.safetensors": (lambda: with_card(settings={"blocks": -1}), "between 0 and 512"),
    "scale.safetensors": (lambda: with_card(settings={"scale": 10**6}, scale=10**6), "between 1 and 16"),
    "features.safetensors": (lambda: with_card(settings={"features": 10**9}), "between 1 and 8192"),
    "features-zero.safetensors": (lambda: with_card(settings={"features": 0}), "between 1 and 8192"),
    "gate.safetensors": (lambda: with_card(settings={"gate": 10**9, "bias": False}), "between 0 and 8192"),
    "first_kernel.safetensors": (lambda: with_card(settings={"first_kernel": 10**9 + 1}), "between 1 and 8192"),
    "type.safetensors": (lambda: with_card(settings={"blocks": "many"}), "of the type int"),
    "network.safetensors": (
        lambda: with_card_text(json.dumps({**CARD, "architecture": {"network": "os.system"}})),
        "no network called os.system",
    ),
    # Texts of the card.
    "name-path.safetensors": (lambda: with_card(name="../../x"), "name: .* cannot be the name of a model"),
    "name-windows.safetensors": (lambda: with_card(name="C:\\x"), "name: .* cannot be the name of a model"),
    "name-device.safetensors": (lambda: with_card(name="NUL.txt"), "name of a device on Windows"),
    "name-hidden.safetensors": (lambda: with_card(name=".bashrc"), "name: .* begin it with a letter"),
    "name-long.safetensors": (lambda: with_card(name="x" * 10**5), "name: .* too long"),
    "name-lines.safetensors": (lambda: with_card(name="a\nb\x1b[31m"), "name: .* cannot be the name of a model"),
    "endpoint-path.safetensors": (lambda: with_card(endpoints=["../a", "b"]), "endpoints.0: .* cannot be the name"),
    "card-deep.safetensors": (lambda: with_card_text(nested(20_000)), "card cannot be read"),
    "card-deep-field.safetensors": (lambda: with_card_text('{"name": ' + nested(4900) + "}"), "card cannot be read"),
    "card-deep-recipe.safetensors": (lambda: with_card(recipe="a = " + nested(4000)), "recipe is not TOML"),
    "card-large.safetensors": (lambda: with_card(notes="x" * (2 * MIB)), "card cannot be read: it has more than"),
    "card-nan.safetensors": (
        lambda: with_card_text(json.dumps({**CARD, "default_alpha": float("nan")})),
        "card cannot be read",
    ),
    "card-range.safetensors": (lambda: with_card(intensity_range=[0, 1e308]), "cannot be mapped"),
    "card-surrogate.safetensors": (
        lambda: with_card_text(json.dumps(CARD).replace('"tiny"', '"tiny", "notes": "\\ud800"')),
        "card cannot be read",
    ),
    "card-twice.safetensors": (
        lambda: with_card_text(
            json.dumps(CARD).replace('"scale": 2, "channels"', '"scale": 2, "scale": 2, "channels"')
        ),
        "a name is there twice",
    ),
    # Headers of safetensors.
    "header-huge.safetensors": (lambda: safetensors_of(b" " * (90 * MIB)), "has a header of"),
    "header-length.safetensors": (lambda: struct.pack("<Q", 2**63) + b"{}", "cut short or is no safetensors"),
    "header-deep.safetensors": (lambda: safetensors_of(b'{"a":' + nested(20_000).encode() + b"}"), "is no safetensors"),
    "header-deeper.safetensors": (lambda: safetensors_of(nested(2_000_000).encode()), "is no safetensors"),
    "header-many.safetensors": (
        lambda: safetensors_of(header_of(*((f"t{n}", "F32", [0], [0, 0]) for n in range(20_000)))),
        "has 20000 tensors|no safetensors",
    ),
    "header-brackets.safetensors": (lambda: safetensors_of(b'{"a":[' + b"[]," * 10**6 + b"[]]}"), "is no safetensors"),
    "header-twice.safetensors": (
        lambda: safetensors_of(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
            b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
            bytes(4),
        ),
        "is no safetensors",
    ),
    "header-overlap.safetensors": (
        lambda: safetensors_of(header_of(("a", "F32", [2], [0, 8]), ("b", "F32", [2], [4, 12])), bytes(12)),
        "is no safetensors",
    ),
    "header-gap.safetensors": (
        lambda: safetensors_of(header_of(("a", "F32", [1], [0, 4]), ("b", "F32", [1], [8, 12])), bytes(12)),
        "is no safetensors",
    ),
    "header-beyond.safetensors": (
        lambda: safetensors_of(header_of(("a", "F32", [2**40], [0, 2**42])), bytes(4)),
        "is no safetensors",
    ),
    "header-overflow.safetensors": (
        lambda: safetensors_of(header_of(("a", "F32", [2**33, 2**33], [0, 4])), bytes(4)),
        "is no safetensors",
    ),
    "header-negative.safetensors": (
        lambda: safetensors_of(header_of(("a", "F32", [-1], [4, 0])), bytes(4)),
        "is no safetensors",
    ),
    "header-key.safetensors": (
        lambda: save({"module." * 100_000 + "weight": torch.zeros(1)}),
        "a tensor with a name of 700006 characters",
    ),
    # Sparse files.
    "sparse-zeros.pth": (Sparse(b"\0"), "cut short or damaged"),
    "sparse-pickle.pth": (Sparse(b"\x80\x02"), "cut short or damaged"),
    "sparse-long-text.pth": (Sparse(b"\x80\x04\x8d" + struct.pack("<Q", 39 * 2**30)), "cut short or damaged|more than"),
    "sparse-zip.pth": (Sparse(b"PK\x03\x04"), "cut short or damaged"),
    "sparse.mat": (Sparse(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"), "larger than any file of SRCNN"),
    "sparse-header.safetensors": (Sparse(struct.pack("<Q", 39 * 2**30)), "has a header of"),
    "sparse-unknown.safetensors": (
        lambda: Sparse(safetensors_of(header_of(("a", "F32", [BIG // 4], [0, BIG]))), 0),
        "unknown network",
    ),
    "sparse-rrdb.safetensors": (lambda: sparse_rrdb(), "GiB of memory|does not fit"),
    "sparse-old.pth": (
        lambda: Sparse(old_format(data_pickle(BIG // 4), ["0"]) + struct.pack("<Q", BIG // 4), BIG + 10**5),
        "unknown network",
    ),
    # Archives.
    "deflated.pth": (lambda: deflated(200), "is compressed or encrypted"),
    "contents.pth": (
        lambda: archive({f"w/{'x' * 400}{n}": b"" for n in range(12_000)}),
        "more files than weights need",
    ),
    "contents-short.pth": (
        lambda: archive({f"w/{n}": b"" for n in range(45_000)}),
        "more files than weights need",
    ),
    "contents-sparse.pth": (lambda: sparse_contents(), "more files than weights need|cut short or damaged"),
    "offset.pth": (lambda: with_offset(2**32 - 2), "cut short or damaged"),
    "offset-64.pth": (lambda: with_offset(2**64 - 1), "cut short or damaged"),
    "two-pickles.pth": (lambda: archive({"a/data.pkl": b"", "b/data.pkl": b""}), "zip archive without weights"),
    "script.pt": (torchscript, "is a TorchScript program"),
    "long-pickle.pth": (lambda: archive({"w/data.pkl": b"N0" * (20 * MIB) + b"."}), "MiB beside its weights"),
    "checksum.pth": (
        lambda: saved({"a": torch.arange(1000.0)}).replace(np.float32(500).tobytes(), np.float32(501).tobytes(), 1),
        "unknown network|checksum",
    ),
    # Pickles.
    "many-steps.pth": (lambda: archive({"w/data.pkl": b"\x80\x02" + b"N0" * (3 * MIB) + b"N."}), "damaged"),
    "memo.pth": (lambda: archive({"w/data.pkl": b"\x80\x02Nr\xff\xff\xff\xff."}), "has no weights"),
    "bytes.pth": (lambda: archive({"w/data.pkl": b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"."}), "damaged"),
    "long-number.pth": (lambda: archive({"w/data.pkl": b"\x80\x02\x8b\xff\xff\xff\x7f."}), "damaged"),
    "digits.pth": (lambda: archive({"w/data.pkl": b"I" + b"9" * MIB + b"\n."}), "damaged"),
    "laughs.pth": (lambda: archive({"w/data.pkl": LAUGHS + b"."}), "has no weights|damaged"),
    "copies.pth": (
        lambda: archive(
            {"w/data.pkl": b"\x80\x02](" + b"N" * 10**5 + b"eq\x00" + b"c__builtin__\nlist\nh\x00\x85R" * 10**5 + b"."}
        ),
        "damaged",
    ),
    "tuple-key.pth": (
        lambda: archive({"w/data.pkl": b"\x80\x02}N" + b"\x85" * 500_000 + b"Ks."}),
        "has no weights|damaged",
    ),
    "deep-list.pth": (lambda: archive({"w/data.pkl": b"\x80\x02" + b"]" * 400_000 + b"a" * 399_999 + b"."}), "damaged"),
    "code.pth": (lambda: archive({"w/data.pkl": b"\x80\x02" + GLOBAL}), r"would run code .*os\.system"),
    "code-on-stack.pth": (
        lambda: archive({"w/data.pkl": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04exit\x85R."}),
        r"would run code .*os\.system",
    ),
    "code-instance.pkl": (b"(S'exit'\nios\nsystem\n.", r"would run code .*os\.system"),
    "code-hidden.pth": (
        lambda: archive({"w/data.pkl": b"\x80\x04\x8c\x06to\nrch\x8c\x07sys\ntem\x93."}),
        "would run code",
    ),
    "code-extension.pth": (lambda: archive({"w/data.pkl": b"\x80\x02\x82\x01."}), "damaged"),
    "code-builtins.pth": (
        lambda: archive({"w/data.pkl": b"\x80\x02c__builtin__\neval\n(X\x01\x00\x00\x001tR."}),
        "run code",
    ),
    "code-getattr.pth": (lambda: archive({"w/data.pkl": b"\x80\x02c__builtin__\ngetattr\n(NNtR."}), "would run code"),
    "code-torch.pth": (lambda: archive({"w/data.pkl": b"\x80\x02ctorch.hub\nload\n)R."}), "would run code"),
    "tensor-call.pth": (
        lambda: archive({"w/data.pkl": b"\x80\x02ctorch\nTensor\n(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ftR."}),
        "damaged",
    ),
    "bytearray.pth": (
        lambda: archive({"w/data.pkl": b"\x80\x02c__builtin__\nbytearray\n\x8a\x06\0\0\0\0\0\x10\x85R."}),
        "no weights",
    ),
    "storage-count.pth": (
        lambda: archive({"w/data.pkl": data_pickle(2**45), "w/data/0": bytes(4)}),
        "cut short or damaged",
    ),
    "same-values.pth": (
        lambda: archive(
            {
                "w/data.pkl": data_pickle(
                    9 * MIB // 36 * 9, (MIB // 4, 1, 3, 3), tuple(f"conv{n}.weight" for n in (1, 2, 3, *range(4, 500)))
                ),
                "w/data/0": bytes(9 * MIB // 36 * 36),
            }
        ),
        "unknown network|same values|SRCNN|conv",
    ),
    "names.pth": (lambda: saved({"module." * 100_000 + "weight": torch.zeros(1)}), "a tensor with a name of"),
    "digits-in-key.pth": (
        lambda: saved({f"body.{'9' * 200}.weight": torch.zeros(1), **srvgg()}),
        "no tensor called|missing",
    ),
    "number-in-key.pth": (
        lambda: saved({"body.999998.weight": torch.zeros(12, 4, 3, 3), **srvgg()}),
        "needs .* tensors",
    ),
    "many-blocks.pth": (
        lambda: saved(
            {f"block{n}.conv1.weight": torch.zeros(1) for n in range(2, 9000)} | {"block1.0.weight": torch.zeros(1)}
        ),
        "dimensions|missing",
    ),
    "many-tensors.pth": (lambda: saved({f"t{n}": torch.zeros(1) for n in range(12_000)}), "has 12000 tensors"),
    # MATLAB.
    "packed.mat": (lambda: mat([packed(200)]), "cannot be read as a MATLAB file"),
    "packed-often.mat": (lambda: mat([packed(12)] * 60), "cannot be read as a MATLAB file"),
    "sizes.mat": (
        lambda: mat(
            [
                struct.pack("<IIIIII", 14, 48, 6, 8, 6, 0)
                + struct.pack("<IIii", 5, 8, 10**5, 10**5)
                + struct.pack("<II", 1, 0)
                + struct.pack("<II", 9, 0)
            ]
        ),
        "cannot be read as a MATLAB file",
    ),
    "endless.mat": (lambda: mat([struct.pack("<II", 14, 0)] * 10**5), "cannot be read as a MATLAB file"),
}


def srvgg():
    return {
        "body.0.weight": torch.zeros(4, 3, 3, 3),
        "body.1.weight": torch.zeros(4),
        "body.2.weight": torch.zeros(12, 4, 3, 3),
    }


def sparse_rrdb() -> Sparse:
    """A valid RRDBNet of 650 GiB, more than any machine has, whose values are a hole in the file."""
    settings = {**TINY, "features": 8192, "growth": 8192, "blocks": 3}
    with torch.device("meta"):
        state = build(Architecture(network="RRDBNet", settings=settings)).state_dict()
    entries, position = [], 0
    for key, tensor in state.items():
        entries.append((key, "F32", list(tensor.shape), [position, position + 4 * tensor.numel()]))
        position += 4 * tensor.numel()
    start = safetensors_of(header_of(*entries))
    return Sparse(start, len(start) + position)


def sparse_contents() -> Sparse:
    """An archive of 40 GB whose table of contents is a hole, behind a small table that a reader could look at first."""
    size, end = 40 * 2**30, 56 + 20 + 22
    contents = size - end - 4

    def record(length: int) -> bytes:
        return struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, length, 4)

    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 4, 1)
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 2**32 - 1, 2**32 - 1, 0)
    return Sparse(b"PK\x03\x04" + record(46), size, record(contents) + locator + last)


def with_offset(offset: int) -> bytes:
    """An archive whose pickle begins behind its end."""
    data = archive({"w/data.pkl": b"N."})
    place = data.index(b"PK\x01\x02")
    entry = bytearray(data[place : data.index(b"PK\x05\x06")])
    extra = struct.pack("<HHQ", 1, 8, offset) if offset >= 2**32 else b""
    struct.pack_into("<H", entry, 30, len(extra))
    struct.pack_into("<L", entry, 42, min(offset, 2**32 - 1))
    contents = bytes(entry) + extra
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(contents), place, 0)
    return data[:place] + contents + end


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    for name, (content, _) in CASES.items():
        made = content() if callable(content) else content
        with (folder / name).open("wb") as file:
            if isinstance(made, Sparse):
                file.write(made.data)
                # A sparse file of unknown tensors ends where its header says.
                file.truncate(made.size or len(made.data) + BIG)
                if made.end:
                    file.seek(-len(made.end), 2)
                    file.write(made.end)
            else:
                file.write(made)
    script = Path(__file__).with_name("load_measured.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder)], capture_output=True, text=True, check=False, cwd=folder
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(CASES), done.stderr[-2000:]
    return {line["name"]: line for line in lines}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_refused_in_one_sentence_without_its_memory_and_time(outcomes, name):
    outcome = outcomes[name]
    assert outcome["outcome"] == "CheckpointError", outcome["text"]
    sentence = outcome["text"]
    assert sentence.startswith((name, f"The model {name}"))
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 600
    assert re.search(CASES[name][1], sentence), sentence
    assert outcome["peak"] < ALLOWANCE + 3 * min(outcome["size"], 20 * MIB), f"{outcome['peak'] / MIB:.0f} MiB"
    assert outcome["seconds"] < SECONDS
