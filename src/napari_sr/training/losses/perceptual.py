"""The perceptual loss: the distance of two images in the features of a trained network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sr.networks.squeezenet import SqueezeNetFeatures
from napari_sr.networks.vgg import VGGFeatures
from napari_sr.training import recipe
from napari_sr.training.losses.frozen_features import FrozenFeatures

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

    def __init__(
        self,
        settings: recipe.PerceptualLoss,
        network: VGGFeatures | SqueezeNetFeatures | None = None,
        *,
        caffe: bool | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.network = FrozenFeatures(
            settings.network,
            tuple(settings.layers),
            activation=settings.activation,
            weights=settings.weights,
            network=network,
            caffe=caffe,
        )

    def forward(self, result: Tensor, truth: Tensor, baseline: Tensor | None = None) -> Tensor:
        """Compute the distance: the weighted sum of the distances in the layers.

        Parameters
        ----------
        result : Tensor, shape (N, 1, Y, X) or (N, 3, Y, X)
            Results, black at 0 and white at 1.
        truth : Tensor, same shape
            Truth; no gradient runs through it.
        baseline : Tensor, optional
            Other images of the same shape, by whose distance that of each result is divided; no gradient runs through
            them.
        """
        with torch.no_grad():
            expected = self.features(truth)
            least = _LEAST_DISTANCE * self.settings.rescale**2
            divisor = 1.0 if baseline is None else self._distances(baseline, expected) + least
        return (self._distances(result, expected) / divisor).mean()

    def _distances(self, result: Tensor, expected: Mapping[str, Tensor]) -> Tensor:
        """Compute the distance of each image from features."""
        total = torch.zeros(len(result), device=result.device)
        for layer, features in self.features(result).items():
            difference = features.float() - expected[layer].float()
            size = difference.abs() if self.settings.distance == "l1" else difference**2
            total = total + self.settings.layers[layer] * size.mean((1, 2, 3))
        return total

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Compute the features of images in the layers of the loss.

        Returns
        -------
        dict of str to Tensor
            Features times `rescale`, by the names of their layers; of length 1 over the channels before that if
            `normalized`.
        """
        return {
            layer: (functional.normalize(x, dim=1) if self.settings.normalized else x) * self.settings.rescale
            for layer, x in self.network(image).items()
        }
