"""A run to a store that was killed is continued by the same call, with the result of a run that was not."""

import os
import re
import signal
import time
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

import napari_sr as sr
from napari_sr.imaging.atomic import OWNER, PART, clear_abandoned
from napari_sr.inference.output import ome_zarr
from napari_sr.inference.output.reading import open_store
from napari_sr.inference.run.unfinished import boxes
from napari_sr.networks import SRCNN

CHUNK = 16
#: Upscales a file in a process of its own, which kills itself when so many bands are finished.
PROGRAM = """
import os, signal, sys
import numpy as np, torch
torch.set_num_threads(1)
import napari_sr as sr
from napari_sr.inference.output import ome_zarr, record
ome_zarr.CHUNK = {chunk}
source, axes, model, scale, out, kill_after = sys.argv[1:]
add, counted = record.FinishedLines.add, []
def counting(self, plane, rows):
    add(self, plane, rows)
    counted.append(rows)
    if len(counted) == int(kill_after):
        os.kill(os.getpid(), signal.SIGKILL)
record.FinishedLines.add = counting
sr.upscale(np.load(source), sr.load_model(model, scale=int(scale)), axes, device="cpu", memory="{memory}", out=out)
"""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(ome_zarr, "CHUNK", CHUNK)
    threads = torch.get_num_threads()
    # As the processes that are killed, so that all round alike.
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def model(tmp_path):
    def make(scale, channels=1):
        torch.manual_seed(0)
        network = SRCNN(scale=scale, channels=channels, kernels=(5, 3, 3), features=(4, 4))
        # Gray results: the drawn weights alone give black everywhere.
        torch.nn.init.constant_(network.conv3.bias, 0.5)
        torch.save(network.state_dict(), tmp_path / "tiny.pth")
        return tmp_path / "tiny.pth"

    return make


@pytest.fixture
def kill(forks, tmp_path):
    """Runs the program until it is killed."""

    def kill(image, axes, model, scale, bands):
        np.save(tmp_path / "image.npy", image)
        program = PROGRAM.format(chunk=CHUNK, memory="64MiB")
        done = forks.run(program, tmp_path / "image.npy", axes, model, scale, tmp_path / "out.zarr", bands)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert not (tmp_path / "out.zarr").exists()

    return kill


