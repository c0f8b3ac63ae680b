"""Perceptual losses: how differently another network sees two images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sr.errors import InputError
from napari_sr.networks.squeezenet import SqueezeNetFeatures
from napari_sr.networks.vgg import VGGFeatures
from napari_sr.training import recipe
from napari_sr.training.feature_weights import load_features

#: Mean and deviation of ImageNet's RGB in [0, 1], as torchvision's weights were trained.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
#: Caffe's weights take blue, green, red in 0..255 less these.
_CAFFE_MEAN = (104.0, 117.0, 123.0)


class FeatureDistance(nn.Module):
    """The distance of two images in the features of a network that is not trained.

    Parameters
    ----------
    settings : recipe.PerceptualLoss
        Which network, layers, activation and distance.
    network : VGGFeatures or SqueezeNetFeatures, optional
        With its weights; by default they are found as the recipe says.
    caffe : bool, optional
        Whether the weights take blue first in 0..255; by default as the file that was found.

    Raises
    ------
    InputError
        If the weights cannot be had, or the network has no such layer.

    References
    ----------
    J. Johnson et al., arXiv:1603.08155, equation 2; Ledig et al., arXiv:1609.04802, equation 5 (after the activation);
    Wang et al., arXiv:1809.00219, section 3.3 (before it).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        settings: recipe.PerceptualLoss,
        network: VGGFeatures | SqueezeNetFeatures | None = None,
        *,
        caffe: bool | None = None,
    ) -> None:
        super().__init__()
        if network is None:
            network, found_caffe = load_features(settings.network, settings.weights)
            caffe = found_caffe if caffe is None else caffe
        self.settings = settings
        self._caffe = bool(caffe)
        places = _places(network, settings)
        self._weights = {places[name]: weight for name, weight in settings.layers.items()}
        # Nothing behind the deepest layer is computed.
        self.features = nn.Sequential(*list(network.features)[: max(self._weights) + 1])
        mean, deviation = (_CAFFE_MEAN, (1.0, 1.0, 1.0)) if self._caffe else _IMAGENET
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> FeatureDistance:
        """Stay as it is: the judge does not learn."""
        return super().train(False)

    def forward(self, result: Tensor, truth: Tensor) -> Tensor:
        """Give the weighted distance of two batches (N, 1 or 3, H, W) in [0, 1]."""
        with torch.no_grad():
            wanted = self.seen(truth)
        compare = functional.l1_loss if self.settings.distance == "l1" else functional.mse_loss
        total = torch.zeros((), device=result.device)
        for place, features in self.seen(result).items():
            total = total + self._weights[place] * compare(features.float(), wanted[place].float())
        return total

    def seen(self, image: Tensor) -> dict[int, Tensor]:
        """Features of a batch in [0, 1] at the wanted layers, times `rescale`, by their place in the network."""
        x = image.expand(-1, 3, -1, -1) if image.shape[1] == 1 else image
        if self._caffe:
            x = x.flip(1) * 255
        x = (x - self.mean) / self.deviation
        found = {}
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in self._weights:
                found[place] = x * self.settings.rescale
        return found


def _places(network: VGGFeatures | SqueezeNetFeatures, settings: recipe.PerceptualLoss) -> dict[str, int]:
    """Where in the network the layers with the papers' names are read."""
    if isinstance(network, VGGFeatures):
        places = {name: n + (settings.activation == "after") for name, n in network.places.items()}
    else:
        fires = [n for n, layer in enumerate(network.features) if type(layer).__name__ == "Fire"]
        places = {"conv1": int(settings.activation == "after")}
        places |= {f"fire{number}": n for number, n in enumerate(fires, start=2)}
    for name in settings.layers:
        if name not in places:
            raise InputError(f"{settings.network} has no layer {name}: its layers are {', '.join(places)}.")
    return places
