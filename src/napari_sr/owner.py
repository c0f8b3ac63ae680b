"""The process to which a temporary file, a temporary folder or a lock belongs.

By its record a later process finds out whether the owner still runs, so that left-overs of killed processes are removed
and files of running ones are not.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

#: Largest difference in seconds between two readings of the start of one process.
_TOLERANCE = 2.0


@dataclass(frozen=True)
class Owner:
    """A process on a computer.

    Parameters
    ----------
    host : str
        Name of the computer; on Linux also the namespace of its process numbers, which containers have of their own.
    pid : int
        Number of the process.
    started : float
        Start of the process, in seconds since 1970.
    booted : float
        Start of the computer, in seconds since 1970.
    fingerprint : str, default ""
        Fingerprint of the job and its input, if there is one.
    """

    host: str
    pid: int
    started: float
    booted: float
    fingerprint: str = ""

    @property
    def is_here(self) -> bool:
        """Whether the process runs, or ran, on this computer."""
        return self.host == _host()

    @property
    def is_gone(self) -> bool:
        """Whether the process has certainly ended. False for processes of other computers, which cannot be checked."""
        import psutil

        if not self.is_here:
            return False
        try:
            process = psutil.Process(self.pid)
            started, status = process.create_time(), process.status()
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            # A process of another user, on some systems.
            return False
        if status == psutil.STATUS_ZOMBIE:
            # It has ended, and its parent has not read its exit status yet.
            return True
        # A number is used again after a process has ended. The start is compared in two ways, because a change of the
        # clock moves the one that is computed from the start of the computer.
        since_boot = started - psutil.boot_time()
        return abs(started - self.started) > _TOLERANCE and abs(since_boot - (self.started - self.booted)) > _TOLERANCE

    def describe(self) -> str:
        """Describe the process for a message.

        Returns
        -------
        str
            Such as "process 4711 on lab-pc, started on 2026-03-14 at 15:09".
        """
        when = datetime.fromtimestamp(self.started)
        return f"process {self.pid} on {self.host.partition(' ')[0]}, started on {when:%Y-%m-%d at %H:%M}"

    def to_json(self) -> str:
        """Return the record as JSON.

        Returns
        -------
        str
            One line.
        """
        return json.dumps(asdict(self)) + "\n"


def this_process(fingerprint: str = "") -> Owner:
    """Return the record of the running process.

    Parameters
    ----------
    fingerprint : str, default ""
        Fingerprint of the job and its input, if there is one.
    """
    import psutil

    pid = os.getpid()
    return Owner(_host(), pid, psutil.Process(pid).create_time(), psutil.boot_time(), fingerprint)


def read_owner(path: Path) -> Owner | None:
    """Read a record.

    Returns
    -------
    Owner or None
        The owner; None if the file does not exist or is not a record.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        return Owner(
            host=str(content["host"]),
            pid=int(content["pid"]),
            started=float(content["started"]),
            booted=float(content["booted"]),
            fingerprint=str(content.get("fingerprint", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


@cache
def _host() -> str:
    name = platform.node() or "localhost"
    if sys.platform != "linux":
        return name
    try:
        return f"{name} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return name
