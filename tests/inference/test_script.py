"""Generated scripts give the same pixels at the same position in a new process."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from napari.layers import Image, Layer

from napari_sr.imaging.files import write_image
from napari_sr.imaging.intensity.spec import Percentiles
from napari_sr.imaging.napari_layer import PATH_KEY
from napari_sr.imaging.part import Part
from napari_sr.inference import Job, as_script, prepare_layer, run_layer
from napari_sr.networks import SRCNN, RRDBNet
from napari_sr.settings import JobSettings, Overlap
from napari_sr.widgets.formats.reader import read_layers
from napari_sr.zoo import load_model, load_pair
from tests.forked import Forks

RNG = np.random.default_rng(0)

RUNNER = """
import runpy, sys
import numpy as np
for script in sys.argv[1:]:
    found = runpy.run_path(script, init_globals=None, run_name="script")
    np.savez(script + ".npz", result=found["result"], layer=np.array(found["layer"], dtype=object))
"""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Files of two tiny ESRGANs and a bare SRCNN."""
    for seed in (0, 1):
        torch.manual_seed(seed)
        torch.save(RRDBNet(scale=4, features=8, growth=4, blocks=1).state_dict(), tmp_path / f"tiny{seed}.pth")
    torch.save(SRCNN(scale=3).state_dict(), tmp_path / "bare.pth")
    return tmp_path


def layers(folder: Path) -> dict[str, Image]:
    """Layers opened from files, as napari would."""
    sizes = {"Z": 0.3, "Y": 0.1, "X": 0.1}
    stack = RNG.integers(100, 4000, (2, 14, 17), np.uint16)
    write_image(folder / "stack.ome.tif", stack, "ZYX", sizes, "micrometer")
    write_image(folder / "colors.tif", RNG.integers(0, 256, (12, 13, 3), np.uint8), "YXC")
    write_image(folder / "both.ome.tif", RNG.integers(0, 999, (2, 11, 12), np.uint16), "CYX", sizes, "micrometer")
    opened = {}
    for name in ("stack.ome.tif", "colors.tif", "both.ome.tif"):
        from napari.layers._source import layer_source

        with layer_source(path=str(folder / name), reader_plugin="napari-sr"):
            opened[name.split(".")[0]] = Layer.create(*read_layers(str(folder / name))[-1])
    opened["stack"].rotate = (0, 0, 20)
    opened["stack"].translate = (1, 2, 3)
    opened["stack"].contrast_limits = (200, 3000)
    return opened


def drawn(folder: Path) -> list[tuple[Job, str, Part | None]]:
    """Ten settings, of all kinds."""
    one = load_model(str(folder / "tiny0.pth"))
    pair = load_pair(str(folder / "tiny0.pth"), str(folder / "tiny1.pth"), 0.3)
    kernel = load_model("srcnn-x2", upsampling="lanczos3")
    here: dict[str, Any] = {"device": "cpu"}
    return [
        (Job(load_model("srcnn-x2"), JobSettings(**here)), "stack", None),
        (Job(one, JobSettings(**here, tiling="none")), "colors", None),
        (Job(pair, JobSettings(**here)), "stack", Part(rows=(2, 9), columns=(3, 17), at={"Z": 1})),
        (Job(pair.with_mixing("images"), JobSettings(**here, intensity="contrast")), "stack", None),
        (Job(kernel, JobSettings(**here, intensity=(50.0, 3999.5))), "both", Part(columns=(0, 5))),
        (Job(one, JobSettings(**here, tiling=Overlap(tile=16, overlap=4, blend=2))), "both", None),
        (Job(one, JobSettings(**here, target=2.5, precision="bfloat16")), "colors", None),
        (Job(one, JobSettings(**here, target="0.04 um", self_ensemble=True)), "stack", None),
        (Job(load_model(str(folder / "bare.pth"), scale=3), JobSettings(**here, batch=1, memory=10**7)), "stack", None),
        (Job(pair, JobSettings(**here, intensity=Percentiles(2, 97.5))), "both", Part(rows=(1, 8))),
    ]


def test_ten_settings_give_the_same_pixels_and_position_in_a_new_process(weights: Path) -> None:
    opened = layers(weights)
    expected = []
    scripts = []
    for n, (job, name, part) in enumerate(drawn(weights)):
        prepared = prepare_layer(job, opened[name], part=part)
        expected.append(run_layer(job, prepared))
        scripts.append(weights / f"script{n}.py")
        scripts[-1].write_text(as_script(job, prepared), encoding="utf-8")
        assert expected[-1].layer_data[1]["metadata"]["napari_sr"]["script"] == as_script(job, prepared)
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *map(str, scripts)], capture_output=True, text=True, cwd=weights, check=False
    )
    assert done.returncode == 0, done.stderr
    for script, result in zip(scripts, expected, strict=True):
        data, kwargs, _ = result.layer_data
        with np.load(f"{script}.npz", allow_pickle=True) as found:
            assert found["result"].dtype == data.dtype
            assert np.array_equal(found["result"], data)
            again, source = Image(found["result"], **found["layer"].item()), Layer.create(data, kwargs, "image")
        assert again.name == source.name
        assert again.units == source.units
        assert again.rgb == source.rgb
        assert np.array_equal(
            again._transforms[1:].simplified.affine_matrix, source._transforms[1:].simplified.affine_matrix
        )


