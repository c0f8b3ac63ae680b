"""Files and folders are written completely or not at all, also if the process is killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_sr.imaging.atomic import OLD, PART, atomic_file, atomic_folder, restore_interrupted, write_file

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


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize(("given", "expected"), [("µ\n", "µ\n".encode()), (b"\x00\xff", b"\x00\xff")])
def test_a_file_is_written(tmp_path, given, expected, durable):
    write_file(tmp_path / "file", given, durable=durable)
    assert (tmp_path / "file").read_bytes() == expected
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
    assert len(names(tmp_path)) == 2
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
