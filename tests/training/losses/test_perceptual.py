"""Perceptual losses: layers, activations, and the weights of the network."""

import hashlib
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
from napari_sr.training.losses import feature_weights
from napari_sr.training.losses.feature_weights import ADDRESS, TORCHVISION, load_features, torchvision_file
from napari_sr.training.losses.perceptual import FeatureDistance
from napari_sr.training.recipe import PerceptualLoss


class Tiny(VGGFeatures):
    """Two convolutions with known weights: the mean of the colors, then minus three times that mean."""

    def __init__(self):
        nn.Module.__init__(self)
        first, second = nn.Conv2d(3, 1, 1), nn.Conv2d(1, 1, 1)
        for layer, weight in ((first, 1 / 3), (second, -3.0)):
            nn.init.constant_(layer.weight, weight)
            nn.init.zeros_(layer.bias)
        self.places = {"conv1_1": 0, "conv1_2": 2}
        self.features = nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


def loss(**settings):
    distance = FeatureDistance(PerceptualLoss(kind="perceptual", **settings), Tiny(), caffe=False)
    distance.network.mean.zero_()
    distance.network.deviation.fill_(1.0)
    return distance


BRIGHT, DARK = torch.full((1, 3, 2, 2), 0.9), torch.full((1, 3, 2, 2), 0.4)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"layers": {"conv1_1": 1.0}, "distance": "l1"}, 0.5),
        ({"layers": {"conv1_1": 1.0}, "distance": "mse"}, 0.25),
        ({"layers": {"conv1_2": 1.0}, "distance": "l1"}, 1.5),
        # The ReLU sets negative features to zero.
        ({"layers": {"conv1_2": 1.0}, "distance": "l1", "activation": "after"}, 0.0),
        ({"layers": {"conv1_1": 2.0, "conv1_2": 0.1}, "distance": "l1"}, 2 * 0.5 + 0.1 * 1.5),
        ({"layers": {"conv1_1": 1.0}, "distance": "mse", "rescale": 0.5}, 0.0625),
    ],
)
def test_losses_equal_those_computed_by_hand(settings, expected):
    assert loss(**settings)(BRIGHT, DARK).item() == pytest.approx(expected)


class TwoFeatures(Tiny):
    """One convolution with two features of each pixel: the mean of the colors, and twice that of the first color."""

    def __init__(self):
        super().__init__()
        layer = nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([[1 / 3, 1 / 3, 1 / 3], [2.0, 0.0, 0.0]]).view(2, 3, 1, 1))
            layer.bias.zero_()
        self.places, self.features = {"conv1_1": 0}, nn.Sequential(layer, nn.ReLU())


