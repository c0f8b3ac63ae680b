"""Inference: a job over a whole n-D image, and the passing of planes through a network on a device.

The names load on first use, so that a window can be drawn without importing torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
