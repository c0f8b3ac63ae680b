"""Generated model files: each gives a model with a finite result, or an error of one sentence, in bounded memory."""

from __future__ import annotations

import gc
import json
import signal
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

import napari_sr as sr
from napari_sr.errors import NapariSRError
from napari_sr.zoo import Model, read_checkpoint

from .cases import cases, one_sentence
from .weight_files import (
    NETWORKS,
    PREFIXES,
    WRAPPERS,
    card_fields,
    changed_bytes,
    changed_cards,
    changed_states,
    model_bytes,
    nested,
    state_of,
    torch_bytes,
    valid_files,
)

STATUS, PEAKS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
#: Bytes that reading a small file may take, for the interpreter and the memory of torch's threads.
ALLOWANCE = 64 * 2**20
#: Seconds of computation after which a case is taken for one that never ends.
ENDLESS = 60.0
IMAGE = np.linspace(0, 1, 12 * 11, dtype=np.float32).reshape(12, 11)
SCALES = st.sampled_from((None, None, 2, 2, 1, 3, 4, 5, 16, 10**9, 0, -1))


def in_memory(field: str) -> int:
    """Resident bytes of the process: VmRSS at present, VmHWM at most since `PEAKS` was written."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


@contextmanager
def bounded(size: int) -> Iterator[None]:
    """Check that memory does not grow beyond three times a file, and end what never ends."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"not done after {ENDLESS:.0f} s of computation")

    timed = hasattr(signal, "ITIMER_VIRTUAL")
    if timed:
        previous = signal.signal(signal.SIGVTALRM, stop)
        signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS)
    if PEAKS.exists():
        PEAKS.write_text("5")
        before = in_memory("VmRSS")
    try:
        yield
        if PEAKS.exists():
            peak = in_memory("VmHWM") - before
            assert peak < ALLOWANCE + 3 * size, f"{peak / 2**20:.0f} MiB for a file of {size} bytes"
    finally:
        if timed:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, previous)


def try_file(folder: Path, suffix: str, data: bytes, scale: int | None = 2) -> Model | None:
    """Load a file and upscale an image: a finite result of the right size, or one sentence."""
    path = folder / f"weights{suffix}"
    path.write_bytes(data)
    model = None
    with one_sentence():
        with bounded(len(data)):
            model = sr.load_model(path, scale=scale)
            network = model.network
        assert (network.scale, network.in_channels) == (model.scale, model.channels)
        if model.scale <= 16 and model.receptive_radius < 500:
            image = np.stack([IMAGE] * model.channels, -1) if model.channels in (3, 4) else IMAGE
            result = sr.upscale(image, model, device="cpu", precision="float32")
            assert result.shape[:2] == (12 * model.scale, 11 * model.scale)
            assert np.isfinite(result).all()
    return model


@pytest.fixture(scope="module", autouse=True)
def everything_is_imported(tmp_path_factory):
    """Load and run the valid files, so that no import counts as memory of a file."""
    folder = tmp_path_factory.mktemp("valid")
    for suffix, data in valid_files().values():
        (folder / f"weights{suffix}").write_bytes(data)
        sr.upscale(IMAGE, sr.load_model(folder / f"weights{suffix}", scale=2), device="cpu", precision="float32")
    gc.collect()


@pytest.mark.parametrize("name", valid_files())
def test_files_are_valid_before_they_are_changed(tmp_path, name):
    suffix, data = valid_files()[name]
    model = try_file(tmp_path, suffix, data)
    assert model is not None
    assert model.scale == 2


@cases(0.3)
@given(st.data())
def test_a_damaged_file_gives_a_model_or_one_sentence(tmp_path, data):
    suffix, content = valid_files()[data.draw(st.sampled_from(list(valid_files())))]
    changed = data.draw(changed_bytes(content))
    if data.draw(st.integers(0, 9)) == 0:
        suffix = data.draw(st.sampled_from((".safetensors", ".pth", ".mat", ".pkl", ".pth.tar", ".txt")))
    try_file(tmp_path, suffix, changed, data.draw(SCALES))


