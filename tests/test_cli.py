"""The command line writes and prints results; an error is one sentence, status 2 and no file."""

import csv
import io
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from typer.testing import CliRunner

from napari_sr import __version__
from napari_sr.cli import app
from napari_sr.errors import InputError
from napari_sr.evaluation import bicubic, evaluate
from napari_sr.imaging.files import read_image, write_image
from napari_sr.inference import Job
from napari_sr.inference.run.work import Work
from napari_sr.networks import SRCNN, RRDBNet
from napari_sr.settings import TILINGS, JobSettings, Overlap
from napari_sr.zoo import load_model, write_model
from tests.imaging.files.made import in_several_files

MODULE = "from napari_sr.cli import main; main()"


@pytest.fixture(autouse=True)
def model_folder(tmp_path, monkeypatch):
    """The user's folder of models, with an ESRGAN x4 and an SRCNN, both tiny and untrained."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("NAPARI_SR_MODELS", str(folder))
    torch.manual_seed(0)
    torch.save(RRDBNet(scale=4, features=8, growth=4, blocks=1).state_dict(), folder / "tiny.pth")
    torch.save(SRCNN(scale=2).state_dict(), folder / "tiny-srcnn.pth")
    return folder


@pytest.fixture
def stack(tmp_path):
    """A Z stack of uint16 with its pixel size in micrometers."""
    data = np.random.default_rng(0).integers(100, 4000, (3, 16, 20), np.uint16)
    path = tmp_path / "stack.tif"
    write_image(path, data, "ZYX", {"Z": 0.3, "Y": 0.1, "X": 0.1}, "micrometer")
    return path


def napari_sr(*arguments, status=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, (result.exit_code, result.output, result.exception)
    return result


def refusal(*arguments):
    """Run a command that fails, and return the sentence on standard error."""
    result = napari_sr(*arguments, status=2)
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("napari-sr: ")
    assert lines[0].endswith((".", "?"))
    return lines[0]


def raising(error):
    """Return a function that raises an error."""

    def fail(*arguments, **settings):
        raise error

    return fail


def written(path):
    """Return the finest level of an OME-Zarr, its axes, and its pixel sizes."""
    group = zarr.open_group(path, mode="r")
    (image,) = group.attrs["ome"]["multiscales"]
    level = image["datasets"][0]
    scale = next(entry for entry in level["coordinateTransformations"] if entry["type"] == "scale")["scale"]
    return group[level["path"]], image["axes"], scale


def in_process(*arguments, **environment):
    """Run the command line in another process."""
    return subprocess.run(
        [sys.executable, "-c", MODULE, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


@pytest.mark.parametrize("command", [(), ("upscale",), ("models",), ("train",)])
def test_h_is_the_same_as_help(command):
    assert napari_sr(*command, "-h").stdout == napari_sr(*command, "--help").stdout
    assert "-h, --help" in napari_sr(*command, "-h").stdout


@pytest.mark.parametrize(
    ("arguments", "missing"), [(("in.tif", "-m", "tiny"), "OUT"), (("-m", "tiny", "in.tif"), "OUT"), ((), "IN")]
)
def test_of_in_and_out_the_missing_one_is_named(arguments, missing):
    assert f"Missing argument '{missing}'." in napari_sr("upscale", *arguments, status=2).stderr


@pytest.mark.parametrize(
    "command",
    [
        ("upscale", "https://example.org/a", "b.tif", "out", "--model", "tiny"),
        ("degrade", "https://example.org/a", "out", "--model", "tiny.toml", "--scale", "2"),
        ("evaluate", "https://example.org/a", "out", "--scale", "2"),
    ],
)
def test_images_at_an_address_are_refused_as_such(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text("")
    assert '"https://example.org/a" is an address, not a file' in refusal(*command)


@pytest.mark.parametrize("ending", [".tif", ".ome.tif"])
def test_upscale_keeps_axes_and_unit_and_divides_the_pixel_size(stack, tmp_path, ending):
    out = tmp_path / f"out{ending}"
    result = napari_sr("upscale", stack, out, "--model", "tiny", "--device", "cpu")
    written = read_image(out)
    assert (written.data.shape, written.data.dtype, written.axes) == ((3, 64, 80), np.uint16, "ZYX")
    assert written.unit == "micrometer"
    assert written.pixel_size == pytest.approx({"Z": 0.3, "Y": 0.025, "X": 0.025})
    assert result.stdout.startswith(f"{out}: tiny x4 on cpu in float32, 3 planes")
    assert len(result.stdout.splitlines()) == 1


def test_upscale_gives_the_pixels_of_the_job(stack, tmp_path):
    out = tmp_path / "out.tif"
    sizes = ("--tile", 12, "--overlap", 3, "--blend", 1)
    napari_sr("upscale", stack, out, "-m", "tiny", *sizes, "--intensity", "100,4000", "--device", "cpu", "-q")
    job = Job(
        load_model("tiny"),
        JobSettings(device="cpu", tiling=Overlap(tile=12, overlap=3, blend=1), intensity=(100, 4000)),
    )
    assert np.array_equal(read_image(out).data, job.run(read_image(stack).data, "ZYX").data)


def test_tiling_is_exact_by_default(stack, tmp_path):
    for arguments, words in (
        ((), "exact, "),
        (("--tiling", "overlap"), "tiles of 256 pixels with 32 of overlap"),
        (("--overlap", 3), "tiles of 256 pixels with 3 of overlap"),
        (("--tiling", "none"), "each plane whole"),
    ):
        result = napari_sr("upscale", stack, tmp_path / "out.tif", "-m", "tiny", "--overwrite", *arguments)
        assert f"3 planes, {words}" in result.stdout


@pytest.mark.parametrize(
    ("text", "memory"),
    [
        ("auto", "auto"),
        ("123456", 123456),
        ("500MiB", 500 * 2**20),
        ("2GiB", 2**31),
        ("1.5 gib", 3 * 2**29),
        ("2GB", 2 * 10**9),
        ("64kB", 64000),
    ],
)
def test_memory_is_bytes_or_a_number_with_its_unit(text, memory, stack, tmp_path, monkeypatch):
    jobs = []
    refused = raising(InputError("."))
    monkeypatch.setattr(Job, "run_region", lambda job, *arguments, **settings: jobs.append(job) or refused())
    napari_sr("upscale", stack, tmp_path / "out.tif", "-m", "tiny", "--memory", text, status=2)
    assert [job.settings.memory for job in jobs] == [memory]


def test_self_ensemble_and_batch_reach_the_job(stack, tmp_path):
    out = tmp_path / "out.tif"
    napari_sr("upscale", stack, out, "-m", "tiny", "--self-ensemble", "--batch", 2, "--device", "cpu", "-q")
    job = Job(load_model("tiny"), JobSettings(device="cpu", self_ensemble=True, batch=2))
    assert np.array_equal(read_image(out).data, job.run(read_image(stack).data, "ZYX").data)


def test_progress_is_counted_in_rows_up_to_the_last(stack, tmp_path, monkeypatch):
    calls = []

    class Bar:
        def __init__(self, **settings):
            self.n, self.total = 0, None

        def update(self, more):
            self.n += more
            calls.append((self.n, self.total))

        def close(self):
            calls.append("closed")

    monkeypatch.setattr("tqdm.tqdm", Bar)
    for ending in (".tif", ".zarr"):
        calls.clear()
        napari_sr("upscale", stack, tmp_path / f"out{ending}", "-m", "tiny")
        assert calls[0] == (0, 60)
        assert calls[-2:] == [(60, 60), "closed"]
        assert calls[:-1] == sorted(calls[:-1])


def test_store_is_written_with_its_axes_pixel_size_and_unit(stack, tmp_path):
    out = tmp_path / "out.zarr"
    result = napari_sr("upscale", stack, out, "-m", "tiny", "--device", "cpu")
    assert result.stdout.startswith(f"{out}: tiny x4 on cpu")
    level, axes, scale = written(out)
    job = Job(load_model("tiny"), JobSettings(device="cpu"))
    assert np.array_equal(level[:], job.run(read_image(stack).data, "ZYX").data)
    assert [(axis["name"], axis["unit"]) for axis in axes] == [(letter, "micrometer") for letter in "zyx"]
    assert scale == pytest.approx([0.3, 0.025, 0.025])


def test_store_has_no_unit_if_the_pixel_size_is_not_known(tmp_path):
    write_image(tmp_path / "in.png", np.random.default_rng(0).integers(0, 255, (12, 10, 3), np.uint8))
    napari_sr("upscale", tmp_path / "in.png", tmp_path / "out.zarr", "-m", "tiny-srcnn", "--scale", 2, "-q")
    level, axes, _ = written(tmp_path / "out.zarr")
    assert level.shape == (3, 24, 20)
    assert [axis["name"] for axis in axes] == ["c", "y", "x"]
    assert not any("unit" in axis for axis in axes)


def test_store_is_written_during_the_computation_and_not_from_memory(stack, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_sr.inference.output.destination.free_memory_of_host", lambda: 1)
    assert "memory" in refusal("upscale", stack, tmp_path / "out.tif", "-m", "tiny")
    napari_sr("upscale", stack, tmp_path / "out.zarr", "-m", "tiny", "-q")
    assert written(tmp_path / "out.zarr")[0].shape == (3, 64, 80)


def test_a_store_of_version_0_4_is_written(stack, tmp_path):
    napari_sr("upscale", stack, tmp_path / "new.zarr", "-m", "tiny", "-q")
    napari_sr("upscale", stack, tmp_path / "old.zarr", "-m", "tiny", "-q", "--ome-zarr", "0.4")
    new, old = read_image(tmp_path / "new.zarr"), read_image(tmp_path / "old.zarr")
    assert old.data.metadata.zarr_format == 2
    assert np.array_equal(new.data[:], old.data[:])
    assert (old.axes, old.pixel_size, old.unit) == (new.axes, new.pixel_size, new.unit)
    out = tmp_path / "out.tif"
    assert "a version of stores" in refusal("upscale", stack, out, "-m", "tiny", "--ome-zarr", "0.4")
    assert "give one of 0.5, 0.4" in refusal("upscale", stack, tmp_path / "b.zarr", "-m", "tiny", "--ome-zarr", "0.3")
    assert not out.exists()


def test_store_is_replaced_only_with_overwrite_and_only_by_a_complete_one(stack, tmp_path, monkeypatch):
    out = tmp_path / "out.zarr"
    zarr.create_array(out, shape=(2,), dtype=np.uint8)[:] = 7
    assert "exists already" in refusal("upscale", stack, out, "-m", "tiny")
    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr("napari_sr.inference.run.work.Work.run", raising(KeyboardInterrupt))
        napari_sr("upscale", stack, out, "-m", "tiny", "--overwrite", status=130)
    assert sorted(tmp_path.iterdir()) == before
    assert list(zarr.open_array(out, mode="r")[:]) == [7, 7]
    napari_sr("upscale", stack, out, "-m", "tiny", "--overwrite", "-q")
    assert sorted(tmp_path.iterdir()) == before
    assert written(out)[0].shape == (3, 64, 80)


def test_folder_that_is_not_a_store_or_contains_the_input_is_never_replaced(stack, tmp_path):
    precious = tmp_path / "precious.zarr"
    precious.mkdir()
    (precious / "thesis.txt").write_text("all of it")
    assert "not a Zarr store" in refusal("upscale", stack, precious, "-m", "tiny", "--overwrite")
    inside = precious / "stack.tif"
    inside.write_bytes(stack.read_bytes())
    (precious / "zarr.json").write_text("{}")
    assert "is a folder" in refusal("upscale", inside, precious, "-m", "tiny", "--overwrite")
    assert sorted(path.name for path in precious.iterdir()) == ["stack.tif", "thesis.txt", "zarr.json"]
    assert "no folder" in refusal("upscale", stack, tmp_path / "none" / "out.zarr", "-m", "tiny")


def test_upscale_reads_and_writes_png_and_loads_a_weight_file_by_path(tmp_path, model_folder):
    image = tmp_path / "in.png"
    write_image(image, np.random.default_rng(0).integers(0, 255, (12, 10, 3), np.uint8))
    result = napari_sr(
        *("upscale", image, tmp_path / "out.png", "--model", model_folder / "tiny-srcnn.pth"),
        *("--scale", 2, "--upsampling", "lanczos3", "--quiet"),
    )
    assert result.output == ""
    assert read_image(tmp_path / "out.png").data.shape == (24, 20, 3)


def test_upscale_uses_the_given_axes(stack, tmp_path):
    napari_sr("upscale", stack, tmp_path / "out.tif", "-m", "tiny", "--axes", "tyx", "-q")
    result = read_image(tmp_path / "out.tif")
    assert (result.axes, result.data.shape) == ("TYX", (3, 64, 80))
    assert result.pixel_size == pytest.approx({"Y": 0.025, "X": 0.025})


def test_existing_file_is_replaced_only_with_overwrite(stack, tmp_path):
    out = tmp_path / "out.tif"
    out.write_bytes(b"precious")
    assert "exists already" in refusal("upscale", stack, out, "-m", "tiny")
    assert out.read_bytes() == b"precious"
    napari_sr("upscale", stack, out, "-m", "tiny", "--overwrite", "-q")
    assert read_image(out).data.shape == (3, 64, 80)


@pytest.mark.parametrize("name", ["out.tif", "out.zarr"])
def test_what_another_program_writes_meanwhile_is_replaced_only_with_overwrite(stack, tmp_path, monkeypatch, name):
    out = tmp_path / name
    run = Work.run

    def run_while_another_writes(self, *given, **options):
        if name.endswith(".zarr"):
            out.mkdir(exist_ok=True)
            (out / "zarr.json").write_text("precious")
        else:
            out.write_text("precious")
        return run(self, *given, **options)

    monkeypatch.setattr(Work, "run", run_while_another_writes)
    assert "exists already" in refusal("upscale", stack, out, "-m", "tiny")
    assert (out / "zarr.json" if out.is_dir() else out).read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({"models", name, stack.name})
    napari_sr("upscale", stack, out, "-m", "tiny", "--overwrite", "-q")
    result = written(out)[0] if out.is_dir() else read_image(out).data
    assert result.shape == (3, 64, 80)


@pytest.mark.parametrize("option", [("--alpha", 0.5), ("--mixing", "images"), ("--upsampling", "bilinear")])
def test_options_of_a_named_model_are_refused_with_auto(stack, tmp_path, option):
    assert f"{option[0]} is for a model that is chosen by name" in refusal(
        "upscale", stack, tmp_path / "out.tif", "-m", "auto", *option
    )


def test_input_is_never_replaced(stack):
    before = stack.read_bytes()
    assert "is a folder" in refusal("upscale", stack, stack.parent, "-m", "tiny", "--overwrite")
    assert "is the input itself" in refusal("upscale", stack, stack, "-m", "tiny", "--overwrite")
    assert stack.read_bytes() == before


def test_the_other_files_of_the_image_are_never_replaced(tmp_path):
    one, other, _ = in_several_files(tmp_path, np.zeros((3, 12, 16), np.uint16))
    before = other.read_bytes()
    for options in ((), ("--overwrite",)):
        assert "z1.ome.tif has a part of the image of" in refusal("upscale", one, other, "-m", "tiny", *options)
    assert other.read_bytes() == before


def bad_text(folder):
    (folder / "bad.pth").write_text("<html>Quota exceeded</html>")


def bad_truncated(folder):
    header = json.dumps({"w": {"dtype": "F32", "shape": [64], "data_offsets": [0, 256]}}).encode()
    (folder / "bad.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 100)


class Trap:
    """An object whose unpickling creates a file."""

    def __reduce__(self):
        return Path.touch, (Path("sprung"),)


def bad_pickle(folder):
    (folder / "bad.pkl").write_bytes(pickle.dumps({"conv1.weight": Trap()}))


@pytest.mark.parametrize(
    ("make", "name", "word"),
    [
        (bad_text, "bad.pth", "text file"),
        (bad_truncated, "bad.safetensors", "bad.safetensors"),
        (bad_pickle, "bad.pkl", "would run code"),
        (lambda folder: None, "missing.pth", "missing.pth"),
    ],
    ids=["text named .pth", "truncated .safetensors", "pickle that runs code", "missing"],
)
def test_weight_file_that_cannot_be_used(make, name, word, stack, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert word in refusal("upscale", stack, "out.tif", "--model", tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--model", "tiny", "--scale", 3), "3"),
        (("--model", "tinny"), "did you mean tiny"),
        (("--model", "tiny", "--alpha", 0.5), "leave alpha out"),
        (("--model", "tiny", "--upsampling", "bicubic"), "leave upsampling out"),
        (("--model", "tiny", "--axes", "QYX"), 'unknown letter "Q"'),
        (("--model", "tiny", "--axes", "YX"), "an image of 3 dimensions"),
        (("--model", "tiny", "--device", "abacus"), "The device 'abacus' does not exist"),
        (("--model", "tiny", "--precision", "float8"), "float8"),
        (("--model", "tiny", "--tiling", "mosaic"), "mosaic"),
        (("--model", "tiny", "--tiling", "none", "--tile", 64), "--tile is for overlapping tiles"),
        (("--model", "tiny", "--tiling", "exact", "--tile", 64), "--tile is for overlapping tiles"),
        (("--model", "tiny", "--tile", 10, "--overlap", 8), "leaves nothing"),
        (("--model", "tiny", "--memory", "plenty"), "such as 2GiB"),
        (("--model", "tiny", "--memory", "0"), "memory '0' is not a budget"),
        (("--model", "tiny", "--memory", "1GiB", "--tile", 128), "--memory is for exact tiling"),
        (("--model", "tiny", "--batch", "many"), "batch 'many' cannot be used"),
        (("--model", "tiny", "--batch", "0"), "batch 0 cannot be used"),
        (("--model", "tiny", "--intensity", "5,5"), "range (5, 5) is empty"),
        (("--model", "tiny", "--intensity", "5,x"), "'x' is not a number"),
        (("--model", "tiny", "--intensity", "bright"), "bright"),
    ],
)
def test_setting_that_does_not_exist(arguments, word, stack, tmp_path):
    assert word in refusal("upscale", stack, tmp_path / "out.tif", *arguments)
    assert not list(tmp_path.glob("*out.tif*"))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (np.full((8, 8), np.nan, np.float32), "NaN"),
        (np.full((8, 8), np.inf, np.float32), "infinite"),
    ],
)
def test_image_that_cannot_be_used(data, word, tmp_path):
    write_image(tmp_path / "in.tif", data)
    assert word in refusal("upscale", tmp_path / "in.tif", tmp_path / "out.tif", "-m", "tiny")
    assert not list(tmp_path.glob("*out.tif*"))


def test_file_that_is_not_an_image(tmp_path):
    (tmp_path / "in.tif").write_text("not an image")
    assert "cannot be read" in refusal("upscale", tmp_path / "in.tif", tmp_path / "out.tif", "-m", "tiny")
    assert "no image file" in refusal("upscale", tmp_path / "no.tif", tmp_path / "out.tif", "-m", "tiny")


@pytest.mark.parametrize(
    ("out", "word"), [("out.png", "one plane"), ("out.gif", "ending"), ("no/out.tif", "no folder")]
)
def test_format_that_cannot_hold_the_result_is_refused_before_the_work(out, word, stack, tmp_path, monkeypatch):
    monkeypatch.setattr(Job, "run_region", raising(AssertionError("the work had begun")))
    assert word in refusal("upscale", stack, tmp_path / out, "-m", "tiny")


def test_interruption_ends_with_130_and_nothing_written(stack, tmp_path, monkeypatch):
    monkeypatch.setattr(Job, "run_region", raising(KeyboardInterrupt))
    before = sorted(tmp_path.iterdir())
    result = napari_sr("upscale", stack, tmp_path / "out.tif", "-m", "tiny", status=130)
    assert result.stderr == "Stopped: no incomplete file is left.\n"
    assert sorted(tmp_path.iterdir()) == before


def test_disk_that_is_full_is_a_sentence(stack, tmp_path, monkeypatch):
    monkeypatch.setattr(Job, "run_region", raising(OSError(28, "No space left on device", "disk")))
    assert "disk: No space left on device: make room" in refusal("upscale", stack, tmp_path / "out.tif", "-m", "tiny")


def test_models_lists_the_available_ones_and_the_addresses_of_others(model_folder):
    lines = napari_sr("models").stdout.splitlines()
    assert re.split(r"\s{2,}", lines[0]) == ["NAME", "FAMILY", "FACTOR", "COLOR", "DOMAIN", "WHERE", "LICENSE"]
    assert any(line.startswith("tiny ") and "user" in line for line in lines)
    get = next(n for n, line in enumerate(lines) if "put it into" in line)
    assert str(model_folder) in lines[get]
    published = next(line for line in lines[get:] if "RealESRGAN_x4plus " in line)
    assert "RealESRGAN_x4plus.pth" in published and "https://" in published


def test_models_shows_any_license_on_one_line_without_control_characters(model_folder):
    model = load_model("srcnn-x2")
    card = model.card.model_copy(update={"name": "theirs", "license": "MIT\n\x1b[31mred"})
    write_model(model_folder / "theirs.safetensors", card, model.endpoints)
    lines = napari_sr("models").stdout.splitlines()
    assert next(line for line in lines if line.startswith("theirs ")).endswith("MIT  [31mred")


def test_models_as_json():
    records = {record["name"]: record for record in json.loads(napari_sr("models", "--json").stdout)}
    assert records["tiny"]["where"] == "user"
    assert Path(records["tiny"]["path"]).name == "tiny.pth"
    assert records["RealESRGAN_x4plus"]["url"].endswith("RealESRGAN_x4plus.pth")


def test_models_names_unusable_files(model_folder):
    (model_folder / "broken.safetensors").write_bytes(b"\x08")
    lines = napari_sr("models").stdout.splitlines()
    assert any(line.startswith("broken ") and "unusable" in line for line in lines)
    assert any(line.startswith("broken: ") for line in lines)


@pytest.fixture
def pairs(tmp_path):
    """A folder of low-resolution images and one of their references."""
    low, high = tmp_path / "low", tmp_path / "high"
    low.mkdir()
    high.mkdir()
    rng = np.random.default_rng(0)
    for name, extra in (("ape", 0), ("bee", 1)):
        write_image(low / f"{name}x2.png", rng.integers(0, 255, (16, 18), np.uint8))
        write_image(high / f"{name}.png", rng.integers(0, 255, (32 + extra, 36), np.uint8))
    return low, high


def test_evaluate_prints_each_image_the_mean_and_the_protocol(pairs):
    low, high = pairs
    lines = napari_sr("evaluate", low, high, "--model", "bicubic", "--model", "nearest").stdout.splitlines()
    assert lines[0].split() == ["image", "bicubic", "PSNR", "bicubic", "SSIM", "nearest", "PSNR", "nearest", "SSIM"]
    assert [line.split()[0] for line in lines[1:4]] == ["ape", "bee", "mean"]
    cells = [line.split() for line in lines[1:4]]
    expected = evaluate(bicubic(read_image(low / "apex2.png").data, 2), read_image(high / "ape.png").data, scale=2)
    assert cells[0][1:3] == [f"{expected.psnr:.2f}", f"{expected.ssim:.4f}"]
    assert float(cells[2][1]) == pytest.approx((float(cells[0][1]) + float(cells[1][1])) / 2, abs=0.011)
    assert "Protocol (ape): intensities as they are; border of 2 pixels" in lines[4]
    assert "Protocol (bee)" in lines[5] and "reference cut" in lines[5]


def test_evaluate_csv_and_json_hold_the_same(pairs):
    rows = list(csv.DictReader(io.StringIO(napari_sr("evaluate", *pairs, "-m", "bicubic", "--csv").stdout)))
    records = json.loads(napari_sr("evaluate", *pairs, "-m", "bicubic", "--json").stdout)
    assert [(row["image"], row["method"], float(row["psnr"]), row["protocol"]) for row in rows] == [
        (record["image"], record["method"], record["psnr"], record["protocol"]) for record in records
    ]


def test_evaluate_states_the_lattice_of_images_that_are_large_enough(tmp_path):
    rng = np.random.default_rng(0)
    high = rng.integers(0, 255, (80, 90), np.uint8)
    woven = high.copy()
    woven[::2, ::2] = np.clip(woven[::2, ::2].astype(int) + 60, 0, 255)
    for name, image in (("high.png", high), ("woven.png", woven)):
        write_image(tmp_path / name, image)
    arguments = ("evaluate", tmp_path / "woven.png", tmp_path / "high.png", "--scale", 2)
    expected = evaluate(woven, high, scale=2)
    (record,) = json.loads(napari_sr(*arguments, "--json").stdout)
    assert (record["lattice"], record["reference_lattice"]) == (expected.lattice, expected.reference_lattice)
    assert record["lattice"] > 2 * record["reference_lattice"]
    line = next(line for line in napari_sr(*arguments).stdout.splitlines() if line.startswith("Lattice"))
    assert f"results {expected.lattice:.2f}, references {expected.reference_lattice:.2f}." in line


def test_evaluate_upscales_with_models_and_their_settings(pairs):
    low, high = pairs
    arguments = (
        "-m",
        "tiny-srcnn",
        "--scale",
        2,
        "--upsampling",
        "bilinear",
        "--border",
        3,
        "--device",
        "cpu",
        "--json",
    )
    (record,) = json.loads(napari_sr("evaluate", low / "apex2.png", high / "ape.png", *arguments).stdout)
    job = Job(load_model("tiny-srcnn", scale=2, upsampling="bilinear"), JobSettings(device="cpu"))
    expected = evaluate(
        job.run(read_image(low / "apex2.png").data).data, read_image(high / "ape.png").data, scale=2, border=3
    )
    assert record["method"] == "tiny-srcnn"
    assert (record["psnr"], record["ssim"]) == (expected.psnr, expected.ssim)


def test_evaluate_uses_exact_tiling_and_the_self_ensemble(pairs, monkeypatch):
    low, high = pairs
    jobs, run = [], Job.run
    monkeypatch.setattr(Job, "run", lambda job, *arguments, **settings: jobs.append(job) or run(job, *arguments))
    arguments = ("evaluate", low / "apex2.png", high / "ape.png", "-m", "tiny-srcnn", "--scale", 2)
    napari_sr(*arguments)
    napari_sr(*arguments, "--self-ensemble", "--memory", "100MB")
    assert [(job.settings.tiling, job.settings.memory, job.settings.self_ensemble) for job in jobs] == [
        ("exact", "auto", False),
        ("exact", 10**8, True),
    ]


def test_evaluate_compares_results_without_a_model(pairs):
    _, high = pairs
    (record, _) = json.loads(napari_sr("evaluate", high, high, "--scale", 2, "--json").stdout)
    assert (record["psnr"], record["method"]) == (None, "")
    assert "inf" in napari_sr("evaluate", high, high, "--border", 4).stdout


@pytest.mark.parametrize(
    "options",
    [
        ("--alpha", ".5"),
        ("--upsampling", "nearest"),
        ("--self-ensemble",),
        ("--tiling", "none"),
        ("--tile", 128),
        ("--blend", 4),
        ("--memory", "1GiB"),
    ],
)
def test_evaluate_refuses_options_that_have_no_effect(pairs, options):
    low, high = pairs
    sentence = f"{options[0]} has no effect with"
    assert f"{sentence} bicubic or nearest: leave it out" in refusal(
        "evaluate", low, high, "-m", "bicubic", "-m", "nearest", *options
    )
    assert f"{sentence} no model" in refusal("evaluate", high, high, "--scale", 2, *options)
    if options == ("--upsampling", "nearest"):
        arguments = ("-m", "bicubic", "-m", "tiny-srcnn", "--scale", 2)
        assert "tiny-srcnn" in napari_sr("evaluate", low, high, *arguments, *options).stdout


def test_evaluate_refuses_images_that_cannot_be_compared(pairs):
    low, high = pairs
    assert "give --scale" in refusal("evaluate", high, high)
    assert "compare images of one field" in refusal("evaluate", low, high, "--scale", 2)
    assert "CSV or JSON" in refusal("evaluate", low, high, "-m", "bicubic", "--csv", "--json")
    assert "no file or folder" in refusal("evaluate", low / "none", high, "-m", "bicubic")
    assert "tiny" in refusal("evaluate", low, high, "-m", "tiny")
    (high / "bee.png").unlink()
    assert "beex2.png is without a counterpart" in refusal("evaluate", low, high, "-m", "bicubic")


def test_demo_without_a_display_writes_files_and_the_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.setenv("WAYLAND_DISPLAY", "")
    monkeypatch.setattr(sys, "platform", "linux")
    result = napari_sr("demo", "--out", tmp_path / "demo", "--model", "tiny", "--sample", "electron")
    assert "No window was opened: there is no display." in result.stdout
    assert re.search(r"tiny PSNR -?[\d.]+ dB, SSIM -?[\d.]+; bicubic PSNR [\d.]+ dB", result.stdout)
    result = read_image(tmp_path / "demo" / "electron-result.tif")
    assert (result.data.shape, result.pixel_size, result.unit) == ((512, 512), {"Y": 8, "X": 8}, "nanometer")
    assert (tmp_path / "demo" / "electron-side-by-side.png").is_file()


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="displays have no names there")
def test_demo_on_a_display_that_does_not_exist_writes_files_and_the_reason(tmp_path, monkeypatch):
    pytest.importorskip("qtpy.QtWidgets")
    monkeypatch.setenv("DISPLAY", ":7707")
    monkeypatch.setenv("WAYLAND_DISPLAY", "")
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    result = napari_sr("demo", "--out", tmp_path / "demo", "--model", "tiny", "--sample", "electron")
    assert "No window was opened: Qt cannot use the display (" in result.stdout
    assert (tmp_path / "demo" / "electron-result.tif").is_file()


def test_demo_with_a_display_opens_the_window(monkeypatch):
    opened = []
    monkeypatch.setenv("DISPLAY", ":0")
    # Qt opens windows on this platform without a display.
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    demo = pytest.importorskip("napari_sr.widgets.demo")
    monkeypatch.setattr(demo, "open_demo", lambda *arguments: opened.append(arguments))
    napari_sr("demo", "--sample", "electron", "--model", "tiny")
    assert opened == [("electron", "tiny")]


def test_demo_refuses_a_model_of_another_factor_and_writes_nothing(tmp_path, model_folder):
    out = tmp_path / "demo"
    torch.save(RRDBNet(scale=2, features=8, growth=4, blocks=1).state_dict(), model_folder / "double.pth")
    assert "double" in refusal("demo", "--no-window", "--out", out, "--model", "double")
    assert "'plankton'" in refusal("demo", "--no-window", "--out", out, "--sample", "plankton")
    assert not out.exists()


def test_help_needs_neither_torch_nor_numpy():
    program = "import sys, napari_sr.cli; print(*{'torch', 'numpy', 'napari'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    assert all(tiling in napari_sr("upscale", "--help").stdout for tiling in TILINGS)


def test_refusal_of_the_process_is_status_2_without_a_traceback(stack, tmp_path):
    done = in_process("upscale", stack, tmp_path / "out.tif", "--model", "tiny", "--axes", "QYX")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr


def test_usage_error_is_status_2():
    done = in_process("upscale", "only-one-file.tif")
    assert done.returncode == 2
    assert "Missing" in done.stderr and "Traceback" not in done.stderr


def test_version_is_printed():
    assert napari_sr("--version").stdout == f"napari-sr {__version__}\n"


def test_a_factor_or_a_pixel_size_may_be_given(tmp_path, stack):
    napari_sr("upscale", stack, tmp_path / "factor.ome.tif", "-m", "tiny", "--factor", "2.5")
    image = read_image(tmp_path / "factor.ome.tif")
    assert image.data.shape == (3, 40, 50)
    assert image.pixel_size == pytest.approx({"Z": 0.3, "Y": 0.04, "X": 0.04})
    napari_sr("upscale", stack, tmp_path / "size.zarr", "-m", "tiny", "--pixel-size", "50 nm")
    assert written(tmp_path / "size.zarr")[0].shape == (3, 32, 40)
    for options, words in (
        (["--factor", "2", "--pixel-size", "5 um"], "contradict each other"),
        (["--pixel-size", "0.05"], "has no unit"),
        (["--pixel-size", "0.05 miles"], "neither a factor nor a pixel size"),
    ):
        assert words in refusal("upscale", stack, tmp_path / "no.tif", "-m", "tiny", *options)


def test_a_dry_run_prints_the_estimate_and_writes_nothing(tmp_path, stack):
    estimate = napari_sr("upscale", stack, tmp_path / "out.tif", "-m", "tiny", "--dry-run").stdout
    assert estimate.startswith("3 x 16 x 20 uint16, 0.1 µm -> 3 x 64 x 80, 0.025 µm, 30 KiB, ")
    assert estimate.strip().endswith("on this CPU")
    assert not (tmp_path / "out.tif").exists()


def test_percentiles_may_be_given(tmp_path, stack):
    out = tmp_path / "out.tif"
    napari_sr("upscale", stack, out, "-m", "tiny", "--intensity", "percentile:5,95")
    assert out.exists()
    assert "not in order" in refusal(
        "upscale", stack, tmp_path / "no.tif", "-m", "tiny", "--intensity", "percentile:9,5"
    )


def test_an_ome_zarr_contains_axes_and_sizes(tmp_path, stack):
    out = tmp_path / "out.ome.zarr"
    napari_sr("upscale", stack, out, "-m", "tiny", "-q")
    group = zarr.open_group(out, mode="r")
    assert group["0"].shape == (3, 64, 80)
    scale, _ = group.attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == pytest.approx([0.3, 0.025, 0.025])
    assert "exists already" in refusal("upscale", stack, out, "-m", "tiny", "-q")
    napari_sr("upscale", stack, out, "-m", "tiny", "-q", "--overwrite", "--factor", "2")
    assert zarr.open_group(out, mode="r")["0"].shape == (3, 32, 40)


def test_a_former_name_of_a_model_is_a_note_without_a_place_in_the_code(tmp_path):
    write_image(tmp_path / "a.tif", np.random.default_rng(0).integers(0, 255, (8, 9), np.uint8), "YX")
    command = [sys.executable, "-m", "napari_sr", "upscale", str(tmp_path / "a.tif"), str(tmp_path / "b.tif")]
    done = subprocess.run([*command, "-m", "srcnn-electron-x2", "-q"], capture_output=True, text=True, check=True)
    assert done.stderr.startswith("Note: The model srcnn-electron-x2 was replaced by srcnn-microscopy-x2")
    assert ".py" not in done.stderr
