"""Writing of images to TIFF and PNG, also of those that are larger than memory."""

from napari_sr.imaging.files.writing.image import WRITABLE, check_writable, write_image, writing_error

__all__ = ["WRITABLE", "check_writable", "write_image", "writing_error"]
