"""Models are listed, found by name or path, and loaded."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import napari_sr as sr
from napari_sr.errors import CheckpointError, InputError
from napari_sr.networks import RRDBNet
from napari_sr.zoo import (
    Architecture,
    Model,
    as_model,
    catalog,
    folders,
    list_models,
    load_model,
    load_pair,
    loading,
    write_model,
)
from napari_sr.zoo.card import Conditioning
from napari_sr.zoo.catalog import find_card
from napari_sr.zoo.checkpoint import weight_file
from napari_sr.zoo.header import CARD_KEY
from napari_sr.zoo.published import PUBLISHED
from napari_sr.zoo.renamed import RENAMED


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """A folder that stands for the bundled models."""
    (tmp_path / "bundled").mkdir()
    monkeypatch.setattr(catalog, "bundled_folder", lambda: tmp_path / "bundled")
    return tmp_path / "bundled"


@pytest.fixture
def srcnn(draw_network):
    """Weights of a small SRCNN."""
    settings = {"scale": 3, "channels": 1, "kernels": (9, 1, 5), "features": (4, 3)}
    return dict(draw_network(Architecture(network="SRCNN", settings=settings)).state_dict())


def names(where):
    return [entry.name for entry in list_models() if entry.where == where]


def test_a_missing_user_folder_is_empty(folder):
    folder.rmdir()
    assert names("user") == []


def test_listing_models_imports_no_torch(folder, small_card, small_state):
    write_model(folder / "mine.safetensors", small_card(), {"weights": small_state(0)})
    code = (
        "import sys; from napari_sr.zoo import list_models; "
        "assert any(e.name == 'mine' and e.card for e in list_models()); assert 'torch' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_models_are_listed_with_their_cards(folder, bundled, small_card, small_state, srcnn):
    write_model(bundled / "comes-with.safetensors", small_card(license="MIT"), {"weights": small_state(0)})
    write_model(folder / "mine.safetensors", small_card(), {"weights": small_state(0)})
    torch.save(srcnn, folder / "theirs.pth")
    (folder / "notes.txt").write_text("no model")
    (folder / ".mine.safetensors.tmp").write_bytes(b"being written")
    by_name = {entry.name: entry for entry in list_models()}
    assert by_name["comes-with"].where == "bundled"
    assert by_name["comes-with"].card == small_card(name="comes-with", license="MIT")
    assert (by_name["comes-with"].scale, by_name["comes-with"].family) == (2, "esrgan")
    assert by_name["comes-with"].license == "MIT"
    assert names("user") == ["mine", "theirs"]
    assert by_name["theirs"].card is None
    assert by_name["theirs"].path == folder / "theirs.pth"


def test_models_are_sorted_by_their_names_without_suffixes(folder, bundled, srcnn):
    for name in ("srcnn-x3-915", "srcnn-x3", "srcnn-x4"):
        torch.save(srcnn, folder / f"{name}.pth")
    assert names("user") == ["srcnn-x3", "srcnn-x3-915", "srcnn-x4"]


def test_a_damaged_file_is_listed_with_its_problem_and_refused_with_it(folder):
    (folder / "bad.safetensors").write_bytes(b"no header")
    entry = next(entry for entry in list_models() if entry.name == "bad")
    assert "cut short" in entry.problem
    with pytest.raises(CheckpointError, match="cut short"):
        load_model("bad")


def test_two_files_of_one_stem_have_their_full_names(folder, srcnn):
    torch.save(srcnn, folder / "a.pth")
    torch.save(srcnn, folder / "a.pkl")
    assert names("user") == ["a.pkl", "a.pth"]
    assert load_model("a.pth", scale=3).source == folder / "a.pth"


@pytest.mark.parametrize("name", ["comes-with", "auto", "bicubic", "RealESRGAN_x4plus"])
def test_a_file_with_the_name_of_another_model_has_its_full_name(folder, bundled, name, small_card, small_state):
    write_model(bundled / "comes-with.safetensors", small_card(), {"weights": small_state(0)})
    write_model(folder / f"{name}.safetensors", small_card(), {"weights": small_state(1)})
    assert names("user") == [f"{name}.safetensors"]
    model = load_model(f"{name}.safetensors")
    assert (model.name, model.source) == (f"{name}.safetensors", folder / f"{name}.safetensors")
    if name == "comes-with":
        assert load_model(name).source == bundled / "comes-with.safetensors"


def test_models_for_microscopy_are_before_those_for_photographs(folder, bundled, small_card, small_state):
    for name, domain in (
        ("a", "natural"),
        ("b", None),
        ("c", "electron"),
        ("d", "fluorescence"),
        ("e", "fluorescence"),
    ):
        write_model(bundled / f"{name}.safetensors", small_card(domain=domain), {"weights": small_state(0)})
    names = [entry.name for entry in list_models() if entry.where == "bundled"]
    assert names == ["d", "e", "c", "a", "b"]


def test_a_bundled_model_is_loaded_by_name(bundled, folder, small_card, small_state):
    write_model(bundled / "comes-with.safetensors", small_card(), {"weights": small_state(1)})
    write_model(folder / "comes-with.safetensors", small_card(), {"weights": small_state(2)})
    model = load_model("comes-with", scale=2)
    assert model.card == small_card(name="comes-with")
    assert torch.equal(model.endpoints["weights"]["conv_hr.weight"], small_state(1)["conv_hr.weight"])


def test_a_file_in_the_user_folder_is_found_by_its_name_with_and_without_ending(folder, monkeypatch, tmp_path, srcnn):
    monkeypatch.chdir(tmp_path)
    torch.save(srcnn, folder / "theirs.pth")
    for name in ("theirs", "theirs.pth"):
        assert load_model(name, scale=3).source == folder / "theirs.pth"


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_checkpoint_by_path_gets_a_card_of_the_known_facts(folder, tmp_path, srcnn, as_path):
    torch.save({"params_ema": srcnn, "params": srcnn}, tmp_path / "theirs.pth")
    model = load_model(as_path(tmp_path / "theirs.pth"), scale=3, upsampling="lanczos3")
    card = model.card
    assert (card.name, card.family, card.scale, card.channels, card.color) == ("theirs", "srcnn", 3, 1, "luma")
    assert card.architecture.settings["upsampling"] == "lanczos3"
    assert (card.domain, card.degradation, card.license, card.pixel_size) == (None,) * 4
    assert "weight set params_ema (params not used)" in card.notes
    assert model.network(torch.rand(1, 1, 4, 5)).shape == (1, 1, 12, 15)


@pytest.mark.parametrize(
    ("network", "settings", "family", "color"),
    [
        ("RRDBNet", {"scale": 4, "features": 4, "growth": 2, "blocks": 1}, "esrgan", "rgb"),
        ("RRDBNet", {"in_channels": 1, "out_channels": 1, "features": 4, "growth": 2, "blocks": 1}, "esrgan", "gray"),
        ("SRVGGNetCompact", {"scale": 2, "features": 4, "convs": 1}, "esrgan", "rgb"),
        ("SRResNet", {"scale": 2, "features": 4, "blocks": 1}, "srgan", "rgb"),
        ("MSRResNet", {"scale": 2, "features": 4, "blocks": 1}, "srgan", "rgb"),
    ],
)
def test_family_and_color_follow_from_the_network(tmp_path, folder, draw_network, network, settings, family, color):
    state = draw_network(Architecture(network=network, settings=settings)).state_dict()
    torch.save(state, tmp_path / "w.pth")
    card = load_model(tmp_path / "w.pth").card
    assert (card.family, card.color, card.architecture.network) == (family, color, network)


def test_squeezenet_is_refused_by_name(tmp_path, draw_network):
    torch.save(draw_network(Architecture(network="SqueezeNetFeatures")).state_dict(), tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"w\.pth is a SqueezeNetFeatures.*perceptual losses"):
        load_model(tmp_path / "w.pth")


def test_a_checkpoint_that_is_not_recognized_is_refused_by_its_files_name(tmp_path, srcnn):
    torch.save(srcnn, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"w\.pth: SRCNN weights do not contain .* give the scale"):
        load_model(tmp_path / "w.pth")


def test_the_name_of_the_suggestion_is_refused_with_the_way_to_its_model(folder):
    with pytest.raises(InputError, match=r"\"auto\" is chosen for an image: take that of napari_sr\.suggest"):
        load_model("auto")


def test_an_unknown_name_is_refused_with_similar_ones(folder, bundled, small_card, small_state):
    write_model(bundled / "esrgan-compact-x4.safetensors", small_card(), {"weights": small_state(0)})
    with pytest.raises(InputError, match=r"no model called esrgan-compct-x4: did you mean .*esrgan-compact-x4"):
        load_model("esrgan-compct-x4")
    # A name that is near to none is not answered with all of them.
    with pytest.raises(
        InputError, match=r"no model called \?\?\?: list_models\(\) and napari-sr models list"
    ) as caught:
        load_model("???")
    assert len(str(caught.value)) < 100
    with pytest.raises(InputError, match=r"no model called ESRGAN-Compact-X4: did you mean esrgan-compact-x4"):
        load_model("ESRGAN-Compact-X4")


@pytest.mark.parametrize("name", ["gone.pth", "some/folder/gone"])
def test_a_missing_path_is_named(folder, name):
    with pytest.raises(CheckpointError, match="gone"):
        load_model(name)


def test_another_factor_is_refused_with_the_models_that_have_it(folder, bundled, small_card, small_state, draw_network):
    write_model(bundled / "small-x2.safetensors", small_card(), {"weights": small_state(0)})
    architecture = Architecture(network="RRDBNet", settings={**small_card().architecture.settings, "scale": 4})
    card = small_card(architecture=architecture, scale=4)
    write_model(bundled / "small-x4.safetensors", card, {"weights": draw_network(architecture).state_dict()})
    with pytest.raises(CheckpointError, match="small-x2 upscales by 2, not by 4: for 4 use small-x4"):
        load_model("small-x2", scale=4)
    with pytest.raises(CheckpointError, match="not by 8: there is no model for 8"):
        load_model("small-x2", scale=8)
    with pytest.raises(CheckpointError, match=r"small-x2\.safetensors upscales by 2, not by 4"):
        load_model(bundled / "small-x2.safetensors", scale=4)


def test_alpha_is_for_pairs_only(folder, small_card, small_state):
    card = small_card(endpoints=("psnr", "gan"))
    write_model(folder / "pair.safetensors", card, {"psnr": small_state(1), "gan": small_state(2)})
    write_model(folder / "one.safetensors", small_card(), {"weights": small_state(1)})
    assert load_model("pair", alpha=0.4).alpha == 0.4
    assert load_model("pair").alpha == 0
    with pytest.raises(InputError, match="does not have two weight sets to mix"):
        load_model("one", alpha=0.4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": 0.5}, "bicubic does not have two weight sets to mix: leave alpha out"),
        ({"mixing": "images"}, "bicubic does not have two weight sets to mix: leave mixing out"),
        ({"upsampling": "nearest"}, "bicubic does not interpolate its input"),
    ],
)
def test_options_without_effect_on_a_method_that_is_not_trained_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        load_model("bicubic", scale=2, **options)


def test_an_address_is_refused_as_one_and_whole():
    address = "https://example.org/a/esrgan.pth"
    for load in (
        lambda: load_model(address),
        lambda: load_model(Path(address)),
        lambda: load_pair("srcnn-x2", address),
    ):
        with pytest.raises(InputError, match=f'^"{address}" is an address, not a file: download'):
            load()


def test_a_file_is_loaded_although_its_path_begins_like_an_address(tmp_path, monkeypatch, small_state):
    monkeypatch.chdir(tmp_path)
    Path("https:/example.org").mkdir(parents=True)
    torch.save(small_state(1), "https:/example.org/small.pth")
    assert load_model("https://example.org/small.pth").name == "small"


def test_the_card_of_a_model_is_found_by_name_and_path(tmp_path, small_card, small_state):
    path = tmp_path / "small.safetensors"
    write_model(path, small_card(), {"weights": small_state(1)})
    assert find_card("srcnn-x2") == load_model("srcnn-x2").card
    assert find_card(path) == small_card()
    torch.save(small_state(1), tmp_path / "plain.pth")
    assert find_card(tmp_path / "plain.pth") is None
    assert find_card("bicubic") is None
    with pytest.raises(CheckpointError, match="There is no file"):
        find_card(tmp_path / "missing.pth")


def test_upsampling_is_for_srcnn_only(folder, small_card, small_state):
    write_model(folder / "one.safetensors", small_card(), {"weights": small_state(1)})
    with pytest.raises(InputError, match="only SRCNN"):
        load_model("one", upsampling="nearest")


@pytest.mark.parametrize("argument", [3, None, ["srcnn-x2"], Model, np.zeros((1, 2))])
def test_what_is_neither_a_name_nor_a_path_is_refused(argument):
    with pytest.raises(InputError, match="give the name of one, or the path"):
        load_model(argument)
    with pytest.raises(InputError, match="give a model, the name of one, or the path"):
        as_model(argument)


@pytest.mark.parametrize("scale", ["2", 2.5, 0])
def test_a_scale_that_is_not_a_whole_number_is_refused(scale):
    with pytest.raises(InputError, match="give a whole number of 1 or more"):
        load_model("srcnn-x2", scale=scale)


def test_the_list_is_displayed_as_a_table_and_its_slices_too(folder, bundled, small_card, small_state, srcnn):
    card = small_card(domain="electron", license="MIT; with a long explanation")
    write_model(bundled / "comes-with.safetensors", card, {"weights": small_state(0)})
    torch.save(srcnn, folder / "theirs.pth")
    (folder / "bad.safetensors").write_bytes(b"no header")
    lines = repr(list_models()).splitlines()
    assert lines[0].split() == ["NAME", "FAMILY", "FACTOR", "CHANNELS", "DOMAIN", "WHERE", "LICENSE"]
    assert lines[1].split() == ["comes-with", "esrgan", "x2", "1", "electron", "bundled", "MIT;", "..."]
    assert lines[2].split() == ["bad", "-", "-", "-", "-", "user,", "unusable", "-"]
    assert lines[3].split() == ["theirs", "-", "-", "-", "-", "user", "-"]
    assert len(lines) == 1 + len(list_models())
    assert all(len(line) < 120 for line in lines)
    assert len(repr(list_models()[:2]).splitlines()) == 3
    assert len(repr(list_models()[0])) < 300


def test_an_entry_has_the_facts_of_its_card(folder, bundled, small_card, small_state):
    card = small_card(domain="electron", license="MIT")
    write_model(bundled / "comes-with.safetensors", card, {"weights": small_state(0)})
    entry = list_models()[0]
    facts = (entry.scale, entry.channels, entry.domain, entry.family, entry.license)
    assert facts == (2, 1, "electron", "esrgan", "MIT")


def counted(monkeypatch, module, name):
    """Count the calls of a function."""
    calls, function = [], getattr(module, name)
    monkeypatch.setattr(module, name, lambda *arguments: calls.append(arguments) or function(*arguments))
    return calls


def test_the_settings_file_is_read_once_for_a_list(monkeypatch, bundled):
    monkeypatch.setenv("NAPARI_SR_MODELS", "")
    calls = counted(monkeypatch, folders, "load_config")
    list_models()
    assert len(calls) == 1


@pytest.mark.parametrize("by_name", [True, False])
def test_one_header_is_read_and_the_weights_are_read_once(
    monkeypatch, folder, bundled, small_card, small_state, by_name
):
    for name in ("a", "b", "c"):
        write_model(folder / f"{name}.safetensors", small_card(), {"weights": small_state(0)})
    headers = counted(monkeypatch, catalog, "read_card") if by_name else counted(monkeypatch, loading, "read_card")
    loads = counted(monkeypatch, weight_file, "load_tensors")
    load_model("b" if by_name else folder / "b.safetensors")
    assert [path.name for (path,) in headers] == ["b.safetensors"]
    assert [name for _, _, name in loads] == ["b.safetensors"]


def test_weights_of_another_network_in_a_model_file_are_refused_by_its_name(folder, small_card, small_state):
    write_model(folder / "mine.safetensors", small_card(), {"weights": small_state(0)})
    tensors = {key: tensor for key, tensor in small_state(0).items() if key != "conv_hr.bias"}
    save_file(tensors, folder / "mine.safetensors", metadata={CARD_KEY: small_card().to_json()})
    for argument in ("mine", folder / "mine.safetensors"):
        with pytest.raises(CheckpointError, match=r"^mine\.safetensors: The weights .* conv_hr\.bias is missing"):
            load_model(argument)


# Published files --------------------------------------------------------------------------------------------------


@pytest.fixture
def published(folder, monkeypatch, srcnn):
    """One published file in the user's folder, with its hash."""
    torch.save(srcnn, folder / "Theirs-x3.pth")
    start = hashlib.sha256((folder / "Theirs-x3.pth").read_bytes()).hexdigest()[:16]
    entry = replace(PUBLISHED[0], name="Theirs", file="Theirs-x3.pth", sha256_start=start, scale=3)
    monkeypatch.setattr(catalog, "PUBLISHED", (entry,))
    monkeypatch.setattr("napari_sr.zoo.published.PUBLISHED", (entry,))
    return entry


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry.name)
def test_a_missing_published_file_is_refused_with_its_address_and_the_folder(folder, entry):
    for name in (entry.name, entry.file):
        with pytest.raises(CheckpointError) as caught:
            load_model(name)
        assert all(word in str(caught.value) for word in (entry.file, entry.url, str(folder)))
    assert entry.name in names("published")


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry.name)
def test_the_end_of_a_published_name_is_the_start_of_its_hash(entry):
    tail = Path(entry.file).stem.rpartition("-")[2]
    if len(tail) == 8 and all(digit in "0123456789abcdef" for digit in tail):
        assert entry.sha256_start == tail
    assert entry.url.startswith("https://")
    assert entry.license