def run(tmp_path, image, axes, model, scale, out="out.zarr"):
    """Run the same job in this process, and return the pixels and the report."""
    job = sr.Job(sr.load_model(model, scale=scale), sr.JobSettings(device="cpu", memory="64MiB"))
    result = job.run(image, axes, out=tmp_path / out)
    return np.asarray(result.data), result.report


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="The system has no SIGKILL.")
@pytest.mark.parametrize(
    ("axes", "shape", "scale", "bands", "continued", "repeated"),
    [
        # At least two bands of 16 rows of the one plane; a strip of the network can have several.
        ("YX", (50, 30), 2, 2, 32, True),
        ("XY", (30, 50), 2, 3, 48, True),
        # Columns are streamed, and continued with columns although fewer than rows are left.
        ("YX", (40, 50), 2, 4, 64, True),
        ("XY", (50, 40), 2, 4, 64, True),
        # A row of the image gives three of the result, which no band ends with.
        ("YX", (50, 30), 3, 4, 64, True),
        ("ZYX", (3, 20, 15), 2, 4, 56, True),
        ("YXC", (50, 30, 3), 2, 2, 32, True),
        # Alpha is written after the colors, so whole planes are continued.
        ("ZYXC", (3, 20, 15, 4), 2, 1, 40, False),
        ("CYX", (2, 50, 30), 2, 9, 132, True),
    ],
)
def test_a_killed_run_is_continued(axes, shape, scale, bands, continued, repeated, kill, model, tmp_path):
    image = np.random.default_rng(0).integers(0, 60_000, shape).astype(np.uint16)
    weights = model(scale)
    kill(image, axes, weights, scale, bands)
    pixels, report = run(tmp_path, image, axes, weights, scale)
    expected, fresh = run(tmp_path, image, axes, weights, scale, "fresh.zarr")
    # Planes that follow a finished one may be computed in another batch, and round differently.
    tolerance = 1 if "Z" in axes else 0
    assert np.abs(pixels.astype(int) - expected.astype(int)).max() <= tolerance
    assert report.continued == continued
    assert (report.repeated > 0) == repeated
    assert (report.planes, report.part, fresh.continued) == (fresh.planes, None, 0)
    assert "lines of an interrupted run continued" in report.sentence()
    assert not [path for path in tmp_path.iterdir() if path.name.endswith((PART, OWNER, ".guard"))]
    assert not list((tmp_path / "out.zarr").rglob("*finished*"))
    one, other = open_store(tmp_path / "out.zarr"), open_store(tmp_path / "fresh.zarr")
    for level, same in zip(one.levels, other.levels, strict=True):
        assert np.abs(np.asarray(level).astype(int) - np.asarray(same).astype(int)).max() <= tolerance


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="The system has no SIGKILL.")
def test_finished_lines_are_not_computed_again(kill, model, tmp_path, monkeypatch):
    image = np.random.default_rng(0).integers(0, 60_000, (60, 30)).astype(np.uint16)
    weights = model(2)
    kill(image, "YX", weights, 2, 4)
    # Other values on disk stay, which shows that the rows were not written.
    (part,) = tmp_path.glob(f".out.zarr.*{PART}")
    array = ome_zarr.zarr.open_array(part / "0", mode="r+")
    array[:32] = 7
    pixels, report = run(tmp_path, image, "YX", weights, 2)
    expected, _ = run(tmp_path, image, "YX", weights, 2, "fresh.zarr")
    assert (pixels[:32] == 7).all()
    np.testing.assert_array_equal(pixels[32:], expected[32:])
    assert report.continued >= 64
    assert report.continued % CHUNK == 0
    # The receptive radius of the network.
    assert report.repeated == 4


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="The system has no SIGKILL.")
def test_a_run_that_is_killed_again_and_again_ends(kill, model, tmp_path):
    image = np.random.default_rng(0).integers(0, 60_000, (2, 40, 30)).astype(np.uint16)
    weights = model(2)
    for bands in (3, 1, 2):
        kill(image, "ZYX", weights, 2, bands)
    pixels, report = run(tmp_path, image, "ZYX", weights, 2)
    expected, _ = run(tmp_path, image, "ZYX", weights, 2, "fresh.zarr")
    np.testing.assert_array_equal(pixels, expected)
    # 6 bands of at least 16 rows, of 5 in a plane.
    assert report.continued >= 96


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="The system has no SIGKILL.")
@pytest.mark.parametrize("dtype", [">u2", ">f4"])
def test_a_run_of_an_image_in_the_other_byte_order_is_continued(dtype, kill, model, tmp_path):
    image = (np.random.default_rng(0).integers(0, 60_000, (50, 30)) / (1 if "u" in dtype else 60_000)).astype(dtype)
    weights = model(2)
    kill(image, "YX", weights, 2, 2)
    pixels, report = run(tmp_path, image, "YX", weights, 2)
    expected, _ = run(tmp_path, image, "YX", weights, 2, "fresh.zarr")
    np.testing.assert_array_equal(pixels, expected)
    assert report.continued == 32


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="The system has no SIGKILL.")
@pytest.mark.parametrize("change", ["pixel", "weights", "settings"])
def test_another_job_or_image_begins_anew(change, kill, model, tmp_path):
    image = np.random.default_rng(0).integers(0, 60_000, (50, 30)).astype(np.uint16)
    weights = model(2)
    kill(image, "YX", weights, 2, 2)
    settings = sr.JobSettings(device="cpu", memory="64MiB", self_ensemble=change == "settings")
    if change == "pixel":
        # The extremes, and so black and white, stay.
        image = image.copy()
        image[10, 10] = image[10, 11]
    loaded = sr.load_model(weights, scale=2)
    if change == "weights":
        torch.manual_seed(1)
        network = SRCNN(scale=2, kernels=(5, 3, 3), features=(4, 4))
        torch.nn.init.constant_(network.conv3.bias, 0.5)
        torch.save(network.state_dict(), weights)
        loaded = sr.load_model(weights, scale=2)
    result = sr.Job(loaded, settings).run(image, "YX", out=tmp_path / "out.zarr")
    assert result.report.continued == 0
    np.testing.assert_array_equal(np.asarray(result.data), sr.Job(loaded, settings).run(image, "YX").data)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith((PART, OWNER, ".guard"))]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="The system has no SIGKILL.")
