"""Many files: each is upscaled as alone, finished ones are not computed again, and a bad one does not end the run."""

import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_sr as sr
from napari_sr.imaging.files import Metadata
from napari_sr.inference.files import jobs as file_jobs
from napari_sr.inference.files import run as file_run
from napari_sr.inference.files.inputs import JOURNAL
from napari_sr.inference.files.journal import Journal
from napari_sr.inference.run.work import Work
from tests.imaging.files.foreign import plate as make_plate
from tests.imaging.files.made import in_several_files
from tests.inference.small_models import rrdb

RNG = np.random.default_rng(0)
MODEL = rrdb(2, 1)
WHOLE = Metadata(pixel_size={"Z": 0.3, "Y": 0.1, "X": 0.1}, unit="micrometer", origin={"Y": 12.5, "X": -4.0})


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def plate():
    """A folder with a stack, two planes, one of them in a folder of its own, and a file that is not an image."""
    Path("plate/w1").mkdir(parents=True)
    sr.write_image("plate/a.ome.tif", RNG.integers(0, 4096, (2, 9, 8), np.uint16), "ZYX", metadata=WHOLE)
    sr.write_image("plate/w1/b.png", RNG.integers(0, 256, (10, 9), np.uint8))
    sr.write_image("plate/w1/c.tif", RNG.integers(0, 256, (7, 12), np.uint8))
    Path("plate/bad.tif").write_text("no image")
    return Path("plate")


def upscaled(inputs="plate", out="out", model=MODEL, **options):
    return sr.upscale_files(inputs, out, model, device="cpu", **options)


def states(results):
    return {result.input.name: result.state for result in results}


def content(folder):
    """Hashes of all files of a folder but the journal, by name; of images those of their pixels.

    An OME-TIFF has another identifier each time that it is written.
    """
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file() and path.name != JOURNAL)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(values(path)).hexdigest() for path in files}


def values(path):
    try:
        return sr.read_image(path).data.tobytes()
    except sr.InputError:
        return path.read_bytes()


def counting(monkeypatch):
    """Count the computations."""
    calls, compute = [], Work._compute_batch
    monkeypatch.setattr(Work, "_compute_batch", lambda work, *given: calls.append(1) or compute(work, *given))
    return calls


def touch(path):
    found = Path(path).stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 10**9))


def test_each_result_has_the_pixels_and_the_metadata_of_the_image_upscaled_alone(plate):
    results = upscaled()
    assert states(results) == {"a.ome.tif": "done", "b.png": "done", "c.tif": "done", "bad.tif": "failed"}
    assert "cannot be read as an image" in results.failed[0].reason
    for result in results:
        if result.state == "done":
            image, found = sr.read_image(result.input), sr.read_image(result.output)
            assert np.array_equal(found.data, sr.upscale(image, MODEL, device="cpu"))
            assert result.model == MODEL.name
            assert result.seconds > 0
    written = sr.read_image("out/a.ome.tif")
    assert written.pixel_size == pytest.approx({"Z": 0.3, "Y": 0.05, "X": 0.05})
    assert written.origin == pytest.approx({"Y": 12.475, "X": -4.025})
    assert set(content("out")) == {"a.ome.tif", "w1/b.png", "w1/c.tif"}
    assert (Path("out") / JOURNAL).is_file()


@pytest.mark.parametrize("result_format", [".ome.tif", ".zarr"])
def test_the_format_may_be_given(plate, result_format):
    results = upscaled(format=result_format)
    assert results.summary() == "3 done, 1 failed"
    assert sr.read_image(f"out/w1/b{result_format}").data.shape == (20, 18)
    assert upscaled(format=result_format).summary() == "3 skipped, 1 failed"


def test_a_second_run_computes_nothing(plate, monkeypatch):
    upscaled()
    before, calls = content("out"), counting(monkeypatch)
    again = upscaled()
    assert (calls, again.summary(), content("out")) == ([], "3 skipped, 1 failed", before)
    assert {result.reason for result in again if result.state == "skipped"} == {"It is finished."}


