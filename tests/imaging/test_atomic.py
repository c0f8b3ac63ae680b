"""Files and folders are written completely or not at all, also if the process is killed."""

import errno
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from napari_sr.errors import Cancelled
from napari_sr.imaging import atomic
from napari_sr.imaging.atomic import (
    OLD,
    OWNER,
    PART,
    atomic_file,
    atomic_folder,
    clear_abandoned,
    delete_own,
    restore_interrupted,
    scratch_folder,
    temporary_name,
    write_file,
)
from napari_sr.owner import read_owner, this_process

#: Replaces the folder of the first argument; the process ends before the second argument's call of rename or rmtree.
REPLACE = """
import os, shutil, sys
from pathlib import Path
from napari_sr.imaging.atomic import OLD, PART, atomic_folder

path, moment = Path(sys.argv[1]), sys.argv[2]
rename, rmtree = Path.rename, shutil.rmtree

def stopping_rename(source, target):
    if (moment == "first rename" and source == path) or (moment == "second rename" and source.name.endswith(PART)):
        os._exit(9)
    return rename(source, target)

def stopping_rmtree(folder, *arguments, **options):
    if moment == "deletion" and Path(folder).name.endswith(OLD):
        os._exit(9)
    return rmtree(folder, *arguments, **options)

Path.rename, shutil.rmtree = stopping_rename, stopping_rmtree
with atomic_folder(path, overwrite=True) as folder:
    folder.mkdir()
    (folder / "content").write_text("new")
"""


def make(path: Path, content: str = "old") -> Path:
    path.mkdir()
    (path / "content").write_text(content)
    return path


def content(path: Path) -> str:
    return (path / "content").read_text()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def replace_and_die(path: Path, moment: str) -> None:
    """Replace a folder in a process that ends at a moment without any cleanup, as if it was killed."""
    ended = subprocess.run([sys.executable, "-c", REPLACE, str(path), moment], env={**os.environ}, check=False)
    assert ended.returncode == 9


# Files


@pytest.mark.parametrize(("given", "expected"), [("µ\n", "µ\n".encode()), (b"\x00\xff", b"\x00\xff")])
def test_a_file_is_written(tmp_path, given, expected):
    write_file(tmp_path / "file", given)
    assert (tmp_path / "file").read_bytes() == expected
    assert names(tmp_path) == ["file"]


def test_a_file_is_written_and_flushed_to_the_disk(tmp_path):
    with atomic_file(tmp_path / "file", durable=True) as temporary:
        temporary.write_bytes(b"content")
    assert (tmp_path / "file").read_bytes() == b"content"
    assert names(tmp_path) == ["file"]


def test_a_file_is_replaced_only_with_overwrite(tmp_path):
    path = tmp_path / "file"
    write_file(path, "old")
    with pytest.raises(FileExistsError, match="exists already"):
        write_file(path, "new", overwrite=False)
    assert path.read_text() == "old"
    write_file(path, "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file"]


def test_of_several_files_that_get_one_name_at_once_one_is_written_and_none_replaced(tmp_path):
    together = Barrier(3)

    def write(number: int) -> list[bool]:
        written = []
        for file in range(100):
            together.wait(10)
            try:
                write_file(tmp_path / f"{file}", str(number), overwrite=False)
            except FileExistsError:
                written.append(False)
            else:
                written.append(True)
        return written

    with ThreadPoolExecutor(3) as threads:
        written = list(threads.map(write, range(3)))
    assert [sum(each) for each in zip(*written, strict=True)] == [1] * 100
    for file, each in enumerate(zip(*written, strict=True)):
        assert (tmp_path / f"{file}").read_text() == str(each.index(True))
    assert len(names(tmp_path)) == 100


