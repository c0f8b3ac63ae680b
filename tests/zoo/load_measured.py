"""Load each file of a folder, and print one line of JSON with the outcome, the peak of memory and the time.

python load_measured.py FOLDER
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

import torch

import napari_sr as sr

torch.set_num_threads(1)
STATUS = Path("/proc/self/status")


def in_memory(field: str) -> int:
    """Resident bytes: VmRSS at present, VmHWM at most since the last reset."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def load(path: Path) -> dict[str, object]:
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before, start = in_memory("VmRSS"), time.process_time()
    try:
        model = sr.load_model(path, scale=2 if "srcnn" in path.name else None)
        outcome, text = "model", repr(model.network)[:50]
    except sr.errors.NapariSRError as error:
        outcome, text = type(error).__name__, str(error)
    except BaseException as error:
        outcome, text = "crash", repr(error)[:300]
    return {
        "name": path.name,
        "outcome": outcome,
        "text": text,
        "size": path.stat().st_size,
        "peak": max(0, in_memory("VmHWM") - before),
        "seconds": time.process_time() - start,
    }


if __name__ == "__main__":
    for name in ("srcnn-x2", "esrgan-microscopy-x2"):
        sr.load_model(name).network  # noqa: B018 (everything is imported before the first measurement)
    # The collection before each measurement has only the objects of the file before to go through.
    gc.collect()
    gc.freeze()
    for file in sorted(Path(sys.argv[1]).iterdir()):
        sys.stdout.write(json.dumps(load(file)) + "\n")
        sys.stdout.flush()
