"""The built package can be installed, contains its data and stubs, and is a valid napari plugin."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from napari_sr.samples import sources

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "napari_sr"
MEGABYTE = 1_000_000

pytestmark = pytest.mark.slow


def run_python(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the sdist, and the wheel from the sdist, without a network."""
    folder = tmp_path_factory.mktemp("dist")
    run_python("-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return {"wheel": next(folder.glob("*.whl")), "sdist": next(folder.glob("*.tar.gz"))}


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_manifest_is_valid_when_installed_from(built, kind, tmp_path):
    run_python(
        *("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"),
        *("--target", tmp_path, built[kind]),
    )
    where = run_python("-c", "import napari_sr; print(napari_sr.__file__)", PYTHONPATH=str(tmp_path))
    assert Path(where.strip()).is_relative_to(tmp_path), "the installed copy is the one that is validated"
    run_python("-m", "npe2", "validate", "--imports", "napari-sr", PYTHONPATH=str(tmp_path))


def test_manifest_is_valid_in_the_present_install():
    assert "Manifest for 'napari-sr' valid" in run_python("-m", "npe2", "validate", "--imports", "napari-sr")


def test_manifest_at_the_top_is_the_one_of_the_package():
    assert (ROOT / "napari.yaml").resolve() == PACKAGE / "napari.yaml"


def test_wheel_holds_every_file_of_the_package(built):
    with zipfile.ZipFile(built["wheel"]) as wheel:
        names = set(wheel.namelist())
    ours = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours <= names
    assert {"napari_sr/napari.yaml", "napari_sr/py.typed", "napari_sr/__init__.pyi"} <= names
    assert any(name.startswith("napari_sr/zoo/bundled/") and name.endswith(".safetensors") for name in names)
    assert any(name.startswith("napari_sr/samples/") and name.endswith(".tif") for name in names)
    assert built["wheel"].stat().st_size < 25 * MEGABYTE


def test_the_wheel_states_the_licenses_of_all_its_content(built):
    with zipfile.ZipFile(built["wheel"]) as wheel:
        metadata = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        lines = wheel.read(metadata).decode("utf-8").splitlines()
        notices = [name for name in wheel.namelist() if ".dist-info/licenses/" in name]
    (expression,) = (line.partition(": ")[2] for line in lines if line.startswith("License-Expression: "))
    assert set(expression.split(" AND ")) == {"BSD-3-Clause"} | {one["license"] for one in sources().values()}
    assert {Path(name).name for name in notices} == {"LICENSE", "electron-LICENSE.txt"}


def test_stubs_of_the_wheel_load_their_names(built, tmp_path):
    # lazy_loader reads the stubs at run time: without them, `import napari_sr` fails.
    with zipfile.ZipFile(built["wheel"]) as wheel:
        stubs = [name for name in wheel.namelist() if name.endswith("/__init__.pyi")]
        wheel.extractall(tmp_path)
    packages = [name.removesuffix("/__init__.pyi").replace("/", ".") for name in stubs]
    assert {"napari_sr", "napari_sr.imaging", "napari_sr.inference", "napari_sr.training", "napari_sr.zoo"} <= set(
        packages
    )
    program = "; ".join(f"from {package} import *" for package in packages)
    run_python("-c", program, PYTHONPATH=str(tmp_path))


def test_sdist_contains_the_tests_and_no_outputs(built):
    with tarfile.open(built["sdist"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"tests/test_packaging.py", "pyproject.toml", "tox.ini", "constraints.txt", "LICENSE"} <= names
    assert not any(name.startswith(("recipes/", "benchmarks/", "runs/")) for name in names)
