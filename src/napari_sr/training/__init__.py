"""Training: recipes, data, degradation, losses, the loop and its checkpoints.

The names load on first use, so that a window can offer recipes without importing torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
