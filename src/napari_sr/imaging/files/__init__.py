"""Image files: TIFF, OME-TIFF, ImageJ TIFF, PNG, JPEG and Zarr, with their metadata."""

from napari_sr.imaging.files.image_file import Color, ImageFile, Limits, Lut, Metadata, from_luts, ramp
from napari_sr.imaging.files.names import ENDINGS, find_images, is_image, stem_of
from napari_sr.imaging.files.reading import is_readable_tiff, read_image
from napari_sr.imaging.files.writing import WRITABLE, write_image

__all__ = [
    "ENDINGS",
    "WRITABLE",
    "Color",
    "ImageFile",
    "Limits",
    "Lut",
    "Metadata",
    "find_images",
    "from_luts",
    "is_image",
    "is_readable_tiff",
    "ramp",
    "read_image",
    "stem_of",
    "write_image",
]
