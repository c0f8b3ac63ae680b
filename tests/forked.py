"""Programs in processes that have torch and the package imported: forks of a process that has done only this.

Importing them takes seconds in each process that is started. Tests of starting, of signals to a program and of its
standard streams start a process of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

#: Imports, and then runs the programs that are requested in forks: files of Python with arguments, until they end.
SERVER = """
import json, os, runpy, sys, traceback

import numpy, scipy.ndimage, tifffile, torch, zarr
import napari_sr as sr
import napari_sr.cli

for name in sr.__all__:
    getattr(sr, name)


def run(program, arguments, folder, environment, output):
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, name in enumerate(output, 1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdin = open(0, closefd=False)
    sys.argv, sys.path[0] = [program, *arguments], os.path.dirname(program)
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return 1 if isinstance(end.code, str) else end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        status = run(**json.loads(line))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Forks:
    """Runs programs as `subprocess.run` does, with the environment and the folder of the caller.

    Where processes with threads of libraries cannot be forked, each program is started anew.
    """

    def __init__(self) -> None:
        self._server: subprocess.Popen[str] | None = None

    def run(self, program: str | Path, *arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the text of a program, or a file, to its end; its return code is negative after a signal."""
        with TemporaryDirectory() as folder:
            path = Path(cwd or ".", program).resolve() if isinstance(program, Path) else Path(folder, "program.py")
            if isinstance(program, str):
                path.write_text(program, encoding="utf-8")
            command = [str(path), *map(str, arguments)]
            if sys.platform != "linux":
                return subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=cwd, check=False)
            output = [Path(folder, name) for name in ("out", "error")]
            code = self._request(command, str(Path(cwd or ".").resolve()), output)
            return subprocess.CompletedProcess(command, code, *(path.read_text("utf-8") for path in output))

    def _request(self, command: list[str], folder: str, output: list[Path]) -> int:
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        request = {
            "program": command[0],
            "arguments": command[1:],
            "folder": folder,
            "environment": dict(os.environ),
            "output": list(map(str, output)),
        }
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def close(self) -> None:
        """End the process that is forked."""
        if self._server is not None:
            self._server.communicate()
