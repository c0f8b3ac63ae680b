"""Perceptual losses: the right layer, before or after its activation, and weights that are found or refused."""

import os
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import nn

from napari_sr import InputError
from napari_sr.networks.squeezenet import SqueezeNetFeatures
from napari_sr.networks.vgg import VGGFeatures
from napari_sr.samples import load_sample
from napari_sr.training import feature_weights
from napari_sr.training.feature_weights import VGG19_FILE, load_features, vgg19_file
from napari_sr.training.perceptual import FeatureDistance
from napari_sr.training.recipe import PerceptualLoss


class Tiny(VGGFeatures):
    """Two convolutions of known weights: one channel that is the mean of the colors, then minus three times it."""

    def __init__(self):
        nn.Module.__init__(self)
        first, second = nn.Conv2d(3, 1, 1), nn.Conv2d(1, 1, 1)
        for layer, weight in ((first, 1 / 3), (second, -3.0)):
            nn.init.constant_(layer.weight, weight)
            nn.init.zeros_(layer.bias)
        self.places = {"conv1_1": 0, "conv1_2": 2}
        self.features = nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


def loss(**settings):
    made = FeatureDistance(PerceptualLoss(kind="perceptual", **settings), Tiny(), caffe=False)
    made.mean.zero_()
    made.deviation.fill_(1.0)
    return made


BRIGHT, DARK = torch.full((1, 3, 2, 2), 0.9), torch.full((1, 3, 2, 2), 0.4)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"layers": {"conv1_1": 1.0}, "distance": "l1"}, 0.5),
        ({"layers": {"conv1_1": 1.0}, "distance": "mse"}, 0.25),
        ({"layers": {"conv1_2": 1.0}, "distance": "l1"}, 1.5),
        # After the ReLU nothing of the negative features is left.
        ({"layers": {"conv1_2": 1.0}, "distance": "l1", "activation": "after"}, 0.0),
        ({"layers": {"conv1_1": 2.0, "conv1_2": 0.1}, "distance": "l1"}, 2 * 0.5 + 0.1 * 1.5),
        ({"layers": {"conv1_1": 1.0}, "distance": "mse", "rescale": 0.5}, 0.0625),
    ],
)
def test_a_case_computed_by_hand(settings, wanted):
    assert loss(**settings)(BRIGHT, DARK).item() == pytest.approx(wanted)


def test_gray_is_seen_as_three_equal_colors():
    one = loss(layers={"conv1_1": 1.0})(BRIGHT[:, :1], DARK[:, :1])
    assert one.item() == pytest.approx(0.5)


def test_input_is_normalized_as_the_weights_were_trained():
    seen = FeatureDistance(PerceptualLoss(kind="perceptual", layers={"conv1_1": 1.0}), Tiny(), caffe=False)
    gray = torch.full((1, 3, 1, 1), 0.5)
    wanted = sum((0.5 - m) / d for m, d in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)) / 3
    assert seen.seen(gray)[0].item() == pytest.approx(wanted)
    caffe = FeatureDistance(PerceptualLoss(kind="perceptual", layers={"conv1_1": 1.0}), Tiny(), caffe=True)
    assert caffe.seen(gray)[0].item() == pytest.approx(127.5 - (104 + 117 + 123) / 3)


def test_it_teaches_the_image_and_never_its_own_weights():
    made = loss(layers={"conv1_2": 1.0})
    image = BRIGHT.clone().requires_grad_()
    made.train()(image, DARK).backward()
    assert image.grad.abs().sum() > 0
    assert not made.training
    assert all(not p.requires_grad for p in made.parameters())


def test_the_papers_layers_are_where_torchvision_has_them():
    with torch.device("meta"):
        network = VGGFeatures()
    assert network.places["conv2_2"] == 7
    assert network.places["conv5_4"] == 34
    assert isinstance(network.features[35], nn.ReLU)
    assert len(network.features) == 37
    with torch.device("meta"):
        assert VGGFeatures(depth=16).places["conv5_3"] == 28


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(InputError, match="no layer conv9_9"):
        loss(layers={"conv9_9": 1.0})


