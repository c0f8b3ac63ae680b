"""Small models in the user's folder, and a panel in a viewer."""

import gc
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from napari.settings import get_settings
from npe2 import PluginManager

from napari_sr.inference.job import Job
from napari_sr.inference.timing import speed
from napari_sr.networks import SRCNN, RRDBNet, SRResNet
from napari_sr.widgets.qt.executor import InPlaceExecutor
from napari_sr.widgets.upscale.families import ESRGANPanel, SRCNNPanel, SRGANPanel
from napari_sr.widgets.upscale.panel import UpscalePanel
from napari_sr.zoo import Architecture, Card, write_model
from napari_sr.zoo.card import Conditioning

PANELS = {"srcnn": SRCNNPanel, "srgan": SRGANPanel, "esrgan": ESRGANPanel}

#: A network that takes noise and blur.
CONDITIONED = {
    "features": 8, "growth": 4, "blocks": 1, "scale": 2, "in_channels": 1, "out_channels": 1, "bias": False,
    "zero_sum": True, "padding": "replicate", "skip": "bicubic", "noise_plane": True, "gate": 8, "first_kernel": 5,
}  # fmt: skip
RRDB = {"features": 8, "growth": 4, "blocks": 1, "scale": 4, "in_channels": 1, "out_channels": 1}


def weights(network: torch.nn.Module, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of a network, equal at every call."""
    generator = torch.Generator().manual_seed(seed)
    return {
        key: 0.1 * torch.randn(value.shape, generator=generator) if value.is_floating_point() else value
        for key, value in network.state_dict().items()
    }


def card(name: str, family: str, network: str, settings: dict[str, Any], **more: Any) -> Card:
    architecture = Architecture(network=network, settings=settings)
    color = "luma" if family == "srcnn" else "gray"
    return Card(
        name=name, family=family, architecture=architecture, scale=settings["scale"], channels=1, color=color, **more
    )


@pytest.fixture(autouse=True)
def suggest(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Sets the function by which panels compute suggestions; without a call they compute none, which is quicker."""

    def use(function: Any) -> None:
        monkeypatch.setattr(UpscalePanel, "suggest", function)

    use(None)
    return use


#: Speeds that were measured in this process, by all that they depend on.
SPEEDS: dict[str, float] = {}


@pytest.fixture(autouse=True)
def speeds_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The speed of a network is measured by the first panel that shows a time, not in each test."""

    def measure(job: Job, dtype: Any, rgb: bool = False, **more: Any) -> float:
        key = speed._key(job, dtype, rgb)
        if key in SPEEDS:
            speed.store_speed(job, dtype, rgb, SPEEDS[key])
        else:
            SPEEDS[key] = speed.measure_speed(job, dtype, rgb, **more)
        return SPEEDS[key]

    monkeypatch.setattr("napari_sr.inference.measure_speed", measure)


@pytest.fixture(scope="session")
def plugins() -> None:
    """The manifests of the installed plugins, which napari reads once in a process and its fixture before each test."""
    PluginManager.instance().discover(include_npe1=True)


@pytest.fixture
def make_napari_viewer(
    make_napari_viewer: Callable[..., Any], plugins: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """napari's viewers for tests, without work that is no part of a test.

    Several garbage collections in each test go through the objects of this test only. Each closed window leaves some
    thousand objects behind, and the fixture that is wrapped has asserted that the windows themselves are gone.
    """
    gc.collect()
    gc.freeze()
    monkeypatch.setattr(PluginManager, "discover", lambda *args, **kwargs: 0)
    # Else the file of settings is written at each change.
    monkeypatch.setattr(type(get_settings()), "_maybe_save", lambda settings: None)
    return make_napari_viewer


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of tiny models, of which each test has its own copies."""
    files = tmp_path_factory.mktemp("model-files")
    folder = files / "models"
    folder.mkdir()
    for scale in (2, 3):
        settings = {"scale": scale, "features": (4, 4)}
        state = {"weights": weights(SRCNN(**settings))}
        write_model(folder / f"srcnn-x{scale}.safetensors", card(f"srcnn-x{scale}", "srcnn", "SRCNN", settings), state)
    psnr, gan = weights(RRDBNet(**RRDB), 1), weights(RRDBNet(**RRDB), 2)
    one = card("esrgan-one", "esrgan", "RRDBNet", RRDB, domain="natural")
    write_model(folder / "esrgan-one.safetensors", one, {"weights": psnr})
    pair = card("esrgan-pair", "esrgan", "RRDBNet", RRDB, endpoints=("psnr", "gan"), default_alpha=0.25)
    write_model(folder / "esrgan-pair.safetensors", pair, {"psnr": psnr, "gan": gan})
    torch.save(gan, files / "gan.pth")
    torch.save(weights(SRCNN(features=(4, 4))), files / "bare-srcnn.pth")
    return files


@pytest.fixture
def models(tmp_path: Path, model_files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of tiny models in place of the user's; the bundled models are hidden."""
    shutil.copytree(model_files, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("NAPARI_SR_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("NAPARI_SR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("napari_sr.zoo.catalog.bundled_folder", lambda: tmp_path / "none")
    return tmp_path / "models"


@pytest.fixture
def conditioned(models: Path) -> str:
    """A model in the folder that takes noise, and blur up to 1.6 pixels, by name."""
    name = "esrgan-conditioned"
    taken = card(name, "esrgan", "RRDBNet", CONDITIONED, conditioning=Conditioning(noise=(0.0, 3.0), blur=(0.0, 1.6)))
    write_model(models / f"{name}.safetensors", taken, {"weights": weights(RRDBNet(**CONDITIONED), 3)})
    return name


@pytest.fixture
def srgan_file(tmp_path: Path) -> Path:
    """A model file of the SRGAN family outside the folder of models."""
    settings = {"features": 4, "blocks": 1, "scale": 2, "in_channels": 1, "out_channels": 1}
    path = tmp_path / "small-srgan.safetensors"
    network = SRResNet(**settings)
    torch.manual_seed(0)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    return write_model(path, card("small-srgan", "srgan", "SRResNet", settings), {"weights": state})


@pytest.fixture
def in_viewer(make_napari_viewer_proxy: Callable[..., Any], models: Path) -> Callable[..., tuple[Any, Any]]:
    """A viewer with an image, and a panel docked in it."""

    def make(family: str = "esrgan", *, executor: Any = None, image: Any = None, **layer: Any) -> tuple[Any, Any]:
        viewer = make_napari_viewer_proxy()
        viewer.add_image(cells() if image is None else image, **{"name": "cells", **layer})
        panel = PANELS[family](viewer, executor=executor or InPlaceExecutor())
        viewer.window.add_dock_widget(panel, name=family)
        return viewer, panel

    return make


def cells(*shape: int, dtype: Any = np.uint16) -> np.ndarray:
    """An image, equal at every call."""
    return np.random.default_rng(0).integers(0, 200, shape or (12, 16)).astype(dtype)