def test_a_store_of_another_version_begins_anew(kill, model, tmp_path):
    image = np.random.default_rng(0).integers(0, 60_000, (50, 30)).astype(np.uint16)
    weights = model(2)
    kill(image, "YX", weights, 2, 2)
    job = sr.Job(sr.load_model(weights, scale=2), sr.JobSettings(device="cpu", memory="64MiB"))
    result = job.run(image, "YX", out=tmp_path / "out.zarr", ome_zarr="0.4")
    assert result.report.continued == 0
    np.testing.assert_array_equal(np.asarray(result.data), job.run(image, "YX").data)
    assert (tmp_path / "out.zarr" / ".zattrs").is_file()
    assert not list((tmp_path / "out.zarr").rglob("zarr.json"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="The system has no SIGKILL.")
def test_files_are_continued_by_the_command_of_one_image(forks, model, tmp_path):
    from typer.testing import CliRunner

    from napari_sr.cli import app

    image = np.random.default_rng(0).integers(0, 60_000, (50, 30)).astype(np.uint16)
    sr.write_image(tmp_path / "in.tif", image)
    weights = model(2)
    call = ["upscale", str(tmp_path / "in.tif"), str(tmp_path / "out.zarr"), "-m", str(weights), "--scale", "2"]
    program = PROGRAM.format(chunk=CHUNK, memory="64MiB").rpartition("sr.upscale(")[0]
    program += f"from napari_sr.cli import app; app({[*call, '--device', 'cpu']!r})"
    killed = forks.run(program, "", "", "", "", "", 3)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    result = CliRunner().invoke(app, [*call, "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert re.search(r"(48|64|80) lines of an interrupted run continued, 4 lines computed again", result.output)
    expected = sr.upscale(image, sr.load_model(weights, scale=2), device="cpu")
    np.testing.assert_array_equal(np.asarray(sr.read_image(tmp_path / "out.zarr").data), expected)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="The system has no SIGKILL.")
def test_an_unfinished_store_is_deleted_after_two_weeks(kill, model, tmp_path):
    image = np.random.default_rng(0).integers(0, 60_000, (50, 30)).astype(np.uint16)
    kill(image, "YX", model(2), 2, 2)
    (record,) = tmp_path.glob(f".out.zarr.*{OWNER}")
    assert clear_abandoned(tmp_path) == []
    assert record.exists()
    old = time.time() - 15 * 24 * 3600
    os.utime(record, (old, old))
    assert clear_abandoned(tmp_path) == [record.with_suffix(PART)]
    assert not Path(record).exists()


@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3), (2, 1, 4), (3, 2, 2)])
def test_boxes_have_all_planes_from_one_on_in_their_order(shape):
    planes = list(np.ndindex(*shape))
    for begin in range(len(planes) + 1):
        found = [tuple(place) for box in boxes(shape, begin) for place in product(*(range(*span) for span in box))]
        assert found == planes[begin:]
        assert len(list(boxes(shape, begin))) <= len(shape)


def test_a_canceled_run_leaves_nothing(model, tmp_path):
    image = np.random.default_rng(0).integers(0, 60_000, (3, 50, 30)).astype(np.uint16)
    before, seen = {*tmp_path.iterdir(), tmp_path / "tiny.pth"}, []
    job = sr.Job(sr.load_model(model(2), scale=2), sr.JobSettings(device="cpu"))
    with pytest.raises(sr.Cancelled):
        job.run(
            image,
            "ZYX",
            out=tmp_path / "out.zarr",
            progress=lambda *counts: seen.append(counts),
            cancel=lambda: len(seen) > 2,
        )
    assert set(tmp_path.iterdir()) == before
