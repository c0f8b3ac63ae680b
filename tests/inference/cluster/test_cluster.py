"""Upscaling on a cluster: the result of one machine, whatever happens to the workers."""

import os
import shutil
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
import zarr
from typer.testing import CliRunner

import napari_sr as sr
from napari_sr.cli import app
from napari_sr.cli.cluster import read_resources
from napari_sr.imaging.atomic import OWNER, PART
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.axis_view import AxisView
from napari_sr.imaging.files import Metadata, write_image
from napari_sr.inference.cluster.blocks import blocks_of
from napari_sr.inference.output import ome_zarr
from napari_sr.inference.output.reading import open_store
from napari_sr.inference.output.record import FinishedBlocks
from napari_sr.inference.report import joined
from napari_sr.networks import SRCNN

distributed = pytest.importorskip("distributed")

#: Side of the chunks of results, so that small images have several blocks.
CHUNK = 64
#: Upscales a file on a cluster in a process of its own, which kills itself when so many blocks are finished.
PROGRAM = """
import os, signal, sys
from distributed import Client
import napari_sr as sr
from napari_sr.inference.cluster.blocks import blocks_of
from napari_sr.inference.output.record import FinishedBlocks
from napari_sr.inference.output import ome_zarr
ome_zarr.CHUNK = {chunk}
source, model, out, scheduler, kill_after = sys.argv[1:]
def kill(done, total):
    if done == int(kill_after):
        os.kill(os.getpid(), signal.SIGKILL)
with Client(scheduler) as client:
    sr.upscale_on_cluster(source, out, sr.load_model(model, scale=2), client, progress=kill)
"""


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of one thread each, with a resource."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, resources={"GPU": 1}
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as client:
        client.wait_for_workers(2)
        yield client


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr("napari_sr.inference.output.ome_zarr.CHUNK", CHUNK)


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    network = SRCNN(scale=2, kernels=(5, 3, 3), features=(4, 4))
    # Gray results: the drawn weights alone give black everywhere.
    torch.nn.init.constant_(network.conv3.bias, 0.5)
    torch.save(network.state_dict(), tmp_path / "tiny.pth")
    return sr.load_model(tmp_path / "tiny.pth", scale=2)


@pytest.fixture
def stack(tmp_path):
    """A Z-stack of smooth values in a TIFF, with a pixel size."""
    rng = np.random.default_rng(0)
    data = rng.integers(100, 60_000, (3, 90, 110), np.uint16)
    path = tmp_path / "in.ome.tif"
    write_image(path, data, "ZYX", metadata=Metadata(pixel_size={"Z": 0.5, "Y": 0.1, "X": 0.1}, unit="micrometer"))
    return path


def test_the_result_is_that_of_one_machine(client, stack, model, tmp_path):
    steps = []
    report = sr.upscale_on_cluster(
        stack, tmp_path / "out.zarr", model, client, progress=lambda done, total: steps.append((done, total))
    )
    expected = sr.read_image(stack)
    sr.Job(model, sr.JobSettings(device="cpu")).run(expected, out=tmp_path / "one.zarr")
    found, one = open_store(tmp_path / "out.zarr"), open_store(tmp_path / "one.zarr")
    assert np.ptp(found.levels[0]) > 1000
    assert np.abs(np.asarray(found.levels[0]).astype(int) - np.asarray(one.levels[0]).astype(int)).max() <= 1
    assert [level.shape for level in found.levels] == [level.shape for level in one.levels]
    assert (found.place.scale, found.place.translate, found.place.units) == (
        one.place.scale,
        one.place.translate,
        one.place.units,
    )
    # 3 planes of 2 x 2 blocks, of 64 pixels of the image for 2 x 2 chunks of the result.
    assert steps == [(done, 12) for done in range(1, 13)]
    assert (report.planes, report.part) == (3, None)


