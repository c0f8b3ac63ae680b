"""Command lines of every kind, in this process: a right result, or exit status 1 or 2 and one sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from napari_sr import read_image, write_image
from napari_sr.cli import app

from .cases import cases, check_sentence

RUNNER = CliRunner()
FILES = {
    "gray.tif": np.random.default_rng(0).integers(0, 256, (12, 14), np.uint8),
    "stack.ome.tif": np.random.default_rng(1).random((2, 9, 8)).astype(np.float32),
    "rgb.png": np.random.default_rng(2).integers(0, 256, (10, 9, 3), np.uint8),
    "nan.tif": np.full((8, 8), np.nan, np.float32),
    "infinite.tif": np.where(np.eye(8) > 0, np.inf, 0.5).astype(np.float32),
    "constant.tif": np.full((8, 8), 7, np.uint16),
}
TEXTS = {
    "empty.tif": "",
    "broken.png": "\x89PNG",
    "text.txt": "text",
    "deep.toml": f"a = {'[' * 5000}{']' * 5000}",
    "wrong.toml": "stages = 3",
    "digits.toml": f"a = {'1' * 5000}",
    "recipe.toml": "stages = [{ steps = 1, losses = [{ kind = 'l1' }] }]\n[degradation]\nshrink = 'binning'\n",
    "weights.pth": "no weights",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with right and wrong files."""
    root = tmp_path_factory.mktemp("files")
    for name, image in FILES.items():
        write_image(root / name, image)
    for name, text in TEXTS.items():
        (root / name).write_text(text, encoding="latin-1")
    (root / "folder").mkdir()
    return root


@pytest.fixture(autouse=True)
def working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths are in the folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NAPARI_SR_MODELS", str(folder / "models"))


NUMBERS = st.one_of(
    st.sampled_from(["0", "-1", "1", "2", "2.5", "1e300", "1e308", "-1e308", "1e999", "nan", "inf", "-inf", "1e-320"]),
    st.sampled_from(["", "abc", "0x10", "1_000", "9" * 400, "1,5", "100,4095", "2GiB", "0.05 um", "x2"]),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(str),
)
WORDS = st.one_of(
    NUMBERS,
    st.sampled_from(
        ["auto", "cpu", "cuda:9", "mps", "float16", "bicubic", "exact", "overlap", "percentile:1,99", "fill", "0.4"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
# Of "/" all images of the computer would be upscaled.
INPUTS = st.sampled_from(
    [*FILES, *TEXTS, "folder", ".", "*.tif", "[", "missing.tif", "a\nb.tif", "x" * 300 + ".tif", ""]
)
OUTPUTS = st.sampled_from(
    ["out.tif", "out.ome.tif", "out.png", "out.zarr", "out.ome.zarr", "out.xyz", "folder", "gray.tif", "no/out.tif", ""]
)
MODELS = st.sampled_from(
    ["srcnn-x2", "srcnn-x3", "bicubic", "scrnn-x2", "zzz", "weights.pth", "missing.pth", "../../x", "recipe.toml"]
)
OPTIONS = {
    "upscale": "alpha scale upsampling mixing axes device precision tiling tile overlap blend memory batch intensity "
    "noise denoise blur missing factor pixel-size format devices ome-zarr",
    "degrade": "scale noise-scale seed",
    "evaluate": "scale channels border data-range alpha upsampling device tiling memory",
    "train": "device folder name low data",
}
FLAGS = ["--overwrite", "--dry-run", "--quiet", "--self-ensemble", "--json", "--csv", "-h", "--version", "--no-such"]


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command with its arguments, some of which are wrong."""
    command = draw(st.sampled_from(["upscale", "upscale", "degrade", "evaluate", "train", "models", "check", "upscal"]))
    line = [command]
    if command in ("upscale", "degrade"):
        line += [draw(INPUTS), draw(OUTPUTS), "--model", draw(MODELS)]
    elif command == "evaluate":
        line += [draw(INPUTS), draw(INPUTS)]
    elif command == "train":
        # Trainings that would run are tested elsewhere.
        line += [draw(st.sampled_from(["deep.toml", "wrong.toml", "digits.toml", "no.toml", "quik", "folder"]))]
    options = draw(st.lists(st.sampled_from(OPTIONS.get(command, "json").split()), max_size=3, unique=True))
    for option in options:
        line += [f"--{option}", draw(WORDS)]
    line += draw(st.lists(st.sampled_from(FLAGS), max_size=1 if draw(st.booleans()) else 0))
    # Without -h, --version and the like the command runs; `check` takes seconds.
    return line if command != "check" else ["check", "--no-such"]


def said(stderr: str) -> str:
    """The sentence of an error. The parser of options prints the usage before it, and no period."""
    text = stderr.strip()
    return f"{text.splitlines()[-1].rstrip('.')}." if text.startswith("Usage:") else text


@cases()
@given(lines())
def test_a_command_line_gives_a_result_or_one_sentence(line: list[str]) -> None:
    result = RUNNER.invoke(app, line, prog_name="napari-sr")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (0, 1, 2)
    assert "Traceback" not in result.output
    if result.exit_code:
        check_sentence(said(result.stderr))
    elif line[0] == "upscale" and (out := Path(line[2])).is_file() and out.name.startswith("out"):
        values = read_image(out).data
        assert values.size
        assert np.isfinite(values.astype(np.float64)).all() or "fill" in line
    assert not [path for path in Path().iterdir() if path.name.startswith(".") or ".part" in path.name]
    for path in [*Path().glob("out*"), *Path("folder").iterdir()]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
