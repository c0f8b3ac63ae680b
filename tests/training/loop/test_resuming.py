"""A training that is killed at any moment continues and ends with the same bits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are made by fork")
def test_killed_twenty_times_also_during_writes_it_ends_with_the_same_bits(tmp_path):
    here = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, here / "killed.py", tmp_path, "20", "7"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert len(result["places"]) == 20
    assert {"phase", "write"} <= set(result["places"])
    assert result["killed"] == result["whole"]
