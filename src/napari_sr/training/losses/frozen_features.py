"""Features of images in a network that was trained to classify images and is not trained further."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from napari_sr.errors import InputError
from napari_sr.networks.squeezenet import Fire, SqueezeNetFeatures
from napari_sr.networks.vgg import VGGFeatures
from napari_sr.training.losses.feature_weights import load_features

#: Mean and standard deviation of RGB in [0, 1], with which torchvision's weights were trained.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
#: Mean of blue, green, red in 0..255, with which Caffe's weights were trained.
_CAFFE_MEAN = (104.0, 117.0, 123.0)


class FrozenFeatures(nn.Module):
    """Some layers of VGG19, VGG16 or SqueezeNet 1.1, in evaluation mode and without gradients of their weights.

    Parameters
    ----------
    name : {"vgg19", "vgg16", "squeezenet"}
        The network.
    layers : sequence of str
        Names of layers: "conv1_1" to "conv5_4" or "conv5_3" for VGG, "conv1" and "fire2" to "fire9" for SqueezeNet.
    activation : {"before", "after"}, default "before"
        Features before the activation of a layer or after it. Those of a fire module are always after it.
    weights : str, optional
        File of the weights; by default torchvision's, which are downloaded.
    network : VGGFeatures or SqueezeNetFeatures, optional
        The network with its weights; by default they are loaded.
    caffe : bool, optional
        Whether the network takes blue, green, red in 0..255; by default this is detected in the file of the weights.

    Raises
    ------
    InputError
        If the weights cannot be loaded, or the network has no such layer.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        name: str,
        layers: Sequence[str],
        *,
        activation: Literal["before", "after"] = "before",
        weights: str | None = None,
        network: VGGFeatures | SqueezeNetFeatures | None = None,
        caffe: bool | None = None,
    ) -> None:
        super().__init__()
        if network is None:
            network, detected = load_features(name, weights)
            caffe = detected if caffe is None else caffe
        positions = _positions(network, activation)
        for layer in layers:
            if layer not in positions:
                raise InputError(f"{name} has no layer {layer}: its layers are {', '.join(positions)}.")
        self._caffe = bool(caffe)
        self._names = {positions[layer]: layer for layer in layers}
        # Layers behind the deepest one that is needed are not computed.
        self.layers = nn.Sequential(*list(network.features)[: max(self._names) + 1])
        #: Number of channels of each layer, by its name.
        self.channels = _channels(self.layers, self._names)
        mean, deviation = (_CAFFE_MEAN, (1.0, 1.0, 1.0)) if self._caffe else _IMAGENET
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> FrozenFeatures:
        """Stay in evaluation mode, since the network is not trained."""
        return super().train(False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Compute the features of images, black at 0 and white at 1, by the names of their layers."""
        x = image.expand(-1, 3, -1, -1) if image.shape[1] == 1 else image
        if self._caffe:
            x = x.flip(1) * 255
        x = (x - self.mean) / self.deviation
        features = {}
        for position, layer in enumerate(self.layers):
            x = layer(x)
            if position in self._names:
                features[self._names[position]] = x
        return features


def _positions(network: VGGFeatures | SqueezeNetFeatures, activation: str) -> dict[str, int]:
    """Return the positions in the network at which the features of its named layers are computed."""
    if isinstance(network, VGGFeatures):
        return {name: n + (activation == "after") for name, n in network.places.items()}
    fires = [n for n, layer in enumerate(network.features) if isinstance(layer, Fire)]
    return {"conv1": int(activation == "after")} | {f"fire{number}": n for number, n in enumerate(fires, start=2)}


def _channels(layers: nn.Sequential, names: dict[int, str]) -> dict[str, int]:
    """Return the number of channels of each named layer."""
    channels, found = 3, {}
    for position, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d):
            channels = layer.out_channels
        elif isinstance(layer, Fire):
            channels = layer.expand1x1.out_channels + layer.expand3x3.out_channels
        if position in names:
            found[names[position]] = channels
    return found