def test_a_store_of_version_0_4_has_the_same_pixels(client, stack, model, tmp_path):
    sr.upscale_on_cluster(stack, tmp_path / "out.zarr", model, client, ome_zarr="0.4")
    assert zarr.open_group(tmp_path / "out.zarr", mode="r").metadata.zarr_format == 2
    expected = sr.upscale(sr.read_image(stack), model, device="cpu")
    found = sr.read_image(tmp_path / "out.zarr")
    assert np.abs(np.asarray(found.data).astype(int) - expected.astype(int)).max() <= 1
    assert found.pixel_size == pytest.approx({"Z": 0.5, "Y": 0.05, "X": 0.05})


def test_no_two_workers_write_to_one_shard(client, stack, model, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_sr.inference.output.ome_zarr._MOST_FILES", 4)
    steps = []
    sr.upscale_on_cluster(
        stack, tmp_path / "out.zarr", model, client, progress=lambda done, total: steps.append((done, total))
    )
    assert zarr.open_array(tmp_path / "out.zarr" / "0", mode="r").shards == (1, CHUNK, 4 * CHUNK)
    # A block is as wide as the shard: 3 planes of 3 rows of shards.
    assert steps[-1] == (9, 9)
    expected = sr.upscale(sr.read_image(stack), model, device="cpu")
    assert np.abs(np.asarray(sr.read_image(tmp_path / "out.zarr").data).astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("most_files", [256, 4])
def test_the_workers_compute_the_coarser_levels_with_the_pixels_of_one_machine(
    client, stack, model, tmp_path, monkeypatch, most_files
):
    monkeypatch.setattr(ome_zarr, "_MOST_FILES", most_files)
    serial = ome_zarr.one_by_one
    monkeypatch.setattr(ome_zarr, "one_by_one", None)
    sr.upscale_on_cluster(stack, tmp_path / "out.zarr", model, client)
    monkeypatch.setattr(ome_zarr, "one_by_one", serial)
    found = open_store(tmp_path / "out.zarr")
    with ome_zarr.new_store(tmp_path / "one.zarr", found.axes, np.uint16, found.place) as finest:
        finest[...] = np.asarray(found.levels[0])
    one = open_store(tmp_path / "one.zarr")
    assert [level.shape for level in found.levels] == [(3, 180, 220), (3, 90, 110), (3, 45, 55)]
    for level, same in zip(found.levels, one.levels, strict=True):
        assert (level.chunks, level.shards) == (same.chunks, same.shards)
        np.testing.assert_array_equal(np.asarray(level), np.asarray(same))


def test_the_coarser_levels_can_be_canceled(client, stack, model, tmp_path):
    before, done = set(tmp_path.iterdir()), []
    with pytest.raises(sr.Cancelled):
        sr.upscale_on_cluster(
            stack,
            tmp_path / "out.zarr",
            model,
            client,
            progress=lambda *counts: done.append(counts),
            cancel=lambda: done[-1:] == [(12, 12)],
        )
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["srcnn-microscopy-x2", "esrgan-microscopy-x2"])
def test_models_that_measure_noise_are_given_that_of_the_whole_image(client, name, tmp_path):
    rng = np.random.default_rng(1)
    image = rng.poisson(np.linspace(5, 400, 80 * 72).reshape(80, 72)).astype(np.float32)
    array = zarr.create_array(tmp_path / "in.zarr", shape=image.shape, dtype="float32", dimension_names="yx")
    array[:] = image
    sr.upscale_on_cluster(tmp_path / "in.zarr", tmp_path / "out.zarr", name, client)
    expected = sr.upscale(image, name, device="cpu")
    np.testing.assert_allclose(sr.read_image(tmp_path / "out.zarr").data, expected, atol=1e-5 * np.ptp(image))


@pytest.mark.parametrize(
    ("name", "settings"),
    [("sparse-coding-x2", {}), ("wiener", {"noise": (2.0, 0.0), "blur": 1.0}), ("richardson-lucy", {"blur": 1.0})],
)
def test_blocks_of_methods_that_are_not_streamed_are_those_of_the_whole_image(client, name, settings, tmp_path):
    rows, columns = np.mgrid[:300, :72]
    image = (200 + 80 * np.sin(rows / 3) * np.cos(columns / 4)).astype(np.float32)
    array = zarr.create_array(tmp_path / "in.zarr", shape=image.shape, dtype="float32", dimension_names="yx")
    array[:] = image
    model = sr.load_model(name, scale=2)
    sr.upscale_on_cluster(tmp_path / "in.zarr", tmp_path / "out.zarr", model, client, **settings)
    expected = sr.upscale(image, model, device="cpu", **settings)
    np.testing.assert_allclose(sr.read_image(tmp_path / "out.zarr").data, expected, atol=1e-4 * np.ptp(image))


def test_the_blocks_of_a_killed_worker_are_computed_by_another(client, stack, model, tmp_path):
    killed = []

    def kill(done, total):
        if done == 4:
            killed.extend(list(client.run(os.getpid).values())[:1])
            os.kill(killed[0], signal.SIGKILL)

    sr.upscale_on_cluster(stack, tmp_path / "out.zarr", model, client, progress=kill)
    assert killed
    expected = sr.upscale(sr.read_image(stack), model, device="cpu")
    assert np.abs(np.asarray(sr.read_image(tmp_path / "out.zarr").data).astype(int) - expected.astype(int)).max() <= 1


def test_a_canceled_run_leaves_nothing_on_disk_and_on_the_workers(client, stack, model, tmp_path):
    before = set(tmp_path.iterdir())
    done = []
    with pytest.raises(sr.Cancelled):
        sr.upscale_on_cluster(
            stack,
            tmp_path / "out.zarr",
            model,
            client,
            progress=lambda *counts: done.append(counts),
            cancel=lambda: len(done) > 1,
        )
    assert set(tmp_path.iterdir()) == before
    plugins = client.run(lambda dask_worker: [name for name in dask_worker.plugins if name.startswith("napari-sr")])
    assert not any(plugins.values())


def test_an_error_of_the_caller_cancels_the_blocks_that_are_left(client, stack, model, tmp_path, monkeypatch):
    before, canceled, cancel = set(tmp_path.iterdir()), [], client.cancel
    monkeypatch.setattr(client, "cancel", lambda left, **how: (canceled.extend(left), cancel(left, **how)))

    def progress(done, total):
        raise OSError("The disk is full.")

    with pytest.raises(OSError, match="full") as error:
        sr.upscale_on_cluster(stack, tmp_path / "out.zarr", model, client, progress=progress)
    # Although the traceback, which is still there, has the variables of the run.
    assert error.tb is not None
    assert canceled
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("then", ["wait", "cancel"])
def test_a_scheduler_that_is_lost_is_named_and_leaves_nothing_on_disk(stack, model, tmp_path, then):
    before, lost = set(tmp_path.iterdir()), []
    code = "import sys; from distributed.cli.{0} import main; sys.argv[0] = '{0}'; main()"

    def start(kind, *options):
        command = [sys.executable, "-c", code.format(kind), *options, "--no-dashboard"]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    address = f"tcp://127.0.0.1:{free_port()}"
    scheduler = start("dask_scheduler", "--host", address)
    worker = start("dask_worker", address, "--nthreads", "1", "--no-nanny")

    def stop(done, total):
        if done == 2:
            scheduler.kill()
            scheduler.wait()
            lost.append(done)

    error, words = (sr.Cancelled, None) if then == "cancel" else (sr.InputError, "scheduler of the cluster was lost")
    try:
        with distributed.Client(address, timeout=20) as client:
            client.wait_for_workers(1, timeout=60)
            client._timeout = 2
            with pytest.raises(error, match=words):
                sr.upscale_on_cluster(
                    stack,
                    tmp_path / "out.zarr",
                    model,
                    client,
                    progress=stop,
                    cancel=lambda: then == "cancel" and bool(lost),
                )
            # A client that is closed already.
            if then == "wait":
                with pytest.raises(error, match=words):
                    sr.upscale_on_cluster(stack, tmp_path / "out.zarr", model, client)
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()
    assert set(tmp_path.iterdir()) == before


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def kill_client(forks, cluster, stack, tmp_path, blocks):
    """Run the program until it is killed, and return the unfinished store."""
    arguments = [stack, tmp_path / "tiny.pth", tmp_path / "out.zarr", cluster.scheduler_address, blocks]
    done = forks.run(PROGRAM.format(chunk=CHUNK), *arguments)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "out.zarr").exists()
    (part,) = tmp_path.glob(f".out.zarr.*{PART}")
    return part