def test_an_image_is_computed_again_after_any_of_its_files_has_changed():
    Path("plate").mkdir()
    stack = RNG.integers(0, 4096, (2, 9, 8), np.uint16)
    in_several_files(Path("plate"), stack)
    group = zarr.create_group("plate/store.zarr")
    pixels = group.create_array("0", data=stack, chunks=(1, 9, 8))
    group.attrs["ome"] = {"multiscales": [{"axes": [{"name": a} for a in "zyx"], "datasets": [{"path": "0"}]}]}
    names = ("z0.ome.tif", "z1.ome.tif", "store.zarr")
    assert states(upscaled()) == dict.fromkeys(names, "done")
    assert states(upscaled()) == dict.fromkeys(names, "skipped")
    pixels[1] = 7
    assert states(upscaled()) == {"z0.ome.tif": "skipped", "z1.ome.tif": "skipped", "store.zarr": "done"}
    assert np.array_equal(sr.read_image("out/store.zarr").data[:], sr.upscale(pixels[:], MODEL, device="cpu"))
    touch("plate/z1.ome.tif")
    assert states(upscaled()) == {"z0.ome.tif": "done", "z1.ome.tif": "done", "store.zarr": "skipped"}
    assert states(upscaled()) == dict.fromkeys(names, "skipped")


