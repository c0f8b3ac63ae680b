"""Models: weight files and their dialects, model cards, the catalog, and mixing of weights.

The names are loaded on first use, so that listing the models does not import torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