needs_sigkill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="The system has no SIGKILL.")


@needs_sigkill
@pytest.mark.parametrize("blocks", [5, 12])
def test_a_run_whose_client_was_killed_is_continued(
    forks, cluster, client, stack, model, tmp_path, monkeypatch, blocks
):
    part = kill_client(forks, cluster, stack, tmp_path, blocks)
    # With other workers the blocks would have another size; that of the unfinished store is kept.
    monkeypatch.setattr("napari_sr.inference.cluster.blocks.SIDE", CHUNK // 2)
    finished = FinishedBlocks(part / "napari-sr-finished.jsonl")
    assert (finished.shape, len(finished.numbers)) == ((CHUNK, CHUNK), blocks)
    # Other values on disk stay, which shows that the finished block was not computed again.
    number = min(finished.numbers)
    block = list(blocks_of(parse_axes("ZYX", (3, 90, 110)), finished.shape))[number]
    place = (block.at["Z"], *(slice(2 * first, 2 * last) for first, last in (block.rows, block.columns)))
    zarr.open_array(part / "0", mode="r+")[place] = 7
    steps = []
    report = sr.upscale_on_cluster(
        stack, tmp_path / "out.zarr", model, client, progress=lambda *counts: steps.append(counts)
    )
    # A run of which only the coarser levels were left computes a block for its report.
    kept = min(blocks, 11)
    assert steps == [(done, 12) for done in range(kept + 1, 13)]
    assert (report.continued_blocks, report.blocks, report.planes) == (kept, 12 - kept, 3)
    assert f"{kept} blocks of an interrupted run continued, {12 - kept} computed" in report.sentence()
    monkeypatch.undo()
    monkeypatch.setattr(ome_zarr, "CHUNK", CHUNK)
    fresh = sr.upscale_on_cluster(stack, tmp_path / "fresh.zarr", model, client)
    assert (fresh.continued_blocks, fresh.blocks) == (0, 12)
    found, expected = (np.asarray(sr.read_image(tmp_path / name).data) for name in ("out.zarr", "fresh.zarr"))
    assert (found[place] == 7).all()
    found[place] = expected[place]
    np.testing.assert_array_equal(found, expected)
    assert len(open_store(tmp_path / "out.zarr").levels) == len(open_store(tmp_path / "fresh.zarr").levels)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith((PART, OWNER, ".guard"))]
    assert not list((tmp_path / "out.zarr").rglob("*finished*"))


