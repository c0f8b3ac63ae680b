"""The scripts of benchmarks/ can be imported, so that their commands in the documentation run."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

FOLDER = Path(__file__).parents[1] / "benchmarks"
#: Opens windows.
LEFT_OUT = {"window"}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="an sdist holds no benchmarks")


def test_all_scripts_can_be_imported(forks):
    names = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in LEFT_OUT)
    run = forks.run(f"import sys; sys.path[0] = {str(FOLDER)!r}; import {', '.join(names)}")
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--list", "none.toml"), "There is no list none.toml: give one like recipes/held_out.toml with --list."),
        (("failure-sky",), "there is no picture failure-sky: give one of failure-texture,"),
    ],
)
def test_what_does_not_exist_is_refused_in_a_sentence(forks, arguments, sentence, tmp_path):
    run = forks.run(FOLDER / "failures.py", tmp_path, *arguments, cwd=tmp_path)
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("benchmarks/first_table.py", "none"), "There are no images in none"),
        (("benchmarks/first_table.py", "none", "--scales", "5"), "invalid choice: 5"),
        (("benchmarks/inference.py", "--weights", "srcnn-x2", "--parts", "tensor"), "invalid choice: 'tensor'"),
        (("recipes/bundle.py", "RECIPE", "--data", "none"), "holds no finished training: run napari-sr train"),
    ],
)
def test_nothing_is_measured_where_the_images_the_part_or_the_training_do_not_exist(forks, command, sentence, tmp_path):
    recipe = FOLDER.parent / "recipes/srcnn-x2.toml"
    arguments = (recipe if part == "RECIPE" else part for part in command[1:])
    run = forks.run(FOLDER.parent / command[0], *arguments, cwd=tmp_path)
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr
    assert not any(tmp_path.iterdir())


def test_a_process_of_the_scale_benchmark_without_a_block_ends(forks):
    """It began the whole benchmark again."""
    run = forks.run(FOLDER / "scale.py", "--upscale", "0", "--side", "64", "--parts", "training")
    assert (run.returncode, run.stdout) == (0, "ready\n"), run.stderr


def test_plain_processes_share_all_blocks(forks):
    code = (
        "import runpy; shares = runpy.run_path('scale.py')['shares']; print(shares(36, 2), shares(9, 2), shares(1, 2))"
    )
    run = forks.run(code, cwd=FOLDER)
    assert run.stdout == "[18, 18] [5, 4] [1, 0]\n"


def test_the_help_of_plateaus_is_no_table(forks):
    assert forks.run(FOLDER / "plateaus.py", "--help").stdout.startswith("usage")


@pytest.fixture(scope="module")
def displacement():
    """The function of benchmarks/comparison/sharpness.py."""
    sys.path.insert(0, str(FOLDER))
    try:
        from comparison.sharpness import displacement
    finally:
        sys.path.remove(str(FOLDER))
    return displacement


def structures(shift=(0.0, 0.0), blur=0.0, side=128):
    """Smooth structures, displaced without interpolation, since they are a function of position."""
    y, x = np.meshgrid(np.arange(side) - shift[0], np.arange(side) - shift[1], indexing="ij")
    places = np.random.default_rng(0).uniform(0, side, (60, 2))
    variance = 2.0**2 + blur**2
    image = sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * variance)) for a, b in places)
    return 100 * 2.0**2 / variance * image


@given(dy=st.floats(-0.2, 0.2), dx=st.floats(-0.2, 0.2), blur=st.floats(0.0, 1.5), seed=st.integers(0, 99))
def test_a_displacement_is_measured_under_blur_and_added_detail(displacement, dy, dx, blur, seed):
    """Blur stands for a smooth result, and noise of high frequencies for invented detail."""
    noise = np.random.default_rng(seed).normal(0, 8, (128, 128))
    moved = structures((dy, dx), blur) + noise - gaussian_filter(noise, 1)
    assert abs(displacement(moved, structures()) - np.hypot(dy, dx)) < 0.01


def test_what_is_not_displaced_measures_as_not_displaced(displacement):
    assert displacement(structures(), structures()) == 0
    assert displacement(0.9 * structures(blur=1.0) + 5, structures()) < 0.005