def test_a_published_file_in_the_user_folder_is_loaded_and_listed_once(folder, published):
    entries = [entry for entry in list_models() if entry.path == folder / "Theirs-x3.pth"]
    assert [(entry.name, entry.where, entry.url) for entry in entries] == [("Theirs", "published", published.url)]
    for name in ("Theirs", "Theirs-x3", "Theirs-x3.pth"):
        model = load_model(name, scale=3)
        assert model.card.license == published.license


def test_a_pair_has_the_license_that_both_files_have(folder, published):
    shutil.copy(folder / "Theirs-x3.pth", folder / "other.pth")
    assert load_pair("Theirs", "Theirs", scale=3).card.license == published.license
    assert load_pair("Theirs", "other", scale=3).card.license is None


def test_a_published_file_of_another_hash_is_refused(folder, published):
    data = bytearray((folder / "Theirs-x3.pth").read_bytes())
    data[-1] ^= 1
    (folder / "Theirs-x3.pth").write_bytes(data)
    for name in ("Theirs", "Theirs-x3.pth"):
        with pytest.raises(CheckpointError, match=f"and not with {published.sha256_start}, so get it again"):
            load_model(name, scale=3)


# Pairs of files ---------------------------------------------------------------------------------------------------


def save_pair(folder, small_state):
    torch.save({"params": small_state(1)}, folder / "RRDB_PSNR.pth")
    torch.save(small_state(2), folder / "RRDB_GAN.pth")
    return folder / "RRDB_PSNR.pth", folder / "RRDB_GAN.pth"


