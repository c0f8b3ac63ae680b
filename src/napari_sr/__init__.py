"""Super-resolution of images with SRCNN, SRGAN and ESRGAN: the same from napari, from Python and from the command line.

The public names load on first use, so that importing this package imports neither torch nor Qt.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
