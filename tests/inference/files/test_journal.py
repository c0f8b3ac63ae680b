"""The journal tells finished results from outdated ones, from changed ones, and from files of others."""

import json
import os

import pytest

from napari_sr.errors import InputError
from napari_sr.inference.files.inputs import JOURNAL
from napari_sr.inference.files.journal import Journal
from napari_sr.inference.stamp import stamp_of_image


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.tif"
    path.write_bytes(b"pixels")
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def finish(journal, out, source, job="job", content=b"result", *, rename=True, partners=()):
    """Write a result as a run does: it is added to the journal before it gets its name."""
    temporary = out.with_name(f".{out.name}.part")
    temporary.write_bytes(content)
    journal.add(out, temporary, source, stamp_of_image(source, partners), job, partners)
    if rename:
        temporary.replace(out)


def touch(path, seconds=10):
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + seconds * 10**9))


def test_a_result_is_finished_for_its_image_and_its_job_only(folder, source):
    out = folder / "w1" / "in.tif"
    out.parent.mkdir()
    assert Journal(folder).status(out, source, "job") == "absent"
    finish(Journal(folder), out, source)
    assert Journal(folder).status(out, source, "job") == "finished"
    assert Journal(folder).status(out, source, "other") == "outdated"
    touch(source)
    assert Journal(folder).status(out, source, "job") == "outdated"
    out.unlink()
    assert Journal(folder).status(out, source, "job") == "absent"


def store_at(path):
    """The files of a store of Zarr 3 with two chunks."""
    (path / "0" / "c").mkdir(parents=True)
    for name in ("zarr.json", "0/zarr.json", "0/c/0", "0/c/1"):
        (path / name).write_bytes(b"content")
    return path


@pytest.mark.parametrize("change", ["rewritten", "older", "added", "deleted"])
def test_a_result_is_outdated_when_any_file_of_a_store_has_changed(folder, tmp_path, change):
    source, out = store_at(tmp_path / "in.zarr"), folder / "in.tif"
    finish(Journal(folder), out, source)
    assert Journal(folder).status(out, source, "job") == "finished"
    chunk = source / "0" / "c" / "0"
    if change == "deleted":
        chunk.unlink()
    elif change == "added":
        (source / "0" / "c" / "2").write_bytes(b"content")
    else:
        touch(chunk, 10 if change == "rewritten" else -10)
    assert Journal(folder).status(out, source, "job") == "outdated"


def test_a_file_of_the_file_manager_does_not_change_a_store(folder, tmp_path):
    source, out = store_at(tmp_path / "in.zarr"), folder / "in.tif"
    finish(Journal(folder), out, source)
    (source / "0" / ".DS_Store").write_bytes(b"icons")
    assert Journal(folder).status(out, source, "job") == "finished"
    (source / ".zattrs").write_text("{}")
    assert Journal(folder).status(out, source, "job") == "outdated"


def test_a_result_of_a_store_that_an_earlier_version_finished_is_outdated(folder, tmp_path):
    source, out = store_at(tmp_path / "in.zarr"), folder / "in.tif"
    finish(Journal(folder), out, source)
    path = folder / JOURNAL
    header, line = map(json.loads, path.read_text().splitlines())
    found = (source / "zarr.json").stat()
    line["source"] = {"size": found.st_size, "modified": found.st_mtime_ns}
    del line["partners"]
    path.write_text(json.dumps(header) + "\n" + json.dumps(line) + "\n")
    assert Journal(folder).status(out, source, "job") == "outdated"


def test_a_result_is_outdated_when_another_file_of_its_image_has_changed_or_is_missing(folder, source):
    partner, out = source.with_name("b.tif"), folder / "in.tif"
    partner.write_bytes(b"other pixels")
    finish(Journal(folder), out, source, partners=("b.tif",))
    assert Journal(folder).status(out, source, "job") == "finished"
    touch(partner)
    assert Journal(folder).status(out, source, "job") == "outdated"
    partner.unlink()
    assert Journal(folder).status(out, source, "job") == "outdated"


def test_a_store_that_cannot_be_listed_is_outdated(folder, tmp_path, monkeypatch):
    source, out = store_at(tmp_path / "in.zarr"), folder / "in.tif"
    finish(Journal(folder), out, source)

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert Journal(folder).status(out, source, "job") == "outdated"


def test_a_file_that_no_run_has_written_is_foreign(folder, source):
    out = folder / "in.tif"
    out.write_bytes(b"precious")
    assert Journal(folder).status(out, source, "job") == "foreign"
    finish(Journal(folder), folder / "other.tif", source)
    assert Journal(folder).status(out, source, "job") == "foreign"


def test_a_result_that_was_changed_is_told_from_a_finished_one(folder, source):
    out = folder / "in.tif"
    finish(Journal(folder), out, source)
    touch(out)
    assert Journal(folder).status(out, source, "job") == "changed"
    # It would be overwritten for another job.
    assert Journal(folder).status(out, source, "other") == "foreign"


def test_a_run_that_was_killed_before_the_new_result_got_its_name_has_left_an_outdated_one(folder, source):
    out = folder / "in.tif"
    finish(Journal(folder), out, source, "old")
    finish(Journal(folder), out, source, "new", b"new result", rename=False)
    assert Journal(folder).status(out, source, "new") == "outdated"
    assert Journal(folder).status(out, source, "old") == "finished"


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_was_cut_off_is_ignored_and_those_after_it_are_not(folder, source, cut):
    finish(Journal(folder), folder / "a.tif", source)
    finish(Journal(folder), folder / "b.tif", source)
    path = folder / JOURNAL
    path.write_bytes(path.read_bytes()[:-cut])
    journal = Journal(folder)
    assert journal.status(folder / "a.tif", source, "job") == "finished"
    # Without its line break the line is complete.
    assert journal.status(folder / "b.tif", source, "job") == ("finished" if cut == 1 else "foreign")
    finish(journal, folder / "c.tif", source)
    assert Journal(folder).status(folder / "c.tif", source, "job") == "finished"


def test_a_journal_that_was_cut_off_in_its_first_line_begins_again(folder, source):
    finish(Journal(folder), folder / "a.tif", source)
    path = folder / JOURNAL
    path.write_bytes(path.read_bytes()[:7])
    finish(Journal(folder), folder / "b.tif", source)
    assert Journal(folder).status(folder / "b.tif", source, "job") == "finished"


def test_two_runs_may_write_into_one_folder(folder, source):
    first, second = Journal(folder), Journal(folder)
    finish(first, folder / "a.tif", source)
    finish(second, folder / "b.tif", source)
    finish(first, folder / "c.tif", source)
    assert {Journal(folder).status(folder / f"{n}.tif", source, "job") for n in "abc"} == {"finished"}


@pytest.mark.parametrize("content", ["thesis\n", "{}\n", '{"journal": "napari-sr", "version": 2}\n', "\xff\n[\n"])
def test_a_file_that_is_not_a_journal_is_refused_and_unchanged(folder, content):
    (folder / JOURNAL).write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match="is not a journal of this version"):
        Journal(folder)
    assert (folder / JOURNAL).read_text(encoding="latin-1") == content


def test_damaged_lines_are_ignored(folder, source):
    finish(Journal(folder), folder / "a.tif", source)
    with (folder / JOURNAL).open("a") as file:
        file.write('[1]\n{"output": 3}\nnull\n' + json.dumps({"output": "b.tif", "source": {"size": "x"}}) + "\n")
    assert Journal(folder).status(folder / "a.tif", source, "job") == "finished"
