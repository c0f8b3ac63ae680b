"""Profiles of the number of generated cases: few in the test command, 10,000 at night, or as many as given.

``pytest tests/fuzz``, ``pytest --hypothesis-profile=nightly tests/fuzz``, or ``scripts/fuzz 2000``.
"""

import os
from types import SimpleNamespace

import hypothesis
import psutil
import pytest

hypothesis.settings.register_profile("nightly", max_examples=10_000, deadline=None, derandomize=False, print_blob=True)
# scripts/fuzz sets the variable.
hypothesis.settings.register_profile(
    "counted",
    max_examples=int(os.environ.get("NAPARI_SR_FUZZ_CASES", "100")),
    deadline=None,
    derandomize=False,
    print_blob=True,
)


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let results of hundreds of megabytes be refused: some generated calls have large factors."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**28, total=2**33))
