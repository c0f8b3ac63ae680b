"""`napari-sr upscale` of several images ends with a table, and with status 1 if one of them failed."""

import csv
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_sr as sr
from napari_sr.cli import app
from napari_sr.cli.signals import signals
from napari_sr.inference.files.inputs import JOURNAL
from napari_sr.inference.run.work import Work

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def plate(tmp_path, monkeypatch):
    """A working directory with a folder of three images, and one more file that is none."""
    monkeypatch.chdir(tmp_path)
    Path("plate/w1").mkdir(parents=True)
    for name in ("plate/a.tif", "plate/w1/b.ome.tif", "plate/w1/c.png"):
        sr.write_image(name, RNG.integers(0, 256, (9, 8), np.uint8))
    Path("plate/notes.txt").write_text("no image")


def upscale(*arguments, status=0, model="srcnn-x2"):
    given = ["upscale", *map(str, arguments), "-m", model, "--device", "cpu"]
    result = CliRunner().invoke(app, given, prog_name="napari-sr")
    assert result.exit_code == status, (result.exit_code, result.output, result.exception)
    return result


def written(folder="out"):
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file() and path.name != JOURNAL)
    return [path.relative_to(folder).as_posix() for path in paths]


def rows(text):
    """First cells and states of a table."""
    return [tuple(line.split()[:2]) for line in text.splitlines() if "plate" in line.split()[0]]


def test_a_folder_is_upscaled_into_a_folder_with_a_table_at_the_end():
    result = upscale("plate", "out")
    assert rows(result.stdout.replace("\\", "/")) == [
        ("plate/a.tif", "done"),
        ("plate/w1/b.ome.tif", "done"),
        ("plate/w1/c.png", "done"),
    ]
    assert result.stdout.splitlines()[-1] == "3 done."
    assert result.stderr == ""
    assert written() == ["a.tif", "w1/b.ome.tif", "w1/c.png"]
    alone = sr.upscale(sr.read_image("plate/w1/c.png"), "srcnn-x2", device="cpu")
    assert np.array_equal(sr.read_image("out/w1/c.png").data, alone)
    assert upscale("plate", "out").stdout.splitlines()[-1] == "3 skipped."


def test_a_quoted_pattern_and_several_files_are_upscaled_into_a_folder():
    upscale("plate/**/*.tif", "pattern", "--format", "ome.tif")
    assert written("pattern") == ["a.ome.tif", "w1/b.ome.tif"]
    upscale("plate/a.tif", "plate/w1/c.png", "files", "--format", ".zarr", "-q")
    assert sr.read_image("files/c.zarr").data.shape == (18, 16)


def test_one_bad_image_gives_status_1_and_the_others_are_done():
    Path("plate/bad.tif").write_text("no image")
    result = upscale("plate", "out", status=1)
    assert result.stdout.splitlines()[-1] == "3 done, 1 failed."
    bad = Path("plate/bad.tif")
    assert result.stderr.startswith(f"napari-sr: 1 of 4 images failed, the first of them {bad}: The file {bad} cannot")
    assert len(result.stderr.splitlines()) == 1
    quiet = upscale("plate", "out", "-q", status=1)
    assert (quiet.stdout, quiet.stderr) == ("", result.stderr)


def test_the_table_is_written_as_csv_too():
    Path("plate/bad.tif").write_text("no image")
    upscale("plate", "out", "--csv", "table.csv", status=1)
    with Path("table.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [(Path(row["input"]).name, row["state"], row["model"]) for row in table] == [
        ("a.tif", "done", "srcnn-x2"),
        ("bad.tif", "failed", ""),
        ("b.ome.tif", "done", "srcnn-x2"),
        ("c.png", "done", "srcnn-x2"),
    ]
    assert "cannot be read as an image" in table[1]["reason"]
    # The table of an earlier run is replaced.
    upscale("plate", "out", "--csv", "table.csv", status=1)
    assert Path("table.csv").read_text().count("skipped") == 3


def test_a_file_that_is_no_table_is_replaced_by_a_table_only_with_overwrite():
    Path("thesis.csv").write_text("precious")
    assert "is no table of results" in upscale("plate", "out", "--csv", "thesis.csv", status=2).stderr
    assert Path("thesis.csv").read_text() == "precious"
    assert not Path("out").exists()
    upscale("plate", "out", "--csv", "thesis.csv", "--overwrite")
    assert Path("thesis.csv").read_text().startswith("input,output")