def test_normalized_features_do_not_depend_on_the_strength_of_a_structure():
    settings = PerceptualLoss(kind="perceptual", layers={"conv1_1": 1.0}, distance="mse", rescale=2.0, normalized=True)
    distance = FeatureDistance(settings, TwoFeatures(), caffe=False)
    distance.network.mean.zero_()
    distance.network.deviation.fill_(1.0)
    assert distance(BRIGHT, DARK).item() == pytest.approx(0, abs=1e-9)
    lengths = distance.features(BRIGHT)["conv1_1"].norm(dim=1)
    assert torch.allclose(lengths, torch.full_like(lengths, 2.0))
    # (1, 2) and (1, 6), both of length 1, have this mean squared difference over their two features.
    red = torch.tensor([0.9, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    cosine = (1 * 1 + 2 * 6) / (5 * 37) ** 0.5
    assert distance(BRIGHT, red).item() == pytest.approx(4 * (2 - 2 * cosine) / 2, rel=1e-5)


def test_a_distance_is_divided_by_that_of_a_baseline_image_by_image():
    distance = loss(layers={"conv1_1": 1.0}, distance="mse")
    truth = torch.cat((BRIGHT, BRIGHT))
    result, baseline = (
        truth - torch.tensor([0.1, 0.3]).view(2, 1, 1, 1),
        truth - torch.tensor([0.2, 0.5]).view(2, 1, 1, 1),
    )
    baseline.requires_grad_()
    value = distance(result, truth, baseline)
    assert value.item() == pytest.approx((0.01 / (0.04 + 3e-4) + 0.09 / (0.25 + 3e-4)) / 2, rel=1e-4)
    assert not value.requires_grad
    # A baseline that is the truth itself is no division by 0.
    assert distance(truth, truth, truth).item() == 0


def test_gray_images_have_three_equal_colors():
    value = loss(layers={"conv1_1": 1.0})(BRIGHT[:, :1], DARK[:, :1])
    assert value.item() == pytest.approx(0.5)


def test_input_is_normalized_as_the_weights_were_trained():
    imagenet = FeatureDistance(PerceptualLoss(kind="perceptual", layers={"conv1_1": 1.0}), Tiny(), caffe=False)
    gray = torch.full((1, 3, 1, 1), 0.5)
    expected = sum((0.5 - m) / d for m, d in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)) / 3
    assert imagenet.features(gray)["conv1_1"].item() == pytest.approx(expected)
    caffe = FeatureDistance(PerceptualLoss(kind="perceptual", layers={"conv1_1": 1.0}), Tiny(), caffe=True)
    assert caffe.features(gray)["conv1_1"].item() == pytest.approx(127.5 - (104 + 117 + 123) / 3)


def test_gradients_run_to_the_image_and_not_to_the_weights():
    distance = loss(layers={"conv1_2": 1.0})
    image = BRIGHT.clone().requires_grad_()
    distance.train()(image, DARK).backward()
    assert image.grad.abs().sum() > 0
    assert not distance.network.training
    assert all(not p.requires_grad for p in distance.parameters())


def test_the_papers_layers_have_the_positions_of_torchvision():
    with torch.device("meta"):
        network = VGGFeatures()
    assert network.places["conv2_2"] == 7
    assert network.places["conv5_4"] == 34
    assert isinstance(network.features[35], nn.ReLU)
    assert len(network.features) == 37
    with torch.device("meta"):
        assert VGGFeatures(depth=16).places["conv5_3"] == 28


def test_a_layer_that_does_not_exist_is_refused_by_name():
    with pytest.raises(InputError, match="no layer conv9_9"):
        loss(layers={"conv9_9": 1.0})


def squeezenet(tmp_path, name="squeezenet.pth"):
    """A file of random weights with the keys that Caffe's and torchvision's SqueezeNet 1.1 share."""
    torch.manual_seed(0)
    state = SqueezeNetFeatures().state_dict()
    torch.save(state, tmp_path / name)
    return tmp_path / name, state


def as_caffe(monkeypatch, state):
    """Take random weights for those of Caffe."""
    kernels = hashlib.sha256(state["features.0.weight"].half().numpy().tobytes()).hexdigest()
    monkeypatch.setattr(feature_weights, "_CAFFE_KERNELS", kernels)


def test_layers_of_squeezenet_are_its_fire_modules(tmp_path, monkeypatch):
    file, state = squeezenet(tmp_path)
    as_caffe(monkeypatch, state)
    settings = PerceptualLoss(
        kind="perceptual",
        network="squeezenet",
        layers={"conv1": 1.0, "fire4": 0.5},
        weights=str(file),
    )
    distance = FeatureDistance(settings)
    image = torch.rand(1, 3, 48, 48)
    assert distance(image, image).item() == 0
    assert distance(image, image.flip(-1)).item() > 0
    assert [f.shape[1] for f in distance.features(image).values()] == [64, 256]


def test_squeezenet_of_caffe_and_of_torchvision_are_told_apart_by_their_hashes(tmp_path, monkeypatch):
    file, state = squeezenet(tmp_path)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    monkeypatch.setitem(feature_weights._PUBLISHED, digest, False)
    assert load_features("squeezenet", file)[1] is False
    as_caffe(monkeypatch, state)
    assert load_features("squeezenet", file)[1] is True
    # Another file of the same weights.
    torch.save({"state_dict": {f"module.{key}": t for key, t in state.items()}}, tmp_path / "copy.pth")
    assert load_features("squeezenet", tmp_path / "copy.pth")[1] is True


def test_a_squeezenet_of_unknown_input_is_refused(tmp_path):
    file, _ = squeezenet(tmp_path)
    with pytest.raises(InputError, match=r"squeezenet\.pth is neither the SqueezeNet 1\.1 of Caffe nor that of"):
        load_features("squeezenet", file)


@pytest.mark.parametrize("caffe", [True, False])
def test_a_vgg_with_the_keys_of_torchvision_is_that_of_caffe_by_its_hash(tmp_path, monkeypatch, caffe):
    small(monkeypatch)
    torch.save(VGGFeatures().state_dict(), tmp_path / "vgg.pth")
    digest = hashlib.sha256((tmp_path / "vgg.pth").read_bytes()).hexdigest()[:8]
    if caffe:
        monkeypatch.setitem(feature_weights._PUBLISHED, digest, True)
    assert load_features("vgg19", tmp_path / "vgg.pth")[1] is caffe


@pytest.mark.skipif("NAPARI_SR_DATA" not in os.environ, reason="needs the published weights")
def test_by_the_published_squeezenet_a_blurred_image_is_nearer_than_another():
    file = Path(os.environ["NAPARI_SR_DATA"]) / "weights" / "squeezenet1_1_caffe_bgr.pth"
    settings = {"network": "squeezenet", "layers": {"fire3": 1.0, "fire5": 1.0}, "weights": str(file)}
    distance = FeatureDistance(PerceptualLoss(kind="perceptual", **settings))
    image = torch.from_numpy(load_sample("electron").high[None, None, :128, :128] / 255).float()
    blurred = torch.nn.functional.avg_pool2d(image, 3, 1, 1)
    assert 0 < distance(blurred, image).item() < distance(image.flip(-1), image).item()


def small(monkeypatch):
    """Give VGG one feature in each layer."""
    monkeypatch.setattr("napari_sr.networks.vgg._WIDTHS", (1, 1, 1, 1, 1))


def test_weights_in_the_cache_are_loaded(tmp_path, monkeypatch):
    small(monkeypatch)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    state = VGGFeatures().state_dict()
    torch.save(
        {**state, "classifier.0.weight": torch.zeros(3, 3)}, tmp_path / "checkpoints" / TORCHVISION["vgg19"].file
    )
    network, caffe = load_features("vgg19", None)
    assert not caffe
    assert torch.equal(network.features[34].weight, state["features.34.weight"])


def test_weights_with_other_keys_are_loaded_in_their_order(tmp_path, monkeypatch):
    small(monkeypatch)
    state = VGGFeatures(depth=16).state_dict()
    renamed = {key.replace("features.", "conv_"): value for key, value in state.items()}
    torch.save(renamed, tmp_path / "minc.pth")
    network, caffe = load_features("vgg16", tmp_path / "minc.pth")
    assert caffe
    assert torch.equal(network.features[28].weight, state["features.28.weight"])
    with pytest.raises(InputError, match="16 convolutions of vgg19"):
        load_features("vgg19", tmp_path / "minc.pth")


@pytest.mark.parametrize("network", TORCHVISION)
def test_without_file_and_connection_the_message_names_the_folder_for_the_file(network, tmp_path, monkeypatch):
    def offline(*arguments, **settings):
        raise URLError("Network is unreachable")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(InputError, match=rf"{TORCHVISION[network].file}.*Network is unreachable.*{tmp_path.name}"):
        load_features(network, None)
    assert not list((tmp_path / "checkpoints").iterdir())


@pytest.mark.parametrize("network", TORCHVISION)
def test_the_download_is_checked_by_its_complete_hash(network, tmp_path, monkeypatch):
    requests = []
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(
        torch.hub, "download_url_to_file", lambda url, path, hash_prefix, progress: requests.append((url, hash_prefix))
    )
    published = TORCHVISION[network]
    assert torchvision_file(network) == tmp_path / "checkpoints" / published.file
    assert requests == [(ADDRESS + published.file, published.sha256)]
    assert len(published.sha256) == 64
    # torchvision's names end with the first digits of the hash.
    assert published.file.endswith(f"-{published.sha256[:8]}.pth")


def test_a_missing_file_or_one_with_other_weights_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file"):
        load_features("squeezenet", tmp_path / "none.pth")
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pth")
    for network in ("squeezenet", "vgg19"):
        with pytest.raises(InputError, match=r"other\.pth does not hold"):
            load_features(network, tmp_path / "other.pth")