def test_two_files_make_one_model_with_their_names_as_endpoints(tmp_path, small_state):
    model = load_pair(*save_pair(tmp_path, small_state), 0.25)
    assert model.card.endpoints == ("RRDB_PSNR", "RRDB_GAN")
    assert model.alpha == 0.25
    for alpha, seed in ((0, 1), (1, 2)):
        state = model.with_alpha(alpha).network.state_dict()
        assert all(torch.equal(state[key], tensor) for key, tensor in small_state(seed).items())


def test_a_pair_can_be_named_and_written_as_one_file(folder, small_state):
    save_pair(folder, small_state)
    model = load_pair("RRDB_PSNR", "RRDB_GAN", alpha=1)
    write_model(folder / "both.safetensors", model.card, model.endpoints)
    assert load_model("both", alpha=0.5).card == model.card.model_copy(update={"name": "both"})


def test_a_copied_model_file_has_the_name_by_which_it_is_listed(folder, small_card, small_state):
    for name in ("cells.v1", "cells.v2"):
        write_model(folder / f"{name}.safetensors", small_card(name="mid"), {"weights": small_state(0)})
    assert names("user") == ["cells.v1", "cells.v2"]
    assert [load_model(name).name for name in ("cells.v1", "cells.v2")] == ["cells.v1", "cells.v2"]
    # By its path a file is one of no catalog, and has the name on its card.
    assert load_model(folder / "cells.v1.safetensors").name == "mid"