def test_a_lazy_script_reads_and_writes_in_parts(forks: Forks, weights: Path) -> None:
    layer = layers(weights)["both"]
    job = Job(load_model("srcnn-x2"), JobSettings(device="cpu"))
    prepared = prepare_layer(job, layer)
    expected = run_layer(job, prepared).layer_data[0]
    script = as_script(job, prepared, lazy=True)
    assert "lazy=True" in script
    assert "sr.upscale_lazy(" in script
    (weights / "lazy.py").write_text(script, encoding="utf-8")
    forks.run(Path("lazy.py"), cwd=weights).check_returncode()
    from napari_sr.imaging import read_image

    (written,) = weights.glob("*-upscaled.ome.tif")
    assert np.abs(read_image(written).data.astype(int) - expected.astype(int)).max() <= 1


def test_a_script_writes_its_result_with_its_pixel_size(forks: Forks, weights: Path) -> None:
    layer = layers(weights)["stack"]
    job = Job(load_model("srcnn-x2"), JobSettings(device="cpu"))
    (weights / "script.py").write_text(as_script(job, prepare_layer(job, layer)), encoding="utf-8")
    forks.run(Path("script.py"), cwd=weights).check_returncode()
    from napari_sr.imaging import read_image

    image = read_image(weights / "stack-upscaled.ome.tif")
    assert image.data.shape == (2, 28, 34)
    assert image.pixel_size == pytest.approx({"Z": 0.3, "Y": 0.05, "X": 0.05})


@pytest.mark.parametrize("several", [False, True])
def test_a_script_writes_its_results_with_their_positions(forks: Forks, weights: Path, several: bool) -> None:
    """Each is that of its part, in the unit of the pixel size; a mirrored axis has none."""
    layer = layers(weights)["stack"]
    layer.rotate, layer.units = (0, 0, 0), ("nm", "um", "um")
    layer.scale, layer.translate = (500, 0.1, -0.1), (1000, 5, 7)
    job = Job(load_model("srcnn-x2"), JobSettings(device="cpu"))
    parts = [Part(rows=(2, 10)), Part(rows=(4, 10))][: 1 + several]
    script = as_script(job, *(prepare_layer(job, layer, part=part) for part in parts))
    (weights / "script.py").write_text(script, encoding="utf-8")
    forks.run(Path("script.py"), cwd=weights).check_returncode()
    from napari_sr.imaging import read_image

    written = sorted(weights.glob("*-upscaled*"))
    for path, place in zip(written, ((1.0, 5.175), (1.0, 5.375))[: len(parts)], strict=True):
        image = read_image(path)
        assert (image.pixel_size, image.unit) == (pytest.approx({"Z": 0.5, "Y": 0.05, "X": 0.05}), "micrometer")
        assert image.origin == pytest.approx(dict(zip("ZY", place, strict=True)))


def test_the_scripts_of_two_channels_of_a_file_write_files_of_different_names(forks: Forks, weights: Path) -> None:
    layers(weights)
    job = Job(load_model("srcnn-x2"), JobSettings(device="cpu"))
    for number, layer_data in enumerate(read_layers(str(weights / "both.ome.tif"))):
        layer = Layer.create(*layer_data)
        layer.metadata[PATH_KEY] = str(weights / "both.ome.tif")
        (weights / f"{number}.py").write_text(as_script(job, prepare_layer(job, layer)), encoding="utf-8")
        forks.run(Path(f"{number}.py"), cwd=weights).check_returncode()
    written = sorted(path.name for path in weights.glob("*-upscaled.ome.tif"))
    assert written == ["both-C0-upscaled.ome.tif", "both-C1-upscaled.ome.tif"]


