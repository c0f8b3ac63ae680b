"""Endings of weight files."""

from __future__ import annotations

#: Endings of pickles, which torch.save and older trainers write.
PICKLES = frozenset({".pth", ".pt", ".pkl", ".ckpt", ".bin"})
#: All endings that can be read.
SUFFIXES = PICKLES | {".safetensors", ".mat"}