def test_a_checkpoint_and_a_model_file_of_one_network_make_a_pair(tmp_path, small_card, small_state):
    # The card leaves settings at their defaults; recognizing a checkpoint gives all of them.
    path = write_model(tmp_path / "tuned.safetensors", small_card(domain="electron"), {"weights": small_state(2)})
    model = load_pair(save_pair(tmp_path, small_state)[0], path, 1)
    assert model.card.domain is None
    assert torch.equal(model.network.state_dict()["conv_hr.weight"], small_state(2)["conv_hr.weight"])
    with pytest.raises(CheckpointError, match=r"tuned\.safetensors upscales by 2, not by 3"):
        load_pair(path, path, scale=3)


def test_two_files_of_one_name_have_two_names(tmp_path, small_state):
    (tmp_path / "gan").mkdir()
    torch.save(small_state(1), tmp_path / "x4.pth")
    torch.save(small_state(2), tmp_path / "gan" / "x4.pth")
    assert load_pair(tmp_path / "x4.pth", tmp_path / "gan" / "x4.pth").card.endpoints == ("x4", "x4 (2)")


def test_a_pair_of_conditioned_models_takes_the_conditions_that_both_were_trained_for(folder):
    model = load_model("srcnn-microscopy-x2")
    cells, dim = (0.0, 0.4), (0.1, 0.9)
    for name, noise, change in (("cells", cells, 0.0), ("dim", dim, 0.01)):
        conditioning = model.card.conditioning.model_copy(update={"noise": noise})
        card = model.card.model_copy(update={"name": name, "conditioning": conditioning})
        weights = {key: value + change for key, value in model.endpoints["weights"].items()}
        write_model(folder / f"{name}.safetensors", card, {"weights": weights})
    pair = load_pair("cells", "dim", alpha=0.0)
    assert pair.card.conditioning.noise == (0.1, 0.4)
    assert pair.card.conditioning.correlated == model.card.conditioning.correlated
    assert (pair.card.domain, pair.card.training_noise) == (model.card.domain, model.card.training_noise)
    image = np.random.default_rng(0).normal(100, 10, (20, 24)).astype(np.float32)
    results = [sr.upscale(image, one, device="cpu") for one in (pair, "cells", pair.with_alpha(1), "dim")]
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5)
    np.testing.assert_allclose(results[2], results[3], rtol=1e-5)
    assert np.abs(results[0] - results[2]).max() > 0.1