def test_a_folder_that_cannot_be_listed_fails_alone(plate, monkeypatch):
    listed = os.scandir

    def refuse(path):
        if path == Path("plate/w1"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert states(upscaled()) == {"a.ome.tif": "done", "bad.tif": "failed", "w1": "failed"}


def test_device_memory_and_batch_are_no_reason_to_compute_again(plate, monkeypatch):
    upscaled()
    calls = counting(monkeypatch)
    assert upscaled(devices=["cpu", "cpu"], memory="1GiB", batch=1).summary() == "3 skipped, 1 failed"
    assert not calls


@pytest.mark.parametrize(
    "change",
    [
        {"intensity": (0, 9000)},
        {"self_ensemble": True},
        {"target": 3.0},
        {"model": rrdb(3, 1)},
        {"model": MODEL.__class__(MODEL.card, {"weights": {k: 2 * v for k, v in MODEL.endpoints["weights"].items()}})},
    ],
    ids=["intensity", "self_ensemble", "target", "model", "weights"],
)
def test_other_settings_and_another_model_replace_the_results(plate, change):
    upscaled()
    before = content("out")
    assert upscaled(**change).summary() == "3 done, 1 failed"
    assert not {*before.items()} & {*content("out").items()}
    assert upscaled().summary() == "3 done, 1 failed"
    assert content("out") == before


def test_an_image_that_was_changed_is_computed_again_and_the_others_are_not(plate):
    upscaled()
    touch("plate/w1/c.tif")
    assert states(upscaled()) == {"a.ome.tif": "skipped", "b.png": "skipped", "c.tif": "done", "bad.tif": "failed"}


def test_a_result_that_was_deleted_is_computed_again(plate):
    upscaled()
    Path("out/w1/b.png").unlink()
    assert states(upscaled())["b.png"] == "done"


def test_a_file_of_somebody_else_is_replaced_only_with_overwrite(plate):
    Path("out/w1").mkdir(parents=True)
    Path("out/w1/b.png").write_bytes(b"precious")
    results = upscaled()
    assert states(results)["b.png"] == "failed"
    assert "out/w1/b.png exists already" in str(results.failed[-1].reason).replace("\\", "/")
    assert Path("out/w1/b.png").read_bytes() == b"precious"
    assert states(upscaled(overwrite=True)) == {
        "a.ome.tif": "skipped",
        "b.png": "done",
        "c.tif": "skipped",
        "bad.tif": "failed",
    }
    assert upscaled().summary() == "3 skipped, 1 failed"


def test_a_file_that_somebody_writes_meanwhile_is_not_replaced(plate, monkeypatch):
    compute = Work._compute_batch

    def slow(work, *given):
        Path("out/w1").mkdir(exist_ok=True)
        Path("out/w1/c.tif").write_bytes(b"precious")
        compute(work, *given)

    monkeypatch.setattr(Work, "_compute_batch", slow)
    results = upscaled("plate/w1/c.tif", "out/w1")
    assert results.summary() == "1 failed"
    assert Path("out/w1/c.tif").read_bytes() == b"precious"
    assert not [path for path in Path("out/w1").iterdir() if path.name.startswith(".")]


def test_a_result_that_another_run_writes_meanwhile_is_no_file_of_somebody_else(plate, monkeypatch):
    compute, others = Work._compute_batch, []

    def slow(work, *given):
        if not others:
            others.append(None)
            others[0] = upscaled("plate/w1/c.tif", "out/w1")
        compute(work, *given)

    monkeypatch.setattr(Work, "_compute_batch", slow)
    results = upscaled("plate/w1/c.tif", "out/w1")
    assert [run.summary() for run in (results, *others)] == ["1 done", "1 done"]
    assert upscaled("plate/w1/c.tif", "out/w1").summary() == "1 skipped"


def test_a_result_that_was_changed_is_kept_unless_files_may_be_replaced(plate, monkeypatch):
    upscaled()
    before = content("out")
    Path("out/w1/b.png").write_bytes(b"edited")
    results = upscaled()
    assert results.summary() == "3 skipped, 1 failed"
    assert "was changed after it was finished" in " ".join(result.reason for result in results)
    assert Path("out/w1/b.png").read_bytes() == b"edited"
    # For other settings it would be replaced.
    assert states(upscaled(intensity=(0, 9000)))["b.png"] == "failed"
    assert Path("out/w1/b.png").read_bytes() == b"edited"
    upscaled(overwrite=True)
    assert content("out") == before


def test_results_inside_the_folder_of_the_images_are_no_images_of_the_next_run(plate, monkeypatch):
    assert upscaled(out="plate/large").summary() == "3 done, 1 failed"
    assert upscaled(out="plate/large").summary() == "3 skipped, 1 failed"
    assert upscaled(out="elsewhere").summary() == "3 done, 1 failed"


def test_images_with_one_result_name_fail_and_the_others_do_not(plate):
    sr.write_image("plate/w1/b.tif", RNG.integers(0, 256, (10, 9), np.uint8))
    results = upscaled(format=".tif")
    assert states(results) == {
        "a.ome.tif": "done",
        "bad.tif": "failed",
        "b.png": "failed",
        "b.tif": "failed",
        "c.tif": "done",
    }
    assert "has the same name, b.tif" in results.failed[-1].reason


def test_auto_chooses_a_model_for_each_image_and_loads_each_once(plate, monkeypatch):
    names, loads = iter(["one", "two", "one"]), []
    monkeypatch.setattr(file_jobs, "suggested_settings", lambda settings, *given, **options: (next(names), settings))
    monkeypatch.setattr(file_jobs, "load_model", lambda name: loads.append(name) or rrdb(2, 1, label=name))
    results = upscaled(model="auto")
    assert sorted(loads) == ["one", "two"]
    assert [result.model for result in results if result.state == "done"] == ["one", "two", "one"]
    assert upscaled(model="auto").summary() == "3 skipped, 1 failed"


def test_auto_takes_the_suggested_model(plate):
    results = upscaled("plate/w1/*.tif", model="auto")
    image = sr.read_image("plate/w1/c.tif")
    assert results[0].model == sr.suggest(image).model
    assert np.array_equal(sr.read_image("out/c.tif").data, sr.upscale(image, "auto", device="cpu"))


def test_axes_that_are_given_make_a_stack_of_planes_that_are_declared_to_be_colors():
    Path("stacks").mkdir()
    stack = RNG.integers(0, 4096, (3, 9, 8), np.uint16)
    tifffile.imwrite("stacks/a.tif", stack, photometric="rgb", planarconfig="separate")
    [result] = upscaled("stacks", axes="ZYX", format=".ome.tif")
    assert sr.read_image(result.output).axes == "ZYX"
    np.testing.assert_array_equal(sr.read_image(result.output).data, sr.upscale(stack, MODEL, "ZYX", device="cpu"))
    color = sr.load_model("bicubic", scale=2)
    [result] = upscaled("stacks", "color", color, format=".ome.tif")
    assert sr.read_image(result.output).axes == "YXC"
    assert "give the axes ZYX or CYX" in result.reason


def test_a_run_on_two_devices_gives_the_results_of_one_in_the_same_order(plate):
    one, two = upscaled(out="one"), upscaled(out="two", devices=["cpu", "cpu"])
    assert [(result.input, result.state) for result in one] == [(result.input, result.state) for result in two]
    assert content("one") == content("two")


def test_each_device_works_on_images_of_its_own(plate, monkeypatch):
    together, compute = threading.Barrier(2, timeout=60), Work._compute_batch

    def both(work, *given):
        # Passes only if two images are computed at the same time.
        together.wait()
        compute(work, *given)

    monkeypatch.setattr(Work, "_compute_batch", both)
    assert upscaled("plate/w1", devices=["cpu", "cpu"]).summary() == "2 done"


def test_a_run_on_two_devices_restores_the_settings_of_torch(plate):
    import torch

    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32, torch.get_rng_state()
    upscaled(devices=["cpu", "cpu"])
    after = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32, torch.get_rng_state()
    assert before[:2] == after[:2]
    assert torch.equal(before[2], after[2])


def test_the_next_image_is_read_while_one_is_computed(plate, monkeypatch):
    Path("plate/bad.tif").unlink()
    read, following = file_run.read_image, threading.Event()

    def reading(path, **options):
        if path.name == "b.png":
            following.set()
        return read(path, **options)

    compute = Work._compute_batch

    def waiting(work, *given):
        assert following.wait(30)
        compute(work, *given)

    monkeypatch.setattr(file_run, "read_image", reading)
    monkeypatch.setattr(Work, "_compute_batch", waiting)
    assert upscaled().summary() == "3 done"


def test_an_unexpected_error_fails_its_image_with_a_sentence_and_is_logged(plate, monkeypatch, caplog):
    compute = Work.run

    def faulty(work, image, result):
        if image.dtype == np.uint16:
            raise RuntimeError("of\nlibrary")
        return compute(work, image, result)

    monkeypatch.setattr(Work, "run", faulty)
    with caplog.at_level(logging.ERROR):
        results = upscaled()
    assert results.summary() == "2 done, 2 failed"
    assert results.failed[0].reason == "An unexpected error occurred (RuntimeError: of library)."
    assert caplog.records[0].exc_info


def test_after_the_disk_is_full_no_image_is_computed_in_vain(plate, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "add", full)
    calls = counting(monkeypatch)
    results = upscaled()
    assert results.summary() == "4 failed"
    assert len(calls) == 2  # the planes of the first image
    assert {result.reason for result in results.failed[1:]} == {
        "It was not begun because the disk is full: make room, and run again."
    }
    assert content("out") == {}


def test_progress_grows_to_a_hundred_for_each_image_and_results_are_reported_once(plate):
    steps, seen = [], []
    upscaled(progress=lambda done, total: steps.append((done, total)), on_result=seen.append)
    assert {total for _, total in steps} == {400}
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1] == (400, 400)
    assert sorted(result.input.name for result in seen) == ["a.ome.tif", "b.png", "bad.tif", "c.tif"]
    assert {result.state for result in seen} == {"done", "failed"}


