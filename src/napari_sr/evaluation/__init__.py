"""Fidelity of results to reference images: PSNR and SSIM with their protocol, baselines, and pairs of files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
