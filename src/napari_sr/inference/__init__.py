"""Inference: jobs, which apply a model to n-D images plane by plane.

The names are loaded on first use, so that the window opens without importing torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
