"""Endings of weight files."""

from __future__ import annotations

from pathlib import Path

#: Endings of pickles, which torch.save and older trainers write. ".tar" is for ".pth.tar".
PICKLES = frozenset({".pth", ".pt", ".pkl", ".ckpt", ".bin", ".tar"})
#: All endings that can be read.
SUFFIXES = PICKLES | {".safetensors", ".mat"}


def stem_of(path: Path) -> str:
    """Return the name of a weight file without its ending, also without the first part of ".pth.tar"."""
    stem = path.stem
    if path.suffix.lower() == ".tar" and Path(stem).suffix.lower() in PICKLES:
        return Path(stem).stem
    return stem
