"""Two processes that share a batch have the same losses as one."""

import os
import subprocess
import sys
from socket import socket

import numpy as np
import pytest

from napari_sr import InputError
from napari_sr.imaging.files import write_image
from napari_sr.training.loop.log import read_curves
from napari_sr.training.processes import ProcessSettings, train_in_processes, train_on_nodes
from napari_sr.training.recipe import Data, ImageSet


@pytest.fixture
def from_file(tmp_path, textured):
    write_image(tmp_path / "texture.png", textured())

    def make(recipe, folder):
        data = Data(images=(ImageSet(path="texture.png"),))
        recipe = recipe.model_copy(update={"data": data})
        return ProcessSettings(recipe=recipe, folder=tmp_path / folder, data=tmp_path, device="cpu")

    return make


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one_in_both_stages(from_file, gan, tmp_path):
    outcome = train_in_processes(from_file(gan, "two"), 2)
    from_file(gan, "one").training().run()
    assert outcome.finished
    one, two = (read_curves(tmp_path / name / "curves.csv") for name in ("one", "two"))
    assert len(one) == len(two) > 4
    for a, b in zip(one, two, strict=True):
        assert a["stage"] == b["stage"]
        for key in a.keys() - {"stage"}:
            assert (a[key] == "") == (b[key] == "")
            if a[key]:
                assert float(a[key]) == pytest.approx(float(b[key]), rel=2e-4, abs=1e-7), key


def test_a_batch_that_two_processes_cannot_share_is_refused_before_they_start(from_file, tiny):
    patches = tiny.patches.model_copy(update={"batch": 3})
    with pytest.raises(InputError, match="multiple of 2"):
        train_in_processes(from_file(tiny.model_copy(update={"patches": patches}), "two"), 2)


def test_patches_do_not_depend_on_the_process(from_file, tiny):
    patches = from_file(tiny, "run").training().prepare().patches
    batch = patches.batch(0, 3, [0, 1, 2, 3])
    shared = [patches.batch(0, 3, numbers) for numbers in ([0, 2], [1, 3])]
    assert np.array_equal(batch.low[0::2], shared[0].low)
    assert np.array_equal(batch.high[1::2], shared[1].high)


@pytest.mark.slow
def test_two_machines_have_the_losses_of_one(tiny, textured, tmp_path):
    # Each of the two calls of torchrun is a machine with one process.
    write_image(tmp_path / "texture.png", textured())
    data = Data(images=(ImageSet(path="texture.png"),))
    (tmp_path / "recipe.toml").write_text(tiny.model_copy(update={"data": data}).to_toml(), encoding="utf-8")
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["train", "recipe.toml", "--data", ".", "--out", "two", "--models", "models", "--name", "both"]
    command += ["--device", "cpu", "--num-nodes", "2", "-q"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc_per_node", "1"]
    launcher += ["--master_addr", "127.0.0.1", "--master_port", str(port)]
    machines = [
        subprocess.Popen(
            [*launcher, "--node_rank", str(rank), "-m", "napari_sr", *command],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    output = [machine.communicate(timeout=300)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], output
    assert [path.name for path in (tmp_path / "models").glob("*.safetensors")] == ["both.safetensors"]
    ProcessSettings(
        recipe=tiny.model_copy(update={"data": data}), folder=tmp_path / "one", data=tmp_path, device="cpu"
    ).training().run()
    one, two = (read_curves(tmp_path / name / "curves.csv") for name in ("one", "two"))
    losses = [[float(row["total"]) for row in rows if row["total"]] for rows in (one, two)]
    assert losses[0]
    assert losses[1] == pytest.approx(losses[0], rel=2e-4, abs=1e-7)


def test_machines_without_a_launcher_are_refused(from_file, tiny):
    with pytest.raises(InputError, match="by torchrun or by the batch system"):
        train_on_nodes(from_file(tiny, "two"), 1, 2)
