"""The average of two results, with which the paper compares network interpolation."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch

from napari_sr.errors import InputError
from napari_sr.inference import Job, upscale
from napari_sr.networks import RRDBNet
from napari_sr.settings import Overlap
from napari_sr.zoo.card import Architecture, Card
from napari_sr.zoo.catalog import load_model
from napari_sr.zoo.model import Model
from napari_sr.zoo.modelfile import write_model

SETTINGS = {"scale": 2, "in_channels": 1, "out_channels": 1, "features": 8, "growth": 4, "blocks": 1}


def pair(alpha: float | None = None, **card: Any) -> Model:
    states = {}
    for n, name in enumerate(("psnr", "gan")):
        torch.manual_seed(n)
        states[name] = RRDBNet(**SETTINGS).state_dict()
    written = Card(
        name="pair",
        family="esrgan",
        architecture=Architecture(network="RRDBNet", settings=SETTINGS),
        scale=2,
        channels=1,
        color="gray",
        endpoints=("psnr", "gan"),
        **card,
    )
    return Model(written, states, alpha)


IMAGE = np.random.default_rng(0).random((33, 21), np.float32)


@pytest.mark.parametrize(
    "tiling", ["exact", "none", Overlap(tile=32, overlap=8, blend=4)], ids=["exact", "none", "tiles"]
)
def test_mixed_images_are_the_average_of_the_two_results(tiling: Any) -> None:
    model = pair().with_mixing("images")
    first, second = (upscale(IMAGE, model.with_alpha(end), intensity=(0, 1), tiling=tiling) for end in (0, 1))
    mixed = upscale(IMAGE, model.with_alpha(0.3), intensity=(0, 1), tiling=tiling)
    assert np.allclose(mixed, 0.7 * first + 0.3 * second, atol=1e-5)


def test_it_is_streamed_exactly() -> None:
    report = Job(pair(0.5).with_mixing("images")).run(IMAGE, "YX").report
    assert report.tiling.startswith("exact")
    assert report.strips > 0


def test_mixing_weights_gives_another_result() -> None:
    weights, images = (upscale(IMAGE, pair(0.5, mixing=kind), intensity=(0, 1)) for kind in ("weights", "images"))
    assert np.abs(weights - images).max() > 1e-4


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_at_the_ends_both_are_the_endpoint(alpha: float) -> None:
    model = pair(alpha)
    assert model.with_mixing("images").network is model.network


def test_card_report_and_repr_contain_the_mixing() -> None:
    model = pair(0.25).with_mixing("images")
    assert model.mixing == model.card.mixing == "images"
    assert "images mixed" in repr(model)
    report = Job(model).run(IMAGE, "YX").report
    assert report.mixing == "images"
    assert "pair alpha 0.25 (images mixed) x2" in report.sentence()


def test_a_model_keeps_its_mixing_in_a_file_and_in_a_pickle(tmp_path: Any) -> None:
    model = pair(0.5, mixing="images")
    write_model(tmp_path / "pair.safetensors", model.card, model.endpoints)
    for other in (load_model(tmp_path / "pair.safetensors", alpha=0.5), pickle.loads(pickle.dumps(model))):
        assert other.mixing == "images"
        assert np.array_equal(upscale(IMAGE, other), upscale(IMAGE, model))
    assert load_model(tmp_path / "pair.safetensors", mixing="weights").mixing == "weights"


def test_another_alpha_shares_the_networks() -> None:
    model = pair(0.0)
    first = model.network
    assert model.with_alpha(0.5).with_alpha(0.0).network is first


def test_other_mixings_and_models_are_refused() -> None:
    with pytest.raises(InputError, match="give one of weights, images"):
        pair().with_mixing("sounds")  # type: ignore[arg-type]
    alone = load_model("srcnn-x2")
    assert alone.mixing is None
    with pytest.raises(InputError, match="does not have two weight sets to mix"):
        alone.with_mixing("images")
