"""Programs in forks behave as those in processes that are started."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.forked import Forks

PROGRAM = """
import os, sys
print(__name__, sys.argv[1:], os.getcwd(), os.environ["NAPARI_SR_CACHE"], sys.stdin.read() == "")
os.environ["NAPARI_SR_CACHE"] = "changed"
print("lost", file=sys.stderr)
"""


def test_it_has_arguments_folder_and_environment_of_the_caller_each_time(
    forks: Forks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("first", "second"):
        (tmp_path / place).mkdir()
        monkeypatch.setenv("NAPARI_SR_CACHE", place)
        done = forks.run(PROGRAM, "a b", 3, cwd=tmp_path / place)
        assert done.returncode == 0
        assert done.stdout == f"__main__ ['a b', '3'] {tmp_path / place} {place} True\n"
        assert done.stderr == "lost\n"


@pytest.mark.parametrize(
    ("program", "code", "error"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("raise SystemExit", 0, ""),
        ("raise SystemExit('No image.')", 1, "No image.\n"),
        ("[][1]", 1, "IndexError: list index out of range\n"),
    ],
)
def test_it_ends_with_the_code_and_the_message_of_a_process(forks: Forks, program: str, code: int, error: str) -> None:
    done = forks.run(program)
    assert done.returncode == code
    assert done.stderr.endswith(error)
    assert bool(done.stderr) == bool(error)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_one_that_is_killed_leaves_the_next_one_as_it_was(forks: Forks) -> None:
    assert forks.run("import os; os.kill(os.getpid(), 9)").returncode == -signal.SIGKILL
    done = forks.run("import napari_sr, os, torch; print(os.getpid(), torch.get_num_threads())")
    assert int(done.stdout.split()[0]) != os.getpid()
    assert done.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each program is started anew")
def test_its_process_has_imported_the_package_and_done_nothing_with_it(forks: Forks) -> None:
    done = forks.run(
        "import sys, threading; print('torch' in sys.modules, 'napari' in sys.modules, threading.active_count())"
    )
    assert done.stdout == "True False 1\n"
