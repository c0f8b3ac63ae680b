"""One training at a time writes into the folder of a run."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from napari_sr.errors import InputError
from napari_sr.owner import read_owner, this_process
from napari_sr.training import Training, run_lock
from napari_sr.training.run_lock import NAME, locked_folder

#: Locks a folder, prints a line, and waits.
HOLD = """
import sys, time
from pathlib import Path
from napari_sr.training import run_lock
from napari_sr.training.run_lock import locked_folder

with locked_folder(Path(sys.argv[1])):
    Path(sys.argv[1], ".last.pt.0123.owner").write_text(Path(sys.argv[1], "lock.json").read_text())
    Path(sys.argv[1], ".last.pt.0123.part").touch()
    print("locked", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_a_lock_is_a_record_of_the_process_and_is_removed_at_the_end(tmp_path):
    run = tmp_path / "runs" / "new"
    with locked_folder(run, "3f"):
        assert read_owner(run / NAME) == this_process("3f")
    assert list(run.iterdir()) == []
    with pytest.raises(ZeroDivisionError):
        with locked_folder(run):
            raise ZeroDivisionError
    assert list(run.iterdir()) == []


def test_a_lock_that_a_full_disk_does_not_take_is_no_lock(tmp_path, monkeypatch):
    class Unwritten:
        def to_json(self):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_lock, "this_process", lambda fingerprint: Unwritten())
    with pytest.raises(InputError, match="No space left on device"):
        with locked_folder(tmp_path):
            raise AssertionError("a folder without a lock")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_another_process_uses_is_refused_with_its_number(tmp_path, holder):
    with pytest.raises(InputError, match=rf"used by another training \(process {holder.pid} on .*wait until"):
        with locked_folder(tmp_path):
            raise AssertionError("two trainings in one folder")
    assert read_owner(tmp_path / NAME).pid == holder.pid


def test_the_lock_of_a_killed_process_is_taken_over_and_its_left_overs_are_deleted(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert len(list(tmp_path.iterdir())) == 3
    with locked_folder(tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {NAME, ".lock.guard"}
    assert list(tmp_path.iterdir()) == []


def test_a_lock_of_another_computer_is_refused_with_the_file_to_remove(tmp_path):
    lock = tmp_path / NAME
    lock.write_text(replace(this_process(), host="cluster-7").to_json())
    with pytest.raises(InputError, match=r"on cluster-7, .*remove .*lock\.json if that training has ended"):
        with locked_folder(tmp_path):
            raise AssertionError("two trainings in one folder")
    assert lock.exists()


@pytest.mark.parametrize("seconds", [-60, 3600], ids=["old", "written before the clock was set back"])
def test_a_lock_without_content_is_refused_while_it_may_be_being_written(tmp_path, seconds):
    lock = tmp_path / NAME
    lock.touch()
    with pytest.raises(InputError, match="has just started"):
        with locked_folder(tmp_path):
            raise AssertionError("two trainings in one folder")
    os.utime(lock, (time.time() + seconds,) * 2)
    with locked_folder(tmp_path):
        assert json.loads(lock.read_text())["pid"] == os.getpid()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be used for the run"):
        with locked_folder(tmp_path / "file" / "run"):
            raise AssertionError("no folder")


def test_a_lock_that_cannot_be_removed_hides_no_error_and_is_taken_over(tmp_path, monkeypatch, caplog):
    def unlink(path, missing_ok=False):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as read_only:
        read_only.setattr(Path, "unlink", unlink)
        with pytest.raises(InputError, match="the checkpoint"):
            with locked_folder(tmp_path):
                raise InputError("No room for the checkpoint.")
    assert (tmp_path / NAME).exists()
    assert "lock.json cannot be removed (Read-only file system): its training has ended." in caplog.text
    with locked_folder(tmp_path):
        with pytest.raises(InputError, match="used by another training"):
            with locked_folder(tmp_path):
                raise AssertionError("two trainings")
    assert list(tmp_path.iterdir()) == []


def test_of_many_threads_that_find_the_lock_of_a_killed_process_one_takes_it_over(tmp_path):
    gone = replace(this_process(), started=this_process().started - 3600)
    for _ in range(40):
        (tmp_path / NAME).write_text(gone.to_json())
        entered, refused, start, tried = [], [], threading.Barrier(8), threading.Semaphore(0)

        def enter(start=start, tried=tried, entered=entered, refused=refused):
            start.wait()
            try:
                with locked_folder(tmp_path):
                    entered.append(threading.get_ident())
                    for _ in range(7):
                        tried.acquire(timeout=2)
            except InputError:
                refused.append(threading.get_ident())
                tried.release()

        threads = [threading.Thread(target=enter) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(entered), len(refused)) == (1, 7)
        assert list(tmp_path.iterdir()) == []


def test_a_lock_is_not_taken_away_while_another_process_does_so(tmp_path):
    gone = replace(this_process(), started=this_process().started - 3600)
    (tmp_path / NAME).write_text(gone.to_json())
    with FileLock(tmp_path / ".lock.guard"):
        thread = threading.Thread(target=run_lock._take_away, args=(tmp_path / NAME, gone))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        (tmp_path / NAME).write_text(this_process().to_json())
    thread.join()
    assert read_owner(tmp_path / NAME) == this_process()


def test_two_trainings_in_one_folder_are_one_training_and_a_sentence(tmp_path, tiny, textured):
    errors = []

    def start_another(event):
        if not errors:
            with pytest.raises(InputError) as raised:
                Training(tiny, [textured()], folder=tmp_path / "run", device="cpu").run()
            errors.append(str(raised.value))

    first = Training(tiny, [textured()], folder=tmp_path / "run", device="cpu", on_event=start_another)
    assert first.run().finished
    assert f"used by another training (process {os.getpid()}" in errors[0]
    assert not (tmp_path / "run" / NAME).exists()
