"""The networks of the papers as torch modules."""

from napari_sr.networks.anchored import AnchoredRegression
from napari_sr.networks.deconvolution import RichardsonLucy, Wiener
from napari_sr.networks.msrresnet import MSRResNet
from napari_sr.networks.rrdbnet import RRDBNet
from napari_sr.networks.squeezenet import SqueezeNetFeatures
from napari_sr.networks.srcnn import SRCNN
from napari_sr.networks.srresnet import SRResNet
from napari_sr.networks.srvgg import SRVGGNetCompact
from napari_sr.networks.upsample import Interpolation

__all__ = [
    "SRCNN",
    "AnchoredRegression",
    "Interpolation",
    "MSRResNet",
    "RRDBNet",
    "RichardsonLucy",
    "SRResNet",
    "SRVGGNetCompact",
    "SqueezeNetFeatures",
    "Wiener",
]
