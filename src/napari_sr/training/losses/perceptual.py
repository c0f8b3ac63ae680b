"""The perceptual loss: the distance of two images in the features of a trained network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sr.errors import InputError
from napari_sr.networks.squeezenet import SqueezeNetFeatures
from napari_sr.networks.vgg import VGGFeatures
from napari_sr.training import recipe
from napari_sr.training.losses.feature_weights import load_features

#: Mean and standard deviation of RGB in [0, 1], with which torchvision's weights were trained.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
#: Mean of blue, green, red in 0..255, with which Caffe's weights were trained.
_CAFFE_MEAN = (104.0, 117.0, 123.0)
#: Distance, at a `rescale` of 1, that is added to that of a baseline before dividing by it.
_LEAST_DISTANCE = 3e-4


class FeatureDistance(nn.Module):
    """The distance of two images in the features of a network that is not trained further.

    Parameters
    ----------
    settings : recipe.PerceptualLoss
        Network, layers, activation and distance.
    network : VGGFeatures or SqueezeNetFeatures, optional
        The network with its weights; by default they are loaded as the settings specify.
    caffe : bool, optional
        Whether the network takes blue, green, red in 0..255; by default this is detected in the file of the weights.

    Raises
    ------
    InputError
        If the weights cannot be loaded, or the network has no such layer.

    References
    ----------
    J. Johnson et al., arXiv:1603.08155, equation 2; Ledig et al., arXiv:1609.04802, equation 5 (after the activation);
    Wang et al., arXiv:1809.00219, section 3.3 (before it); Zhang et al., arXiv:1801.03924, equation 1 (normalized).
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
            network, detected = load_features(settings.network, settings.weights)
            caffe = detected if caffe is None else caffe
        self.settings = settings
        self._caffe = bool(caffe)
        positions = _positions(network, settings)
        self._weights = {positions[name]: weight for name, weight in settings.layers.items()}
        # Layers behind the deepest one of the loss are not computed.
        self.layers = nn.Sequential(*list(network.features)[: max(self._weights) + 1])
        mean, deviation = (_CAFFE_MEAN, (1.0, 1.0, 1.0)) if self._caffe else _IMAGENET
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> FeatureDistance:
        """Stay in evaluation mode, since the network is not trained.

        Parameters
        ----------
        mode : bool, default True
            Ignored.

        Returns
        -------
        FeatureDistance
            This module.
        """
        return super().train(False)

    def forward(self, result: Tensor, truth: Tensor, baseline: Tensor | None = None) -> Tensor:
        """Compute the distance.

        Parameters
        ----------
        result : Tensor, shape (N, 1, Y, X) or (N, 3, Y, X)
            Results, black at 0 and white at 1.
        truth : Tensor, same shape
            Truth; no gradient runs through it.
        baseline : Tensor, optional
            Other images of the same shape, by whose distance that of each result is divided; no gradient runs through
            them.

        Returns
        -------
        Tensor, scalar
            The weighted sum of the distances in the layers.
        """
        with torch.no_grad():
            expected = self.features(truth)
            least = _LEAST_DISTANCE * self.settings.rescale**2
            divisor = 1.0 if baseline is None else self._distances(baseline, expected) + least
        return (self._distances(result, expected) / divisor).mean()

    def _distances(self, result: Tensor, expected: Mapping[int, Tensor]) -> Tensor:
        """Compute the distance of each image from features."""
        total = torch.zeros(len(result), device=result.device)
        for position, features in self.features(result).items():
            difference = features.float() - expected[position].float()
            size = difference.abs() if self.settings.distance == "l1" else difference**2
            total = total + self._weights[position] * size.mean((1, 2, 3))
        return total

    def features(self, image: Tensor) -> dict[int, Tensor]:
        """Compute the features of images in the layers of the loss.

        Parameters
        ----------
        image : Tensor, shape (N, 1, Y, X) or (N, 3, Y, X)
            Images, black at 0 and white at 1.

        Returns
        -------
        dict of int to Tensor
            Features times `rescale`, by the position of their layer in the network; of length 1 over the channels
            before that if `normalized`.
        """
        x = image.expand(-1, 3, -1, -1) if image.shape[1] == 1 else image
        if self._caffe:
            x = x.flip(1) * 255
        x = (x - self.mean) / self.deviation
        features = {}
        for position, layer in enumerate(self.layers):
            x = layer(x)
            if position in self._weights:
                features[position] = (functional.normalize(x, dim=1) if self.settings.normalized else x) * (
                    self.settings.rescale
                )
        return features


def _positions(network: VGGFeatures | SqueezeNetFeatures, settings: recipe.PerceptualLoss) -> dict[str, int]:
    """Return the positions in the network at which the features of its named layers are computed."""
    if isinstance(network, VGGFeatures):
        positions = {name: n + (settings.activation == "after") for name, n in network.places.items()}
    else:
        fires = [n for n, layer in enumerate(network.features) if type(layer).__name__ == "Fire"]
        positions = {"conv1": int(settings.activation == "after")}
        positions |= {f"fire{number}": n for number, n in enumerate(fires, start=2)}
    for name in settings.layers:
        if name not in positions:
            raise InputError(f"{settings.network} has no layer {name}: its layers are {', '.join(positions)}.")
    return positions