def test_several_parts_are_one_script(forks: Forks, weights: Path) -> None:
    layer = layers(weights)["stack"]
    job = Job(load_model(str(weights / "tiny0.pth")), JobSettings(device="cpu", target="0.03 um"))
    parts = [None, Part(rows=(2, 9), columns=(3, 17), at={"Z": 1}), Part(columns=(0, 6))]
    prepared = [prepare_layer(job, layer, part=part) for part in parts]
    script = as_script(job, *prepared)
    (weights / "script.py").write_text(script, encoding="utf-8")
    forks.run(Path("script.py"), cwd=weights).check_returncode()
    from napari_sr.imaging import read_image

    found: dict[str, Any] = {"__name__": "script"}
    exec(compile(script, "script", "exec"), found)
    for number, one in enumerate(prepared):
        data, kwargs, _ = run_layer(job, one).layer_data
        assert np.array_equal(found["results"][number], data)
        again, source = Image(found["results"][number], **found["layers"][number]), Layer.create(data, kwargs, "image")
        assert again.name == source.name
        assert np.array_equal(
            again._transforms[1:].simplified.affine_matrix, source._transforms[1:].simplified.affine_matrix
        )
        written = read_image(weights / f"stack-upscaled-{number + 1}.ome.tif")
        assert np.array_equal(written.data.squeeze(), data.squeeze())
        own = dict(zip("ZYX", source.scale, strict=True))
        assert written.pixel_size == pytest.approx({letter: own[letter] for letter in written.pixel_size})


@pytest.mark.parametrize("changed", ["layer", "file"])
def test_a_script_stops_if_layer_and_file_have_other_pixels(forks: Forks, weights: Path, changed: str) -> None:
    layer = layers(weights)["colors"]
    if changed == "layer":
        layer.data = np.where(layer.data > 100, 0, layer.data)
    script = weights / "script.py"
    job = Job(load_model(str(weights / "tiny0.pth")), JobSettings(device="cpu"))
    script.write_text(as_script(job, prepare_layer(job, layer)), encoding="utf-8")
    if changed == "file":
        write_image(weights / "colors.tif", RNG.integers(0, 256, (12, 13, 3), np.uint8), "YXC")
    done = forks.run(script, cwd=weights)
    assert done.returncode == 1
    assert "colors.tif has not the pixels of the layer" in done.stderr
    assert not list(weights.glob("*upscaled*"))


def test_a_layer_without_a_file_has_a_line_to_fill_in(weights: Path) -> None:
    job = Job(load_model("srcnn-x2"))
    layer = Image(RNG.integers(0, 256, (8, 9), np.uint8), name='a "name"\nof two lines')
    script = as_script(job, prepare_layer(job, layer))
    assert "has no file: put its array here." in script
    with pytest.raises(SystemExit, match=r"This script is for an array of \(8, 9\) uint8"):
        exec(compile(script, "script", "exec"), {"__name__": "script"})
    filled = script.replace("image = None", "image = given")
    found: dict[str, Any] = {"__name__": "script", "given": layer.data}
    exec(compile(filled, "script", "exec"), found)
    assert np.array_equal(found["result"], run_layer(job, prepare_layer(job, layer)).layer_data[0])


def test_a_layer_from_a_file_that_is_not_read_has_a_line_to_fill_in(tmp_path: Path) -> None:
    """NumPy's are opened by napari's own reader."""
    from napari.layers._source import layer_source

    image = RNG.integers(0, 256, (8, 9), np.uint8)
    np.save(tmp_path / "image.npy", image)
    with layer_source(path=str(tmp_path / "image.npy"), reader_plugin="napari"):
        layer = Image(image, name="image")
    job = Job(load_model("srcnn-x2"))
    script = as_script(job, prepare_layer(job, layer))
    assert 'The layer "image" has a file that napari-sr does not read: put its array here.' in script
    assert "read_image" not in script
    found: dict[str, Any] = {"__name__": "script", "given": image}
    exec(compile(script.replace("image = None", "image = given"), "script", "exec"), found)
    assert np.array_equal(found["result"], run_layer(job, prepare_layer(job, layer)).layer_data[0])


def test_the_metadata_contain_the_whole_job(weights: Path) -> None:
    pair = load_pair(str(weights / "tiny0.pth"), str(weights / "tiny1.pth"), 0.3)
    job = Job(
        pair, JobSettings(tiling=Overlap(tile=16, overlap=4, blend=2), intensity=Percentiles(1, 99), target="0.04 um")
    )
    layer = layers(weights)["both"]
    facts = run_layer(job, prepare_layer(job, layer)).layer_data[1]["metadata"]["napari_sr"]
    assert facts["job"]["model"]["source"] == [str(weights / "tiny0.pth"), str(weights / "tiny1.pth")]
    assert facts["job"]["model"]["alpha"] == 0.3
    assert facts["job"]["tiling"] == {"tile": 16, "overlap": 4, "blend": 2}
    assert facts["job"]["intensity"] == {"percentiles": [1, 99]}
    assert facts["job"]["target"] == "0.04 um"
    assert facts["source"] == {"name": "both [1]", "path": str(weights / "both.ome.tif"), "channel": (0, 1)}
    assert facts["mixing"] == "weights"
    ast.parse(facts["script"])
