"""Make the models of sparse coding (A+) that travel with the package.

    pip install scikit-learn
    python recipes/sparse_coding.py --data DATA [--scales 2 3 4]

The steps are those of the paper (Timofte et al., ACCV 2014), with fewer atoms and samples: features of patches of T91
at several sizes, a dictionary, and for each atom a ridge regression over the samples that are nearest to it. Weights
are stored in float16, and measured on Set5 and Set14 as by bundle.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from bundle import BUNDLED, bundle
from numpy.typing import NDArray
from sklearn.decomposition import MiniBatchDictionaryLearning
from torch import Tensor
from torch.nn import functional

import napari_sr as sr
from napari_sr.evaluation.folders import image_files
from napari_sr.imaging.color import luma
from napari_sr.imaging.files import read_image
from napari_sr.imaging.resize import resize
from napari_sr.networks.anchored import PATCH, WINDOW, AnchoredRegression
from napari_sr.networks.upsample import Upsample
from napari_sr.training.data.fingerprint import array_hash
from napari_sr.zoo.card import Architecture, Card, TrainingData
from napari_sr.zoo.modelfile import WEIGHTS

#: Sizes at which each image is used; the paper has twelve, each 0.98 times the one before.
SIZES = (1.0, 0.9, 0.8, 0.7, 0.6)
ATOMS = 256
#: Samples, samples of the dictionary, and samples that are nearest to an atom.
SAMPLES, DICTIONARY_SAMPLES, NEAREST = 800_000, 100_000, 2048
#: Fraction of the power of the features that is kept, and weight of the ridge.
POWER, RIDGE = 0.999, 0.1
SEED = 20


def luminance(path: Path) -> NDArray[np.float64]:
    """Read an image as luminance, from 0 to 1."""
    pixels = read_image(path).data / 255
    return luma(pixels) if pixels.ndim == 3 else pixels


def derivatives(image: Tensor, scale: int) -> Tensor:
    """First and second derivatives along both axes, over one pixel of the input: (N, 1, H, W) to (N, 4, H, W)."""
    first = torch.zeros(2 * scale + 1)
    second = torch.zeros(2 * scale + 1)
    low, high = scale - scale // 2, 2 * scale - scale // 2
    first[low], first[high] = -1.0, 1.0
    second[0], second[scale], second[-1] = 0.5, -1.0, 0.5
    kernels = torch.zeros(4, 1, 2 * scale + 1, 2 * scale + 1)
    kernels[0, 0, scale], kernels[1, 0, :, scale] = first, first
    kernels[2, 0, scale], kernels[3, 0, :, scale] = second, second
    return functional.conv2d(functional.pad(image, (scale,) * 4, mode="replicate"), kernels.to(image))


def patches_of(image: Tensor, scale: int) -> Tensor:
    """Patches of PATCH pixels of the input, at each but those at the border: (N, C, H, W) to (positions, values)."""
    side = PATCH * scale
    unfolded = functional.unfold(image, side, stride=scale)
    return unfolded.movedim(1, 2).flatten(0, 1)


def samples(folder: Path, scale: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Features and missing details of patches of all images."""
    upsample, features, details = Upsample(scale), [], []
    images = [luminance(path) for path in image_files(folder)]
    share = SAMPLES / (len(images) * sum(size**2 for size in SIZES))
    for image in images:
        for size in SIZES:
            sized = image if size == 1 else resize(image, tuple(round(n * size) for n in image.shape))
            truth = sized[: sized.shape[0] // scale * scale, : sized.shape[1] // scale * scale]
            low = resize(truth, tuple(n // scale for n in truth.shape))
            low = np.round(np.clip(low, 0, 1) * 255) / 255
            middle = upsample(torch.from_numpy(low)[None, None].float())
            missing = patches_of(torch.from_numpy(truth)[None, None].float() - middle, scale)
            found = patches_of(derivatives(middle, scale), scale)
            count = min(len(found), round(share * size**2))
            chosen = torch.from_numpy(rng.permutation(len(found))[:count])
            features.append(found[chosen])
            details.append(missing[chosen])
    return torch.cat(features), torch.cat(details)


def analysis_kernels(components: Tensor, scale: int) -> Tensor:
    """The convolution from the input to the components of the features: (features, 1, WINDOW, WINDOW)."""
    middle = WINDOW
    impulses = torch.zeros(WINDOW**2, 1, 2 * WINDOW + 1, 2 * WINDOW + 1, dtype=torch.float64)
    reach = WINDOW // 2
    for n in range(WINDOW**2):
        impulses[n, 0, middle - reach + n // WINDOW, middle - reach + n % WINDOW] = 1.0
    responses = derivatives(Upsample(scale).double()(impulses), scale)
    start, side = (middle - PATCH // 2) * scale, PATCH * scale
    patch = responses[..., start : start + side, start : start + side].flatten(1)
    return (patch @ components.double()).T.reshape(-1, 1, WINDOW, WINDOW).float()


def trained(folder: Path, scale: int) -> AnchoredRegression:
    """Make the network for a factor."""
    rng = np.random.default_rng(SEED + scale)
    features, details = samples(folder, scale, rng)
    values, vectors = torch.linalg.eigh((features.T @ features).double())
    # From the largest; the mean is not subtracted, so that the features stay linear.
    power = torch.cumsum(values.flip(0), 0) / values.sum()
    kept = int((power < POWER).sum()) + 1
    components = vectors.flip(1)[:, :kept].float()
    features = features @ components
    length = features.norm(dim=1).clamp(min=1e-6)
    # Patches without structure say nothing about the regressions.
    structured = length > length.median() * 0.05
    features, details, length = features[structured], details[structured], length[structured]
    directions = features / length[:, None]
    coder = MiniBatchDictionaryLearning(
        ATOMS, alpha=0.1, max_iter=40, batch_size=1024, fit_algorithm="cd", random_state=SEED, shuffle=True
    )
    drawn = rng.permutation(len(directions))[:DICTIONARY_SAMPLES]
    coder.fit(directions[drawn].numpy())
    atoms = functional.normalize(torch.from_numpy(coder.components_).float(), dim=1)
    network = AnchoredRegression(scale=scale, atoms=ATOMS, features=kept)
    regressions = []
    missing = details / length[:, None]
    for atom in atoms:
        nearest = (directions @ atom).abs().topk(NEAREST).indices
        known, wanted = directions[nearest].double(), missing[nearest].double()
        gram = known.T @ known + RIDGE * torch.eye(kept, dtype=torch.float64)
        regressions.append(torch.linalg.solve(gram, known.T @ wanted).T.float())
    network.load_state_dict(
        {
            "analysis.weight": analysis_kernels(components, scale),
            "dictionary": atoms,
            "regressions": torch.stack(regressions),
        }
    )
    return network


def card_of(network: AnchoredRegression, folder: Path) -> Card:
    """The card of a network."""
    atoms, features = network.dictionary.shape
    return Card(
        name=f"sparse-coding-x{network.scale}",
        family="classic",
        architecture=Architecture(
            network="AnchoredRegression", settings={"scale": network.scale, "atoms": atoms, "features": features}
        ),
        scale=network.scale,
        channels=1,
        color="luma",
        domain="natural",
        degradation="MATLAB bicubic, antialiased",
        training_noise=False,
        training_data=(
            TrainingData(
                name="T91",
                license="research only",
                sha256=array_hash(read_image(path).data for path in image_files(folder)),
                source="J. Yang et al., IEEE TIP 19(11), 2010",
            ),
        ),
        license="BSD-3-Clause; trained on images that are for research only",
        notes="Sparse coding by anchored regression (A+), for photographs without noise. It is there for comparison.",
        for_quantification=False,
    )


def main() -> None:
    """Read the command line and write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds train/T91 and natural/")
    parser.add_argument("--scales", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--out", type=Path, default=BUNDLED, help="where to write the model files")
    arguments = parser.parse_args()
    folder = arguments.data / "train/T91"
    for scale in arguments.scales:
        network = trained(folder, scale)
        model = sr.Model(card_of(network, folder), {WEIGHTS: network.state_dict()})
        card = bundle(model, arguments.out / f"{model.card.name}.safetensors", arguments.data)
        print(card.name, ", ".join(f"{f.dataset} {f.metric} {f.value:.4g}" for f in card.figures))


if __name__ == "__main__":
    main()