def test_where_files_cannot_be_linked_an_existing_one_is_not_replaced_either(tmp_path, monkeypatch):
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    write_file(tmp_path / "file", "old", overwrite=False)
    with pytest.raises(FileExistsError, match="exists already"):
        write_file(tmp_path / "file", "new", overwrite=False)
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="other systems have no permissions of groups")
@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(mode)
    write_file(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == mode


def test_after_an_error_the_old_file_is_unchanged(tmp_path):
    path = tmp_path / "file"
    write_file(path, "old")
    with pytest.raises(KeyboardInterrupt):
        with atomic_file(path) as temporary:
            temporary.write_text("half of the n")
            assert path.read_text() == "old"
            raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_file_in_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(OSError):
        write_file(tmp_path / "missing" / "file", "new")
    assert names(tmp_path) == []


# Folders


def test_a_folder_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "folder"
    with atomic_folder(path) as temporary:
        make(temporary, "new")
        assert not path.exists()
        assert temporary.name.startswith(".folder.")
        assert temporary.name.endswith(PART)
    assert content(path) == "new"
    assert names(tmp_path) == ["folder"]


def test_a_folder_is_replaced_only_with_overwrite(tmp_path):
    path = make(tmp_path / "folder")
    with pytest.raises(FileExistsError, match="exists already"):
        with atomic_folder(path):
            raise AssertionError("nothing is to be written")
    assert content(path) == "old"
    with atomic_folder(path, overwrite=True) as temporary:
        make(temporary, "new")
        assert content(path) == "old"
    assert content(path) == "new"
    assert names(tmp_path) == ["folder"]


def test_a_folder_that_is_made_meanwhile_is_replaced_only_with_overwrite(tmp_path):
    path = tmp_path / "folder"
    with pytest.raises(FileExistsError, match="exists already"):
        with atomic_folder(path) as temporary:
            make(temporary, "new")
            make(path)
    assert content(path) == "old"
    assert names(tmp_path) == ["folder"]


def test_after_an_error_the_old_folder_is_unchanged(tmp_path):
    path = make(tmp_path / "folder")
    with pytest.raises(KeyboardInterrupt):
        with atomic_folder(path, overwrite=True) as temporary:
            make(temporary, "half of the n")
            raise KeyboardInterrupt
    assert content(path) == "old"
    assert names(tmp_path) == ["folder"]


def test_a_failed_rename_restores_the_old_folder_at_once(tmp_path, monkeypatch):
    path = make(tmp_path / "folder")
    rename = Path.rename

    def failing(source, target):
        if source.name.endswith(PART):
            raise PermissionError("not shown")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(PermissionError):
        with atomic_folder(path, overwrite=True) as temporary:
            make(temporary, "new")
    assert content(path) == "old"
    assert names(tmp_path) == ["folder"]


def test_a_process_that_dies_before_the_first_rename_leaves_the_old_folder(tmp_path):
    path = make(tmp_path / "folder")
    replace_and_die(path, "first rename")
    assert content(path) == "old"
    restore_interrupted(path)
    assert content(path) == "old"


@pytest.mark.parametrize("name", ["folder", "cells [1].ome.zarr"])
def test_a_folder_is_restored_after_a_process_died_between_the_renames(tmp_path, name):
    path = make(tmp_path / name)
    neighbor = make(tmp_path / f"{name}.zarr")
    replace_and_die(path, "second rename")
    assert not path.exists()
    restore_interrupted(path)
    assert content(path) == "old"
    assert content(neighbor) == "old"
    assert not [entry for entry in names(tmp_path) if entry.endswith(OLD)]


def test_the_next_replacement_restores_the_old_folder_first(tmp_path):
    path = make(tmp_path / "folder")
    replace_and_die(path, "second rename")
    with pytest.raises(FileExistsError):
        with atomic_folder(path):
            raise AssertionError("nothing is to be written")
    assert content(path) == "old"
    with pytest.raises(ZeroDivisionError):
        with atomic_folder(path, overwrite=True):
            raise ZeroDivisionError
    assert content(path) == "old"


def test_the_old_folder_is_deleted_after_a_process_died_before_the_deletion(tmp_path):
    path = make(tmp_path / "folder")
    replace_and_die(path, "deletion")
    assert content(path) == "new"
    assert [Path(name).suffix for name in names(tmp_path)] == [OLD, OWNER, ""]
    restore_interrupted(path)
    assert content(path) == "new"
    assert names(tmp_path) == ["folder"]


def test_an_uninterrupted_replacement_ends_normally(tmp_path):
    """The process of the tests above does not die by itself."""
    path = make(tmp_path / "folder")
    ended = subprocess.run([sys.executable, "-c", REPLACE, str(path), "never"], check=False)
    assert ended.returncode == 0
    assert content(path) == "new"
    assert names(tmp_path) == ["folder"]


def test_nothing_to_restore_is_no_error(tmp_path):
    restore_interrupted(tmp_path / "missing")
    restore_interrupted(tmp_path / "no folder" / "missing")
    assert names(tmp_path) == []


# Left-overs of processes that were killed

#: Writes a file and a folder, prints the number of the process when it is in the middle of both, and waits.
WAIT = """
import os, sys, time
from pathlib import Path
from napari_sr.imaging.atomic import atomic_file, atomic_folder

folder = Path(sys.argv[1])
with atomic_file(folder / "file") as file, atomic_folder(folder / "store") as store:
    file.write_text("half")
    store.mkdir()
    (store / "content").write_text("half")
    print(os.getpid(), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def writer(tmp_path):
    """A process in the middle of writing a file and a folder."""
    process = subprocess.Popen([sys.executable, "-c", WAIT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def kill(process):
    process.kill()
    process.wait()


def suffixes(folder):
    return sorted(Path(name).suffix for name in names(folder))


def test_each_temporary_path_has_a_record_of_its_process(tmp_path):
    with atomic_file(tmp_path / "file") as file, atomic_folder(tmp_path / "store") as store:
        assert read_owner(file.with_suffix(OWNER)) == this_process()
        assert read_owner(store.with_suffix(OWNER)) == this_process()
        file.touch()
        store.mkdir()
    assert names(tmp_path) == ["file", "store"]


def test_files_of_a_killed_process_are_deleted_and_those_of_a_running_one_are_not(tmp_path, writer):
    write_file(tmp_path / "other", "content")
    assert clear_abandoned(tmp_path) == []
    assert suffixes(tmp_path) == ["", OWNER, OWNER, PART, PART]
    kill(writer)
    assert sorted(path.name.split(".")[1] for path in clear_abandoned(tmp_path)) == ["file", "store"]
    assert names(tmp_path) == ["other"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_next_process_that_writes_in_a_folder_deletes_them(tmp_path, writer, kind):
    kill(writer)
    program = f"""
from pathlib import Path
from napari_sr.imaging.atomic import atomic_{kind}
with atomic_{kind}(Path({str(tmp_path)!r}) / "next") as path:
    path.touch()
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert names(tmp_path) == ["next"]


def test_files_of_other_computers_and_without_a_record_are_kept(tmp_path, writer):
    kill(writer)
    (tmp_path / ".file.0123.part").touch()
    for record in tmp_path.glob(f".*{OWNER}"):
        record.write_text(replace(read_owner(record), host="other").to_json())
    before = names(tmp_path)
    assert clear_abandoned(tmp_path) == []
    assert names(tmp_path) == before


def test_an_empty_record_is_deleted_when_it_is_no_longer_being_written(tmp_path):
    record = temporary_name(tmp_path / "file").with_suffix(OWNER)
    record.touch()
    clear_abandoned(tmp_path)
    assert record.exists()
    os.utime(record, (time.time() - 60,) * 2)
    clear_abandoned(tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(("moment", "expected"), [("second rename", "old"), ("deletion", "new")])
def test_an_interrupted_replacement_is_resolved_when_another_file_of_the_folder_is_written(tmp_path, moment, expected):
    path = make(tmp_path / "folder")
    replace_and_die(path, moment)
    clear_abandoned(tmp_path)
    assert names(tmp_path) == ["folder"]
    assert content(path) == expected


def test_a_replacement_by_a_running_process_is_not_restored(tmp_path):
    path = tmp_path / "folder"
    old = make(temporary_name(path).with_suffix(OLD))
    old.with_suffix(OWNER).write_text(this_process().to_json())
    restore_interrupted(path)
    assert not path.exists()
    assert old.exists()


def test_own_temporary_paths_can_be_deleted_before_the_process_ends(tmp_path):
    with pytest.raises(OSError):
        with atomic_file(tmp_path / "file") as file, atomic_folder(tmp_path / "store") as store:
            file.touch()
            make(store)
            assert {path.suffix for path in delete_own()} == {PART}
            assert names(tmp_path) == []
            raise OSError("as after a signal")
    assert names(tmp_path) == []
    assert delete_own() == []


@pytest.fixture
def undeletable(monkeypatch):
    """Folders cannot be deleted, as where another program has a file in them open."""

    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(atomic, "_ATTEMPTS", 2)
    with monkeypatch.context() as patch:
        patch.setattr(atomic.shutil, "rmtree", refuse)
        yield patch


def test_nothing_is_said_to_be_left_on_a_read_only_disk(tmp_path, monkeypatch, caplog):
    def refuse(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    for name in ("write_text", "unlink"):
        monkeypatch.setattr(Path, name, refuse)
    with pytest.raises(OSError, match="Read-only file system"):
        write_file(tmp_path / "file", "content")
    assert caplog.text == ""


def test_an_error_is_not_hidden_by_what_cannot_be_deleted_after_it(tmp_path, undeletable, caplog):
    with pytest.raises(Cancelled, match="stopped"):
        with atomic_folder(tmp_path / "store") as store:
            make(store)
            raise Cancelled("The work was stopped.")
    assert suffixes(tmp_path) == [OWNER, PART]
    assert "cannot be deleted now (Permission denied)" in caplog.text
    # The record is left beside it, by which it is deleted later.
    undeletable.undo()
    assert delete_own() == [store]
    assert names(tmp_path) == []


def test_a_result_is_complete_although_temporary_files_cannot_be_deleted(tmp_path, undeletable, caplog):
    path = make(tmp_path / "store")
    with atomic_folder(path, overwrite=True) as store:
        make(store, "new")
    with scratch_folder(tmp_path / "large.tif") as folder:
        (folder / "pixels").touch()
    assert content(path) == "new"
    assert suffixes(tmp_path) == ["", OLD, OWNER, PART]
    undeletable.undo()
    restore_interrupted(path)
    assert delete_own() == [folder]
    assert names(tmp_path) == ["store"]


def test_a_folder_that_is_missing_has_nothing_to_delete(tmp_path):
    assert clear_abandoned(tmp_path / "missing") == []


def test_a_scratch_folder_is_deleted_at_the_end_and_by_the_next_process_after_a_kill(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch_folder() as folder:
        (folder / "file").touch()
        assert folder.parent == tmp_path
    assert names(tmp_path) == []
    program = (
        "import os\nfrom napari_sr.imaging.atomic import scratch_folder\nwith scratch_folder() as path:\n os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    assert suffixes(tmp_path) == [OWNER, PART]
    with scratch_folder():
        assert suffixes(tmp_path) == [OWNER, PART]
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["x" * 240 + ".tif", "µ" * 120 + ".tif"])
def test_names_may_be_as_long_as_the_file_system_allows(tmp_path, name):
    write_file(tmp_path / name, "content")
    assert names(tmp_path) == [name]
    for _ in range(2):
        with atomic_folder(tmp_path / f"{name[:-4]}.dir", overwrite=True) as folder:
            folder.mkdir()
    old = temporary_name(tmp_path / name).with_suffix(OLD)
    (tmp_path / name).rename(old)
    restore_interrupted(tmp_path / name)
    assert names(tmp_path) == sorted([name, f"{name[:-4]}.dir"])


# Full disks


@pytest.mark.parametrize("kind", [atomic_file, atomic_folder])
def test_an_error_of_the_disk_names_the_path_and_the_cause(tmp_path, kind, monkeypatch):
    path = tmp_path / "result"
    with pytest.raises(OSError) as raised:
        with kind(path) as temporary:
            raise OSError(errno.ENOSPC, "No space left on device", str(temporary / "0"))
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(path))
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [OSError("435600 requested and 204464 written"), RuntimeError("file write failed")])
def test_the_cause_of_an_error_that_does_not_name_it_is_the_full_disk(tmp_path, error, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left on device") as raised:
        with atomic_file(tmp_path / "result") as temporary:
            temporary.touch()
            monkeypatch.setattr(os, "fsync", full)
            raise error
    assert raised.value.filename == str(tmp_path / "result")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "error", [OSError("not of the disk"), OSError(errno.ENOENT, "missing", "in.tif"), RuntimeError()]
)
def test_other_errors_are_not_taken_for_errors_of_the_disk(tmp_path, error):
    with pytest.raises(type(error)) as raised:
        with atomic_file(tmp_path / "result") as temporary:
            temporary.touch()
            raise error
    assert raised.value is error


# Unfinished folders that are continued

#: Begins the folder "store" with the fingerprint of the second argument, and ends without cleaning up.
BEGIN = """
import os, sys
from pathlib import Path
from napari_sr.imaging.atomic import atomic_folder

with atomic_folder(Path(sys.argv[1]) / "store", fingerprint=sys.argv[2]) as store:
    store.mkdir()
    (store / "content").write_text("half")
    os._exit(0)
"""


def begin(folder, fingerprint):
    subprocess.run([sys.executable, "-c", BEGIN, str(folder), fingerprint], check=True)


def test_an_unfinished_folder_with_the_same_fingerprint_is_continued(tmp_path):
    begin(tmp_path, "a")
    with atomic_folder(tmp_path / "store", fingerprint="a") as store:
        assert content(store) == "half"
        assert read_owner(store.with_suffix(OWNER)) == this_process("a")
        (store / "content").write_text("whole")
    assert names(tmp_path) == ["store"]
    assert content(tmp_path / "store") == "whole"


def test_one_with_another_fingerprint_is_deleted_with_a_warning(tmp_path, caplog):
    begin(tmp_path, "a")
    with atomic_folder(tmp_path / "store", fingerprint="b") as store:
        assert names(tmp_path) == [store.with_suffix(OWNER).name]
        make(store, "new")
    assert "another image, model or settings" in caplog.text
    assert names(tmp_path) == ["store"]


def test_one_of_a_running_process_is_left_to_it(tmp_path):
    with atomic_folder(tmp_path / "store", fingerprint="a") as store:
        make(store, "first")
        with atomic_folder(tmp_path / "store", fingerprint="a") as other:
            assert other != store
            make(other, "second")
        assert content(store) == "first"
        (tmp_path / "store" / "content").unlink()
        (tmp_path / "store").rmdir()
    assert content(tmp_path / "store") == "first"


def test_after_an_error_a_continued_folder_is_deleted(tmp_path):
    begin(tmp_path, "a")
    with pytest.raises(ValueError, match="wrong"), atomic_folder(tmp_path / "store", fingerprint="a"):
        raise ValueError("wrong")
    assert names(tmp_path) == []


def test_of_two_processes_that_continue_a_folder_one_has_it(tmp_path):
    begin(tmp_path, "a")
    program = BEGIN.replace("    store.mkdir()\n", "").replace(
        '    (store / "content").write_text("half")\n',
        "    print(store.exists(), flush=True)\n    sys.stdin.read()\n",
    )
    call = [sys.executable, "-c", program, str(tmp_path), "a"]
    processes = [subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        assert sorted(process.stdout.readline().strip() for process in processes) == ["False", "False", "True"]
    finally:
        for process in processes:
            process.communicate("")


def test_a_replacement_that_was_interrupted_is_restored_though_it_could_be_continued(tmp_path):
    make(tmp_path / "store")
    new = temporary_name(tmp_path / "store")
    make(new, "new")
    record = replace(this_process("a"), pid=2**22 + 1)
    new.with_suffix(OWNER).write_text(record.to_json())
    (tmp_path / "store").rename(new.with_suffix(OLD))
    clear_abandoned(tmp_path)
    assert names(tmp_path) == ["store"]
    assert content(tmp_path / "store") == "old"