@pytest.mark.parametrize("devices", [None, ["cpu", "cpu"]])
def test_a_canceled_run_keeps_what_is_finished_and_the_next_one_continues(plate, devices):
    seen = []
    with pytest.raises(sr.Cancelled):
        upscaled(on_result=seen.append, cancel=lambda: any(r.state == "done" for r in seen), devices=devices)
    names = {result.output.as_posix() for result in seen if result.state == "done"}
    assert {f"out/{name}" for name in content("out")} == names
    assert not list(Path("out").rglob(".*"))
    rest = upscaled()
    assert rest.summary() == f"{3 - len(names)} done, {len(names)} skipped, 1 failed"
    upscaled(out="whole")
    assert content("out") == content("whole")


def test_wrong_arguments_are_one_sentence_and_nothing_is_made(plate):
    for options, word in (
        ({"model": "no-such-model"}, "no model called"),
        ({"devices": "cuda:7"}, "list of names"),
        ({"devices": ["cuda:7"]}, "not on this machine"),
        ({"overwrite": 3}, "neither true nor false"),
        ({"axes": 3}, "not text"),
        ({"on_result": 3}, "cannot be called"),
        ({"noise": "loud"}, "noise"),
        ({"intensity": "contrast"}, "is that of a layer"),
    ):
        with pytest.raises(sr.InputError, match=word):
            upscaled(**options)
    assert not Path("out").exists()


