"""Reading of weight files: no code of a file is run, and no memory is allocated before its sizes are checked.

The names are loaded on first use, so that the header of a safetensors file can be read without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
