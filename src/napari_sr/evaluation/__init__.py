"""Fidelity of a result to a reference: figures with their protocol, plain baselines, files and folders."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