@needs_sigkill
@pytest.mark.parametrize("change", ["image", "settings"])
def test_another_image_or_other_settings_begin_anew(forks, cluster, client, stack, model, tmp_path, change):
    kill_client(forks, cluster, stack, tmp_path, 5)
    if change == "image":
        data = np.asarray(sr.read_image(stack).data)
        write_image(stack, data[:, ::-1], "ZYX")
    settings = {"self_ensemble": change == "settings"}
    report = sr.upscale_on_cluster(stack, tmp_path / "out.zarr", model, client, **settings)
    assert (report.continued_blocks, report.blocks) == (0, 12)
    expected = sr.upscale(sr.read_image(stack), model, device="cpu", **settings)
    assert np.abs(np.asarray(sr.read_image(tmp_path / "out.zarr").data).astype(int) - expected.astype(int)).max() <= 1
    assert not [path for path in tmp_path.iterdir() if path.name.endswith((PART, OWNER, ".guard"))]


def test_a_worker_flushes_the_files_of_its_block_to_the_disk(stack, model, tmp_path, monkeypatch):
    from napari_sr.inference.cluster import worker

    image = sr.read_image(stack)
    axes = parse_axes("ZYX", image.data.shape)
    job = sr.Job(model, sr.JobSettings(device="cpu"))
    out = zarr.create_array(tmp_path / "flushed.zarr", shape=(3, 180, 220), chunks=(1, 64, 64), dtype="uint16")
    calibration = job.calibrate(image.data, axes)
    plugin = worker.JobOnWorker(
        worker.ClusterJob(model, job.settings, calibration, stack, 0, axes, AxisView(out, (0, 1, 2))), "name"
    )
    flushed = []
    monkeypatch.setattr(ome_zarr, "sync", flushed.append)
    plugin.upscale(sr.Part(rows=(32, 64), columns=(0, 64), at={"Z": 1}))
    assert sorted(path.relative_to(tmp_path / "flushed.zarr").as_posix() for path in flushed) == [
        "c/1/1/0",
        "c/1/1/1",
    ]
    # A worker that is still computing when the store is deleted does not make it again.
    shutil.rmtree(tmp_path / "flushed.zarr")
    with pytest.raises(sr.InputError, match="was deleted"):
        plugin.upscale(sr.Part(rows=(32, 64), columns=(0, 64), at={"Z": 1}))
    assert not (tmp_path / "flushed.zarr").exists()