def test_squeezenet_is_read_at_its_fires(tmp_path):
    torch.manual_seed(0)
    torch.save(SqueezeNetFeatures().state_dict(), tmp_path / "squeezenet.pth")
    settings = PerceptualLoss(
        kind="perceptual",
        network="squeezenet",
        layers={"conv1": 1.0, "fire4": 0.5},
        weights=str(tmp_path / "squeezenet.pth"),
    )
    made = FeatureDistance(settings)
    image = torch.rand(1, 3, 48, 48)
    assert made(image, image).item() == 0
    assert made(image, image.flip(-1)).item() > 0
    assert [f.shape[1] for f in made.seen(image).values()] == [64, 256]


@pytest.mark.skipif("NAPARI_SR_DATA" not in os.environ, reason="needs the published weights")
def test_the_published_squeezenet_finds_a_blurred_image_nearer_than_another():
    file = Path(os.environ["NAPARI_SR_DATA"]) / "weights" / "squeezenet1_1_caffe_bgr.pth"
    settings = {"network": "squeezenet", "layers": {"fire3": 1.0, "fire5": 1.0}, "weights": str(file)}
    judge = FeatureDistance(PerceptualLoss(kind="perceptual", **settings))
    image = torch.from_numpy(load_sample("electron").high[None, None, :128, :128] / 255).float()
    blurred = torch.nn.functional.avg_pool2d(image, 3, 1, 1)
    assert 0 < judge(blurred, image).item() < judge(image.flip(-1), image).item()


def small(monkeypatch):
    """Make VGG small: the same layers with few features."""
    monkeypatch.setattr("napari_sr.networks.vgg._WIDTHS", (1, 1, 1, 1, 1))


def test_weights_in_the_cache_are_taken(tmp_path, monkeypatch):
    small(monkeypatch)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    state = VGGFeatures().state_dict()
    torch.save({**state, "classifier.0.weight": torch.zeros(3, 3)}, tmp_path / "checkpoints" / VGG19_FILE)
    network, caffe = load_features("vgg19", None)
    assert not caffe
    assert torch.equal(network.features[34].weight, state["features.34.weight"])


def test_weights_under_other_names_are_taken_in_their_order(tmp_path, monkeypatch):
    small(monkeypatch)
    state = VGGFeatures(depth=16).state_dict()
    renamed = {key.replace("features.", "conv_"): value for key, value in state.items()}
    torch.save(renamed, tmp_path / "minc.pth")
    network, caffe = load_features("vgg16", tmp_path / "minc.pth")
    assert caffe
    assert torch.equal(network.features[28].weight, state["features.28.weight"])
    with pytest.raises(InputError, match="16 convolutions of vgg19"):
        load_features("vgg19", tmp_path / "minc.pth")


def test_without_file_and_network_the_sentence_says_where_to_put_it(tmp_path, monkeypatch):
    def offline(*arguments, **settings):
        raise URLError("Network is unreachable")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(InputError, match=rf"{VGG19_FILE}.*Network is unreachable.*{tmp_path.name}"):
        vgg19_file()
    assert not list((tmp_path / "checkpoints").iterdir())


def test_the_download_is_checked_by_its_hash(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(
        torch.hub, "download_url_to_file", lambda url, path, hash_prefix, progress: asked.append((url, hash_prefix))
    )
    vgg19_file()
    assert asked == [(feature_weights.VGG19_URL, "dcbb9e9d")]


def test_a_file_that_is_missing_or_other_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file"):
        load_features("squeezenet", tmp_path / "none.pth")
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pth")
    for network in ("squeezenet", "vgg19"):
        with pytest.raises(InputError, match=r"other\.pth does not hold"):
            load_features(network, tmp_path / "other.pth")