def test_the_table_escapes_what_would_change_a_terminal_and_the_csv_holds_every_name():
    strange = Path("a\nb\x1b[31m.tif")
    results = sr.FileResults([sr.FileResult(strange, strange, "failed", 'because; of, "it"')])
    assert len(repr(results).splitlines()) == 2
    assert "\x1b" not in repr(results)
    import csv
    import io

    rows = list(csv.DictReader(io.StringIO(results.as_csv(), newline="")))
    assert [(row["input"], row["reason"]) for row in rows] == [(str(strange), 'because; of, "it"')]
    assert sr.FileResults([sr.FileResult(Path("\udce9.tif"), Path("x"), "done")]).as_csv().encode("utf-8")


class Killed(BaseException):
    """The end of the process at a certain moment."""


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 13), st.booleans())
def test_a_run_that_was_killed_and_run_again_equals_one_that_was_not(tmp_path_factory, moment, outdated):
    root = tmp_path_factory.mktemp("killed")
    for number in range(3):
        path = root / "in" / f"{number}.tif"
        path.parent.mkdir(exist_ok=True)
        sr.write_image(path, np.random.default_rng(number).integers(0, 256, (6, 7), np.uint8))
    if outdated:
        upscaled(root / "in", root / "out", intensity=(0, 100))
    upscaled(root / "in", root / "whole")
    left = [moment]

    def check():
        left[0] -= 1
        if left[0] == -1:
            raise Killed

    def dying(function):
        def call(*arguments, **options):
            check()
            result = function(*arguments, **options)
            check()
            return result

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Work, "_compute_batch", dying(Work._compute_batch))
        patch.setattr(Journal, "add", dying(Journal.add))
        replace = Path.replace
        in_out = dying(replace)
        patch.setattr(Path, "replace", lambda a, b: in_out(a, b) if Path(b).suffix == ".tif" else replace(a, b))
        try:
            upscaled(root / "in", root / "out")
        except Killed:
            pass
    results = upscaled(root / "in", root / "out")
    assert sorted(result.input for result in results) == sorted((root / "in").iterdir())
    assert {result.state for result in results} <= {"done", "skipped"}
    assert content(root / "out") == content(root / "whole")
    assert {result.state for result in upscaled(root / "in", root / "out")} == {"skipped"}


IMAGES = st.lists(
    st.tuples(st.sampled_from(["", "w1/"]), st.sampled_from("abc"), st.sampled_from([".tif", ".png"]), st.booleans()),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one[:3],
)