def test_a_dry_run_prints_the_plan_and_writes_nothing():
    upscale("plate/a.tif", "plate/w1", "out")
    Path("out/c.png").unlink()
    before = sorted(Path().rglob("*"))
    lines = upscale("plate/a.tif", "plate/w1", "out", "--dry-run").stdout.replace("\\", "/").splitlines()
    assert lines[0].split() == ["INPUT", "OUTPUT", "STATE", "REASON"]
    assert lines[1].split()[:3] == ["plate/a.tif", "out/a.tif", "skipped"]
    assert lines[3].split() == ["plate/w1/c.png", "out/c.png", "to", "upscale", "-"]
    sr.write_image("plate/w1/c.tif", RNG.integers(0, 256, (9, 8), np.uint8))
    result = upscale("plate", "other", "--dry-run", "--format", "tif", status=1)
    assert "2 of 4 images would fail" in result.stderr
    assert not Path("other").exists()
    Path("plate/w1/c.tif").unlink()
    assert sorted(Path().rglob("*")) == before


def test_files_of_others_are_replaced_only_with_overwrite():
    Path("out").mkdir()
    Path("out/a.tif").write_text("precious")
    result = upscale("plate", "out", status=1)
    assert "exists already" in result.stderr
    assert "--overwrite" in result.stderr
    assert Path("out/a.tif").read_text() == "precious"
    assert upscale("plate", "out", "--overwrite").stdout.splitlines()[-1] == "1 done, 2 skipped."


def test_several_devices_are_given_with_commas():
    assert upscale("plate", "out", "--devices", "cpu,cpu").stdout.splitlines()[-1] == "3 done."
    assert "not on this machine" in upscale("plate", "other", "--devices", "cpu,cuda:9", status=2).stderr


def test_auto_names_the_model_of_each_image():
    sr.write_image("plate/a.tif", RNG.integers(0, 256, (9, 8), np.uint8))
    result = upscale("plate", "out", model="auto")
    name = sr.suggest(sr.read_image("plate/a.tif")).model
    assert name in result.stdout


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("plate", "plate"), "is the folder of the images themselves"),
        (("plate", "out.tif"), "is the name of an image"),
        (("plate", "out", "--format", "gif"), "cannot be written"),
        (("plate/*.xyz", "out"), "No image matches"),
        (("plate/a.tif", "missing.tif", "out"), "There is no file or folder missing.tif"),
        (("plate", "out", "--csv", "no/table.csv"), "There is no folder no"),
        (("plate", "out", "--csv", "plate"), "is a folder"),
        (("plate/a.tif", "out.tif", "--csv", "table.csv"), "--csv is for several images"),
        (("plate/a.tif", "out.tif", "--format", "tif"), "--format is for several images"),
        (("plate/a.tif", "out.tif", "--devices", "cpu"), "--devices is for several images"),
        (("", "out"), "not a path"),
    ],
)
def test_a_command_that_cannot_run_is_one_sentence_and_writes_nothing(arguments, word):
    before = sorted(Path().rglob("*"))
    result = upscale(*arguments, status=2)
    assert word in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert sorted(Path().rglob("*")) == before


@pytest.mark.usefixtures("signals_as_in_a_terminal")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal")
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("options", [(), ("--format", "zarr"), ("--devices", "cpu,cpu")])
def test_a_signal_keeps_what_is_finished_and_the_same_command_continues(monkeypatch, times, options):
    calls, compute = [], Work._compute_batch

    def signaling(work, *given):
        calls.append(1)
        if len(calls) == 3:
            for _ in range(times):
                signal.raise_signal(signal.SIGTERM)
                # The handler runs on the main thread, which another thread would not wait for.
                while signals.received is None:
                    time.sleep(0.001)
        compute(work, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Work, "_compute_batch", signaling)
        result = upscale("plate", "out", *options, status=128 + signal.SIGTERM)
    done = sum(path.is_dir() for path in Path("out").rglob("*.zarr")) if "zarr" in options else len(written())
    assert result.stderr == (
        f"Stopped: {done} of 3 images are finished in out, and the same command continues with the others.\n"
    )
    assert done in ((2,) if "--devices" not in options else (1, 2))
    assert not [path for path in Path("out").rglob("*") if path.name.startswith(".")]
    assert upscale("plate", "out", *options).stdout.splitlines()[-1] == f"{3 - done} done, {done} skipped."
