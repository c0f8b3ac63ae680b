"""Arrays and what they mean: axes, intensity, colour, resizing, geometry and image files."""

from napari_sr.imaging.axes import Axes, parse_axes
from napari_sr.imaging.colour import GREY_WEIGHTS, grey, luma, rgb_to_ycbcr, ycbcr_to_rgb
from napari_sr.imaging.files import ImageFile, Metadata, read_image, write_image
from napari_sr.imaging.geometry import (
    check_layer,
    copy_contrast_range,
    finest_level,
    layer_axes,
    layer_pixel_size,
    linear_part,
    upscaled_layer,
    upscaled_transform,
)
from napari_sr.imaging.intensity import IntensityMap, IntensitySpec, Percentiles, check_finite, intensity_maps
from napari_sr.imaging.part import Part
from napari_sr.imaging.resize import Kernel, resize
from napari_sr.imaging.target_size import TargetSize, parse_target

__all__ = [
    "GREY_WEIGHTS",
    "Axes",
    "ImageFile",
    "IntensityMap",
    "IntensitySpec",
    "Kernel",
    "Metadata",
    "Part",
    "Percentiles",
    "TargetSize",
    "check_finite",
    "check_layer",
    "copy_contrast_range",
    "finest_level",
    "grey",
    "intensity_maps",
    "layer_axes",
    "layer_pixel_size",
    "linear_part",
    "luma",
    "parse_axes",
    "parse_target",
    "read_image",
    "resize",
    "rgb_to_ycbcr",
    "upscaled_layer",
    "upscaled_transform",
    "write_image",
    "ycbcr_to_rgb",
]
