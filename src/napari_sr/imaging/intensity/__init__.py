"""Intensities: the values of an image that are black and white for a network, and the maps to its range and back.

The names are loaded on first use, so that the settings, which need `spec` alone, do not load scipy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