@cases(0.1)
@given(st.data())
def test_a_changed_part_of_an_archive_or_header_gives_a_model_or_one_sentence(tmp_path, data):
    suffix, content = valid_files()[data.draw(st.sampled_from(("zip of RRDBNet", "training", "safetensors", "pair")))]
    if suffix == ".safetensors":
        length = int.from_bytes(content[:8], "little")
        header = data.draw(changed_bytes(content[8 : 8 + length]))
        changed = len(header).to_bytes(8, "little") + header + content[8 + length :]
    else:
        with zipfile.ZipFile(BytesIO(content)) as source:
            members = {name: source.read(name) for name in source.namelist()}
        name = data.draw(st.sampled_from([name for name in members if name.endswith((".pkl", "/0", "/byteorder"))]))
        members[name] = data.draw(changed_bytes(members[name]))
        stream = BytesIO()
        with zipfile.ZipFile(stream, "w", data.draw(st.sampled_from((zipfile.ZIP_STORED,) * 5 + (8,)))) as target:
            for name, member in members.items():
                target.writestr(name, member)
        changed = stream.getvalue()
    try_file(tmp_path, suffix, changed)


@cases(0.3)
@given(st.data())
def test_changed_weights_give_a_model_or_one_sentence(tmp_path, data):
    state = data.draw(changed_states(state_of(data.draw(st.sampled_from(list(NETWORKS))))))
    kind = data.draw(st.sampled_from((".safetensors", ".pth", "old .pth")))
    if kind == ".safetensors":
        plain = {str(key): t.contiguous().clone() for key, t in state.items() if isinstance(t, torch.Tensor)}
        plain = {key.encode("utf-8", "replace").decode(): tensor for key, tensor in plain.items()}
        content = save(plain)
    else:
        content = torch_bytes(data.draw(nested(state)), zipped=kind == ".pth")
    try_file(tmp_path, kind.removeprefix("old "), content, data.draw(SCALES))


@cases(0.2)
@given(st.data())
def test_a_changed_card_gives_a_model_or_one_sentence(tmp_path, data):
    fields = data.draw(changed_cards(card_fields(endpoints=data.draw(st.booleans()))))
    text = json.dumps(fields)
    if data.draw(st.integers(0, 9)) == 0:
        text = data.draw(changed_bytes(text.encode())).decode("utf-8", "replace")
    endpoints = isinstance(fields.get("endpoints"), list)
    model = try_file(tmp_path, ".safetensors", model_bytes(card_fields(endpoints=endpoints), text), scale=None)
    if model is not None:
        # A card that is accepted can be written and read again.
        assert type(model.card).from_json(model.card.to_json()) == model.card
    # Listed, whatever is on the card.
    assert all(isinstance(str(entry), str) for entry in sr.list_models())


@cases(0.1)
@given(st.sampled_from(list(NETWORKS)), st.lists(st.sampled_from((*PREFIXES, *WRAPPERS)), max_size=4), st.booleans())
def test_a_network_in_any_wrappers_is_the_network(tmp_path, name, wrappers, tensors_only):
    content: Any = state_of(name)
    expected = {key: tensor for key, tensor in content.items() if tensor.is_floating_point()}
    # Prefixes first: dicts are around them.
    for prefix in (wrapper for wrapper in wrappers if wrapper.endswith(".")):
        content = {prefix + key: tensor for key, tensor in content.items()}
    if tensors_only:
        data, suffix = save(content), ".safetensors"
    else:
        content = {**content, "module.n_averaged": torch.tensor(3)} if "module." in wrappers else content
        for key in (wrapper for wrapper in wrappers if not wrapper.endswith(".")):
            content = {key: content, "epoch": 7}
        data, suffix = torch_bytes(content), ".pth.tar"
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(data)
    try:
        read = read_checkpoint(path).tensors
    except NapariSRError as error:
        raise AssertionError(str(error)) from error
    assert {key for key in read if read[key].is_floating_point()} == expected.keys()
    assert all(torch.equal(read[key], tensor) for key, tensor in expected.items())
    assert sr.load_model(path, scale=2).scale == 2
