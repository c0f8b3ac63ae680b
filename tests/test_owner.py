"""A process is recognized by its computer, its number and its start."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from napari_sr import owner
from napari_sr.owner import read_owner, this_process


def ended_process():
    """The record of a process that has ended."""
    process = subprocess.run(
        [sys.executable, "-c", "from napari_sr.owner import this_process; print(this_process().to_json())"],
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout


def test_a_record_is_read_as_it_was_written(tmp_path):
    own = this_process("3f")
    (tmp_path / "owner").write_text(own.to_json())
    assert read_owner(tmp_path / "owner") == own
    assert own.pid == os.getpid()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"host": "a", "pid": "x", "started": 0, "booted": 0}'])
def test_what_is_no_record_has_no_owner(tmp_path, text):
    (tmp_path / "owner").write_text(text)
    assert read_owner(tmp_path / "owner") is None
    assert read_owner(tmp_path / "missing") is None


def test_this_process_runs_and_one_that_has_ended_is_gone(tmp_path):
    assert not this_process().is_gone
    (tmp_path / "owner").write_text(ended_process())
    assert read_owner(tmp_path / "owner").is_gone


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such state")
def test_a_process_that_has_ended_without_the_notice_of_its_parent_is_gone():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    child = psutil.Process(process.pid)
    record = replace(this_process(), pid=process.pid, started=child.create_time())
    while child.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert record.is_gone
    process.wait()


def test_a_number_that_another_process_has_now_is_of_a_process_that_is_gone():
    earlier = replace(this_process(), started=this_process().started - 3600)
    assert earlier.is_gone


def test_a_changed_clock_does_not_make_a_running_process_appear_gone(monkeypatch):
    own = this_process()
    create, boot = psutil.Process.create_time, psutil.boot_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: create(process) + 3600)
    monkeypatch.setattr(psutil, "boot_time", lambda: boot() + 3600)
    assert not own.is_gone


def test_processes_of_other_computers_and_those_that_may_not_be_seen_are_not_gone(monkeypatch):
    assert not replace(this_process(), host="other", pid=2**30).is_gone

    def denied(number):
        raise psutil.AccessDenied

    own = this_process()
    monkeypatch.setattr(psutil, "Process", denied)
    assert not own.is_gone


def test_a_container_is_a_computer_of_its_own(monkeypatch):
    owner._host.cache_clear()
    own = this_process()
    monkeypatch.setattr(Path, "readlink", lambda path: "pid:[1]")
    monkeypatch.setattr(sys, "platform", "linux")
    owner._host.cache_clear()
    assert this_process().host != own.host
    owner._host.cache_clear()


def test_a_message_names_the_process_its_computer_and_its_start():
    text = this_process().describe()
    assert text.startswith(f"process {os.getpid()} on ")
    assert "pid:[" not in text
    assert ", started on 20" in text
