"""A signal ends a command without incomplete files, and with the way to continue where there is one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile
import torch
from PIL import Image
from typer.testing import CliRunner

from napari_sr.cli import app
from napari_sr.cli.signals import Ended, Signals
from napari_sr.errors import Cancelled
from napari_sr.imaging import atomic
from napari_sr.imaging.files import read_image, write_image
from napari_sr.inference.run.work import Work
from napari_sr.networks import RRDBNet
from napari_sr.training.controls import Controls

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
RECIPE = """
name = "tiny"
family = "esrgan"
precision = "float32"
patches = { size = 8, batch = 2, empty = 0.0 }
validation = { every = 5, block = 16, gap = 2 }
stages = [{ steps = 40, losses = [{ kind = "l1" }] }]

[network]
name = "RRDBNet"
settings = { scale = 2, in_channels = 1, out_channels = 1, features = 4, growth = 2, blocks = 1 }

[data]
images = [{ path = "in.tif" }]
"""

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal"),
    pytest.mark.usefixtures("signals_as_in_a_terminal"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with an image, a recipe, and a tiny model."""
    monkeypatch.setenv("NAPARI_SR_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = RRDBNet(scale=2, in_channels=1, out_channels=1, features=4, growth=2, blocks=1).state_dict()
    torch.save(weights, tmp_path / "models" / "tiny.pth")
    write_image(tmp_path / "in.tif", np.random.default_rng(0).integers(0, 255, (96, 96), np.uint8))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


def napari_sr(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def signaling(function, number, times=1):
    """Return a function that first sends signals to this process."""
    left = [times]

    def call(*arguments, **options):
        while left[0]:
            left[0] -= 1
            signal.raise_signal(number)
        return function(*arguments, **options)

    return call


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("ending", [".tif", ".ome.tif", ".png", ".zarr"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_during_the_computation_leaves_nothing(folder, monkeypatch, number, ending, times):
    before = everything(folder)
    monkeypatch.setattr(Work, "_compute_batch", signaling(Work._compute_batch, number, times))
    handlers = [signal.getsignal(known) for known in SIGNALS]
    result = napari_sr("upscale", "in.tif", f"out{ending}", "-m", "tiny", "--device", "cpu")
    assert (result.exit_code, result.stderr) == (128 + number, "Stopped: no incomplete file is left.\n")
    assert everything(folder) == before
    assert [signal.getsignal(known) for known in SIGNALS] == handlers


@pytest.mark.parametrize("ending", [".tif", ".ome.tif", ".png"])
def test_a_signal_while_the_file_is_written_leaves_nothing(folder, monkeypatch, ending):
    before = everything(folder)
    place = (tifffile, "imwrite") if ending != ".png" else (Image.Image, "save")
    original = getattr(*place)

    def interrupted(*arguments, **options):
        original(*arguments, **options)
        if any("out" in str(argument) for argument in arguments[:2]) and "napari-sr" not in str(arguments[:2]):
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(*place, interrupted)
    result = napari_sr("upscale", "in.tif", f"out{ending}", "-m", "tiny", "--device", "cpu")
    assert result.exit_code == 128 + signal.SIGTERM, result.output
    assert everything(folder) == before


def test_a_second_signal_while_temporary_files_are_deleted_leaves_nothing(folder, monkeypatch):
    before = everything(folder)
    monkeypatch.setattr(Work, "_compute_batch", signaling(Work._compute_batch, signal.SIGTERM))
    monkeypatch.setattr(atomic, "_delete", signaling(atomic._delete, signal.SIGTERM))
    result = napari_sr("upscale", "in.tif", "out.zarr", "-m", "tiny", "--device", "cpu")
    assert result.exit_code == 128 + signal.SIGTERM, result.output
    assert everything(folder) == before


def test_a_training_ends_after_its_step_and_says_how_it_continues(folder, monkeypatch):
    checks = []

    def check(controls, phase=""):
        checks.append(phase)
        if len(checks) == 12:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Controls, "check", check)
    result = napari_sr("train", "recipe.toml", "--out", "run", "--device", "cpu")
    assert result.exit_code == 128 + signal.SIGTERM, result.output
    assert "the same command continues from there" in result.stderr.splitlines()[-1]
    run = sorted(path.name for path in (folder / "run").iterdir())
    assert "last.pt" in run
    assert "lock.json" not in run
    assert not [name for name in run if name.startswith(".")]
    monkeypatch.undo()
    monkeypatch.setenv("NAPARI_SR_MODELS", str(folder / "models"))
    monkeypatch.chdir(folder)
    assert napari_sr("train", "recipe.toml", "--out", "run", "--device", "cpu").exit_code == 0
    assert "continued from step" in (folder / "run" / "train.log").read_text()


def test_a_training_that_is_ended_at_once_continues_from_its_last_checkpoint(folder, monkeypatch):
    checks = []

    def check(controls, phase=""):
        checks.append(phase)
        if len(checks) == 12:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Controls, "check", check)
    result = napari_sr("train", "recipe.toml", "--out", "run", "--device", "cpu")
    assert result.exit_code == 128 + signal.SIGTERM, result.output
    assert result.stderr.splitlines()[-1] == "Stopped: the same command continues from the last checkpoint in run."
    assert not [path for path in (folder / "run").iterdir() if path.name.startswith(".")]


def test_degrade_says_how_many_images_were_written(folder, monkeypatch):
    write_image(folder / "pictures.tif", read_image("in.tif").data)
    for number in range(3):
        (folder / "many").mkdir(exist_ok=True)
        write_image(folder / "many" / f"{number}.tif", read_image("in.tif").data)
    from napari_sr.training.data import degradation

    calls = []

    def degrade_image(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGTERM)
        return original(*arguments, **options)

    original = degradation.degrade_image
    monkeypatch.setattr(degradation, "degrade_image", degrade_image)
    result = napari_sr("degrade", "many", "low", "-m", "recipe.toml")
    assert result.exit_code == 128 + signal.SIGTERM, result.output
    assert "2 of 3 images were written to low" in result.stderr
    assert sorted(path.name for path in (folder / "low").iterdir()) == ["0.tif", "1.tif"]


def test_signals_that_are_ignored_remain_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            signal.raise_signal(signal.SIGHUP)
            assert not signals.cancel()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_work_that_ends_in_spite_of_a_signal_has_ended():
    with Signals() as signals:
        with signals.deferred():
            signal.raise_signal(signal.SIGTERM)
            result = "complete"
        assert result == "complete"
        with pytest.raises(Ended) as raised:
            signals.check()
    assert raised.value.status == 143


def test_a_cancellation_without_a_signal_is_no_signal():
    with Signals() as signals, pytest.raises(Cancelled):
        with signals.deferred():
            raise Cancelled("by another cause")


def test_importing_the_package_and_its_calls_install_no_handlers():
    program = """
import signal, numpy as np
known = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
before = [signal.getsignal(number) for number in known]
import napari_sr as sr, napari_sr.cli, napari_sr.training.training, napari_sr.imaging.atomic
sr.upscale(np.eye(8, dtype=np.uint8), "srcnn-x2", device="cpu")
assert [signal.getsignal(number) for number in known] == before
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_ctrl_c_while_modules_are_imported_is_as_later_on():
    program = """
import importlib.abc, signal, sys
class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "typer":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from napari_sr.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program, "models"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", f"{Ended.sentence}\n")


def test_a_window_is_closed_by_pythons_own_handler_of_ctrl_c():
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        with Signals() as signals:
            signals.hand_over()
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_a_process_that_gets_sigterm_leaves_nothing_and_ends_with_143(folder):
    """The test of the tests above, with a real process."""
    program = """
import sys, time
from napari_sr.inference.run.work import Work
from napari_sr.cli import main
compute = Work._compute_batch
def slow(*arguments):
    print("computing", flush=True)
    time.sleep(1)
    compute(*arguments)
Work._compute_batch = slow
main()
"""
    before = everything(folder)
    process = subprocess.Popen(
        [sys.executable, "-c", program, "upscale", "in.tif", "out.zarr", "-m", "tiny", "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
    )
    assert process.stdout.readline() == "computing\n"
    assert [Path(name).suffix for name in everything(folder) if name.startswith(".out") and "/" not in name] == [
        ".owner",
        ".part",
    ]
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (143, "Stopped: no incomplete file is left.\n")
    assert everything(folder) == before


@pytest.mark.slow
def test_several_processes_of_a_training_end_with_the_one_that_started_them(folder):
    long = RECIPE.replace("steps = 40", "steps = 4000")
    (folder / "long.toml").write_text(long)
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_sr", "train", "long.toml", "--out", "run", "--device", "cpu", "--devices", "2"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
    )
    log = folder / "run" / "train.log"
    while not (log.is_file() and "step 10" in log.read_text()) and process.poll() is None:
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert errors.splitlines()[-1] == "Stopped: the same command continues from the last checkpoint in run."
    _, running = psutil.wait_procs(children, timeout=5)
    assert not running
    names = [path.name for path in (folder / "run").iterdir()]
    assert "lock.json" not in names
    assert not [name for name in names if name.startswith(".")]
