"""The scripts of benchmarks/ can be imported, so that their commands in the documentation run."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
#: Opens windows.
LEFT_OUT = {"window"}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="an sdist holds no benchmarks")


def test_all_scripts_can_be_imported():
    names = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in LEFT_OUT)
    run = subprocess.run(
        [sys.executable, "-c", f"import {', '.join(names)}"], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