@settings(max_examples=12, deadline=None)
@given(IMAGES, st.sampled_from([None, ".tif"]), st.sampled_from([None, ["cpu", "cpu"]]))
def test_every_image_is_in_the_table_once_and_a_second_run_computes_nothing(
    tmp_path_factory, images, result_format, devices
):
    root = tmp_path_factory.mktemp("drawn")
    for folder, name, ending, good in images:
        path = root / "in" / f"{folder}{name}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if good:
            sr.write_image(path, RNG.integers(0, 256, (5, 6), np.uint8))
        else:
            path.write_bytes(b"no image")
    inputs = [root / "in", root / "in"]
    first = upscaled(inputs, root / "out", format=result_format, devices=devices)
    assert sorted(result.input for result in first) == sorted(p for p in (root / "in").rglob("*") if p.is_file())
    done = {result.output.relative_to(root / "out").as_posix() for result in first if result.state == "done"}
    assert set(content(root / "out")) == done
    written = content(root / "out")
    with pytest.MonkeyPatch.context() as patch:
        calls = counting(patch)
        second = upscaled(inputs, root / "out", format=result_format, devices=devices)
        assert not calls
    again = {"done": "skipped", "failed": "failed"}
    assert [result.state for result in second] == [again[result.state] for result in first]
    assert content(root / "out") == written


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_process_that_is_killed_leaves_results_that_the_next_one_continues(plate):
    program = """
import time
import napari_sr as sr
from napari_sr.inference.run.work import Work
compute = Work._compute_batch
def slow(*arguments):
    print("computing", flush=True)
    time.sleep(1)
    compute(*arguments)
Work._compute_batch = slow
sr.upscale_files("plate", "out", "srcnn-x2", device="cpu", format="zarr")
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=os.environ.copy()
    )
    # Two planes of the first image, and then the second image.
    for _ in range(3):
        assert process.stdout.readline() == "computing\n"
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    process.stdout.close()
    assert [path for path in Path("out/w1").iterdir() if path.name.startswith(".")]
    results = upscaled(model="srcnn-x2", format="zarr")
    assert results.summary() == "2 done, 1 skipped, 1 failed"
    assert not list(Path("out").rglob(".*"))
    upscaled(out="whole", model="srcnn-x2", format="zarr")
    assert content("out") == content("whole")


def test_a_plate_is_upscaled_field_by_field_and_a_missing_well_fails_alone():
    make_plate(Path("p.zarr"), "0.5", ("A/1", "A/2", "B/1"))
    shutil.rmtree("p.zarr/A/2")
    results = upscaled("p.zarr", "out", intensity=(0, 4000))
    assert [(result.input.as_posix(), result.state) for result in results] == [
        ("p.zarr/A/1/0", "done"),
        ("p.zarr/A/1/1", "done"),
        ("p.zarr/A/2", "failed"),
        ("p.zarr/B/1/0", "done"),
        ("p.zarr/B/1/1", "done"),
    ]
    assert "A/2" in results[2].reason
    image, source = sr.read_image("out/B/1/1.ome.zarr"), sr.read_image("p.zarr/B/1/1")
    assert np.array_equal(image.data[...], sr.upscale(source, MODEL, device="cpu", intensity=(0, 4000)))
    assert image.pixel_size == pytest.approx({"Z": 0.5, "Y": 0.1, "X": 0.05})
    assert image.origin == pytest.approx({"Y": 3.95, "X": -3.025})
    again = upscaled("p.zarr", "out", intensity=(0, 4000))
    assert [result.state for result in again] == ["skipped", "skipped", "failed", "skipped", "skipped"]


def test_stores_of_another_version_are_other_results(plate):
    (plate / "bad.tif").unlink()
    assert states(upscaled(format=".zarr")) == {"a.ome.tif": "done", "b.png": "done", "c.tif": "done"}
    assert set(states(upscaled(format=".zarr", ome_zarr="0.4")).values()) == {"done"}
    assert len(list(Path("out").rglob(".zattrs"))) >= 3
    assert not list(Path("out").rglob("zarr.json"))
    assert set(states(upscaled(format=".zarr", ome_zarr="0.4")).values()) == {"skipped"}
    # Of files that are no stores there is one version.
    assert set(states(upscaled([plate / "w1"], "pictures", format=".tif")).values()) == {"done"}
    with pytest.raises(sr.InputError, match="a version of stores"):
        upscaled([plate / "w1"], "pictures", format=".tif", ome_zarr="0.4")