def test_models_for_other_conditions_are_not_mixed(folder):
    model = load_model("srcnn-microscopy-x2")
    other = Conditioning(noise=(5.0, 9.0), blur=model.card.conditioning.blur)
    for name, conditioning in (("low", model.card.conditioning), ("high", other), ("unknown", None)):
        card = model.card.model_copy(update={"name": name, "conditioning": conditioning})
        write_model(folder / f"{name}.safetensors", card, model.endpoints)
    for second in ("high", "unknown"):
        with pytest.raises(CheckpointError, match="trained for other noise or another blur"):
            load_pair("low", second)


def test_a_method_without_a_network_needs_a_scale():
    with pytest.raises(InputError, match="bicubic is not trained and has no factor of its own: give a scale"):
        load_model("bicubic")


def test_a_pair_that_does_not_fit_is_refused(tmp_path, folder, srcnn, small_card, small_state):
    first, second = save_pair(tmp_path, small_state)
    torch.save(srcnn, tmp_path / "s.pth")
    with pytest.raises(CheckpointError, match="only the first has"):
        load_pair(first, tmp_path / "s.pth", scale=3)
    with pytest.raises(CheckpointError, match="upscale by 2 or 3, not by 8"):
        load_pair(first, second, scale=8)
    torch.save(RRDBNet(features=4, growth=2, blocks=1, scale=4).state_dict(), tmp_path / "x4.pth")
    with pytest.raises(CheckpointError, match=r"RRDB_PSNR\.pth and x4\.pth cannot be mixed, because they upscale by 2"):
        load_pair(first, tmp_path / "x4.pth")
    settings = {**small_card().architecture.settings, "skip": "bilinear"}
    skipping = small_card(architecture=Architecture(network="RRDBNet", settings=settings))
    write_model(tmp_path / "skipping.safetensors", skipping, {"weights": small_state(3)})
    with pytest.raises(CheckpointError, match="their networks have other settings"):
        load_pair(first, tmp_path / "skipping.safetensors")
    other = small_card(intensity_range=(0, 255))
    write_model(tmp_path / "other.safetensors", other, {"weights": small_state(3)})
    with pytest.raises(CheckpointError, match="differ in intensity_range"):
        load_pair(first, tmp_path / "other.safetensors")
    pair = small_card(endpoints=("a", "b"))
    write_model(tmp_path / "pair.safetensors", pair, {"a": small_state(1), "b": small_state(2)})
    with pytest.raises(InputError, match=r"pair\.safetensors has two weight sets already"):
        load_pair(first, tmp_path / "pair.safetensors")
    with pytest.raises(InputError, match="between 0 and 1"):
        load_pair(first, second, 2)


@pytest.mark.parametrize("name", ["nearest", "bilinear", "bicubic", "lanczos3"])
def test_an_interpolation_is_a_model_with_a_scale(name):
    model = load_model(name, scale=3)
    assert (model.name, model.scale, model.card.family) == (name, 3, "classic")
    assert load_model(name, scale=2).network.scale == 2


@pytest.mark.parametrize(("former", "name"), sorted(RENAMED.items()))
def test_former_names_lead_to_the_models_that_replace_them_with_a_notice(former, name):
    with pytest.warns(FutureWarning, match=f"{former} was replaced by {name}"):
        assert load_model(former).name == name
    assert former not in {entry.name for entry in list_models()}


@pytest.mark.filterwarnings("default:The model esrgan-fluorescence-x2 was replaced")
def test_the_notice_points_to_the_line_of_the_caller_from_every_function():
    former = "esrgan-fluorescence-x2"
    image = np.zeros((4, 4), np.uint8)
    for call in (
        load_model,
        lambda name: sr.Job(name, sr.JobSettings()),
        lambda name: sr.upscale(image, name, device="cpu"),
    ):
        with pytest.warns(FutureWarning, match="was replaced") as told:
            call(former)
        assert told[0].filename == __file__