def test_an_error_on_a_worker_reaches_the_caller(client, stack, model, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("This machine has a GPU.")
    with pytest.raises(sr.InputError, match="cuda"):
        sr.upscale_on_cluster(stack, tmp_path / "out.zarr", model, client, device="cuda")
    assert not (tmp_path / "out.zarr").exists()


def test_a_worker_opens_the_image_and_prepares_the_model_once(stack, model, tmp_path, monkeypatch):
    from napari_sr.inference.cluster import worker
    from napari_sr.inference.compute import network

    opened, built = [], []
    build = network.network_for
    monkeypatch.setattr(network, "network_for", lambda *args: built.append(1) or build(*args))
    monkeypatch.setattr(worker, "read_image", lambda *args, **kwargs: opened.append(1) or sr.read_image(stack))
    image = sr.read_image(stack)
    job = sr.Job(model, sr.JobSettings(device="cpu"))
    axes = job.region(sr.imaging.axes.parse_axes("ZYX", image.data.shape)).axes
    out = zarr.create_array(tmp_path / "out.zarr", shape=(3, 180, 220), chunks=(1, 180, 220), dtype="uint16")
    sent = worker.ClusterJob(
        model, job.settings, job.calibrate(image.data, axes), stack, 0, axes, AxisView(out, (0, 1, 2))
    )
    plugin = worker.JobOnWorker(sent, "name")
    for z in range(3):
        plugin.upscale(sr.Part(at={"Z": z}))
    assert (opened, built) == ([1], [1])
    np.testing.assert_array_equal(out[:], job.run(image).data)


def test_what_would_differ_from_the_whole_image_is_refused(client, stack, model, tmp_path):
    for given, words in (
        ({"target": 3.0}, "leave out the target"),
        ({"tiling": "overlap"}, "tiles overlap"),
        ({"intensity": "contrast"}, "is that of a layer"),
    ):
        with pytest.raises(sr.InputError, match=words):
            sr.upscale_on_cluster(stack, tmp_path / "out.zarr", model, client, **given)
    with pytest.raises(sr.InputError, match=r"ends in \.zarr"):
        sr.upscale_on_cluster(stack, tmp_path / "out.tif", model, client)
    with pytest.raises(sr.InputError, match=r"give Client\(address\)"):
        sr.upscale_on_cluster(stack, tmp_path / "out.zarr", model, "tcp://127.0.0.1:1")
    assert not (tmp_path / "out.zarr").exists()


def test_the_command_line_computes_at_a_scheduler(cluster, stack, model, tmp_path, monkeypatch):
    call = ["upscale", stack, tmp_path / "out.zarr", "-m", tmp_path / "tiny.pth", "--scale", 2]
    options = ["--scheduler", cluster.scheduler_address, "--resources", "GPU=1"]
    result = CliRunner().invoke(app, [str(word) for word in (*call, *options)])
    assert result.exit_code == 0, result.output
    assert "3 planes" in result.output
    assert sr.read_image(tmp_path / "out.zarr").data.shape == (3, 180, 220)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scheduler", "tcp://127.0.0.1:1"], "does not answer"),
        (["--resources", "GPU=1"], "give --scheduler too"),
        (["--scheduler", "tcp://127.0.0.1:1", "--resources", "GPU"], "no names with amounts"),
        (["--scheduler", "tcp://127.0.0.1:1", "--dry-run"], "leave out --dry-run"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options, words, stack, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_sr.cli.cluster._TIMEOUT_S", 1)
    call = ["upscale", str(stack), str(tmp_path / "out.zarr"), "-m", "srcnn-x2", *options]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 2
    assert words in result.output


@pytest.mark.parametrize(
    ("source", "out", "words"),
    [
        ("missing.tif", "out.zarr", "missing.tif"),
        ("damaged.tif", "out.zarr", "damaged.tif"),
        ("in.ome.tif", "out.tif", "ends in .zarr"),
        ("in.ome.tif", "nowhere/out.zarr", "There is no folder"),
    ],
)
def test_the_input_is_checked_before_the_connection(source, out, words, stack, tmp_path, monkeypatch):
    connected = []
    monkeypatch.setattr("napari_sr.inference.cluster.upscaling.connect", lambda *args: connected.append(args))
    (tmp_path / "damaged.tif").write_bytes(b"II*\0 and no more")
    call = ["upscale", str(tmp_path / source), str(tmp_path / out), "-m", "srcnn-x2", "--scheduler", "tcp://node1:8786"]
    result = CliRunner().invoke(app, call)
    assert (result.exit_code, connected) == (2, [])
    assert words in " ".join(result.output.split())


def test_without_the_extra_the_remedy_is_named(stack, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(sr.InputError, match=r"napari-sr\[cluster\]"):
        sr.upscale_on_cluster(stack, tmp_path / "out.zarr", "srcnn-x2", object())


def test_resources_are_read():
    assert read_resources("GPU=1, memory=8e9") == {"GPU": 1.0, "memory": 8e9}
    assert read_resources(None) == {}


@pytest.mark.parametrize(
    "text", ["", "GPU", "GPU=", "=1", "GPU=one", "GPU=nan", "GPU=inf", "GPU=0", "GPU=-1", "GPU=1,"]
)
def test_resources_that_no_worker_can_give_are_refused(text):
    with pytest.raises(sr.InputError, match="no names with amounts"):
        read_resources(text)


def test_reports_of_blocks_are_added(model):
    image = np.random.default_rng(0).integers(0, 255, (2, 16, 16), np.uint8)
    job = sr.Job(model, sr.JobSettings(device="cpu"))
    one, other = (job.run(image, "ZYX", part=sr.Part(at={"Z": z})).report for z in (0, 1))
    both = joined(one, other)
    assert both.clipped == one.clipped + other.clipped
    assert both.strips == one.strips + other.strips
    assert both.device == one.device
