"""What every test stands on."""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import torch
import tqdm

from tests.forked import Forks

# tqdm's monitor thread outlives a test and touches Qt from outside the main thread.
tqdm.tqdm.monitor_interval = 0

# No deadline: the first call of a network costs more than the next. In CI the same examples every time.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")

# One thread for each of pytest-xdist's workers and for the programs that tests start: the tests' images are small, and
# the workers share the cores. Threads that wait for one another take several times the computation.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="module")
def short_collections() -> None:
    """Leave what lives before a module's tests out of their garbage collections.

    napari makes several in each test of the window, and each window leaves some thousand objects of its menus behind.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings and measured speeds of the test alone, never the user's own."""
    folder = tmp_path_factory.mktemp("napari-sr")
    monkeypatch.setenv("NAPARI_SR_CONFIG", str(folder / "config.toml"))
    monkeypatch.setenv("NAPARI_SR_CACHE", str(folder / "cache"))
    return folder


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Runs programs in processes that have torch and the package imported already."""
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture
def links(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips a test on a Windows that lets its users make no links; other systems let them."""
    if sys.platform == "win32":
        try:
            (tmp_path_factory.mktemp("links") / "link").symlink_to("missing")
        except OSError as error:
            pytest.skip(f"this Windows lets no links be made: {error}")


@pytest.fixture
def signals_as_in_a_terminal() -> Iterator[None]:
    """Handlers of signals as in a program that was started in a terminal.

    A shell starts commands in the background with signals ignored, and so are they here and in the processes of tests.
    """
    known = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in known}
    for number in known:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
