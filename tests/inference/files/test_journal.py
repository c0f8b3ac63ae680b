"""The journal tells finished results from outdated ones, from changed ones, and from files of others."""

import json
import os

import pytest

from napari_sr.errors import InputError
from napari_sr.inference.files.inputs import JOURNAL
from napari_sr.inference.files.journal import Journal, stamp_of


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.tif"
    path.write_bytes(b"pixels")
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def finish(journal, out, source, job="job", content=b"result", *, rename=True):
    """Write a result as a run does: it is added to the journal before it gets its name."""
    temporary = out.with_name(f".{out.name}.part")
    temporary.write_bytes(content)
    journal.add(out, temporary, source, stamp_of(source), job)
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
