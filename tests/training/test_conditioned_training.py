"""A training under random conditions, from images to a model: it learns, continues bit for bit, and is fine-tuned."""

import numpy as np
import pytest
import torch

import napari_sr as sr
from napari_sr.imaging.resize import resize
from napari_sr.training import Training
from napari_sr.training.events import Prepared, StepDone, Validated
from napari_sr.training.loop.log import read_curves
from napari_sr.training.recipe import Recipe

TEXT = """
name = "conditioned"
family = "esrgan"
seed = 3
precision = "float32"
patches = { size = 12, batch = 6 }
validation = { every = 30, block = 24, gap = 2, most = 6 }

[network]
name = "RRDBNet"
settings = { scale = 2, in_channels = 1, out_channels = 1, features = 8, growth = 4, blocks = 1, bias = false, zero_sum = true, padding = "replicate", skip = "bicubic", noise_plane = true, gate = 4 }
start_as_interpolation = true

[conditions]
halo = 8
flats = 0.1
rounded = 0.5
clipped = 0.2
inverted = 0.2
inverted_after = 0.1
binning = 0.7
noise = { gain = [0.1, 5.0], read = [0.5, 10.0], absent = 0.2, correlated = 0.1, texture = 0.3, jitter = 0.1 }
blur = { result = [0.3, 1.6], source = [0.0, 1.0], result_fraction = 0.7, absent = 0.3, jitter = 0.04 }
smooth = { fraction = 0.1, sigma = [0.5, 2.0] }

[[stages]]
steps = 60
losses = [{ kind = "relative", absolute = 0.1, flat = 20.0 }]
optimizer = { learning_rate = 4e-3, betas = [0.9, 0.99] }
schedule = { kind = "cosine", warm_up = 5, final = 0.01 }
ema = 0.9
clip = 0.5
"""  # noqa: E501 (an inline table of TOML is one line)
RECIPE = Recipe.from_toml(TEXT)
SHORT = RECIPE.model_copy(
    update={
        "stages": (RECIPE.stages[0].model_copy(update={"steps": 6}),),
        "validation": RECIPE.validation.model_copy(update={"every": 3}),
    }
)


def texture(seed, side=128):
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), 2.0)
    return np.clip(np.rint(110 + 60 * noise / noise.std()), 0, 255).astype(np.uint8)


def trained(recipe, folder, images=None, model=None, on_event=None):
    events = []

    def listen(event):
        events.append(event)
        if on_event is not None:
            on_event(event, training)

    shown = [texture(0), texture(1)] if images is None else images
    training = Training(recipe, shown, model, folder=folder, device="cpu", on_event=listen)
    return training.run(), events


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def states(outcome):
    return {(name, key): t for name, state in outcome.model.endpoints.items() for key, t in state.items()}


def same(one, other):
    a, b = states(one), states(other)
    return a.keys() == b.keys() and all(torch.equal(value, b[key]) for key, value in a.items())


@pytest.fixture(scope="module")
def conditioned(tmp_path_factory):
    return trained(RECIPE, tmp_path_factory.mktemp("run"))


def test_it_is_above_bicubic_interpolation_after_some_seconds(conditioned):
    outcome, events = conditioned
    assert of(events, Validated)[-1].psnr > of(events, Validated)[-1].bicubic_psnr + 1
    losses = [event.losses["relative"] for event in of(events, StepDone)]
    assert np.mean(losses[-15:]) < 0.92 * np.mean(losses[:3])
    assert "worse than bicubic" not in outcome.model.card.notes


def test_the_card_has_the_conditions_and_the_recipe(conditioned):
    card = conditioned[0].model.card
    assert card.conditioning.blur == (0.0, 1.0)
    low, high = card.conditioning.noise
    assert low < 0.02
    assert 0.1 < high < 2
    assert card.training_noise
    assert "drawn for each patch" in card.degradation
    assert (card.color, card.channels) == ("gray", 1)
    assert Recipe.from_toml(card.recipe) == RECIPE
    assert sr.zoo.Card.from_json(card.to_json()) == card


def test_images_are_upscaled_with_their_noise_and_a_blur(conditioned):
    from napari_sr.evaluation import bicubic, psnr
    from napari_sr.training import Degradation, Noise, degrade
    from napari_sr.training.recipe import GaussianBlur

    truth = texture(9, 256)
    degradation = Degradation(blur=GaussianBlur(sigma=1.2), shrink="binning", noise=Noise(gain=1.0, read=4.0))
    low = degrade(truth, 2, degradation)
    results = [sr.upscale(low, conditioned[0].model, noise="auto", blur=blur) for blur in (0.0, 0.6)]
    figures = [psnr(result, truth, data_range=255) for result in (bicubic(low, 2), *results)]
    assert figures[1] > figures[0] + 0.5
    assert figures[2] > figures[1]


@pytest.mark.parametrize("at", [2, 3])
def test_stopped_and_resumed_it_ends_with_the_bits_of_an_uninterrupted_run(tmp_path, at):
    def stop(event, training):
        if isinstance(event, StepDone) and event.step == at:
            training.stop()

    whole, _ = trained(SHORT, tmp_path / "whole")
    stopped, _ = trained(SHORT, tmp_path / "part", on_event=stop)
    assert not stopped.finished
    again, events = trained(SHORT, tmp_path / "part")
    assert of(events, Prepared)[0].resumed_at == at
    assert again.finished
    assert same(whole, again)
    assert read_curves(tmp_path / "whole" / "curves.csv") == read_curves(tmp_path / "part" / "curves.csv")


def test_a_folder_with_other_conditions_is_refused(tmp_path):
    trained(SHORT, tmp_path)
    other = SHORT.model_copy(update={"conditions": SHORT.conditions.model_copy(update={"flats": 0.2})})
    with pytest.raises(sr.InputError, match="another recipe"):
        trained(other, tmp_path)


def finetuning(text, steps=4):
    return Recipe.from_toml(
        f'name = "tuned"\nprecision = "float32"\npatches = {{ size = 8, batch = 4 }}\n{text}\n'
        "validation = { every = 2, block = 16, gap = 2 }\n"
        f"[[stages]]\nsteps = {steps}\nlosses = [{{ kind = 'l1' }}]\noptimizer = {{ learning_rate = 1e-4 }}"
    )


def test_fine_tuned_on_a_degradation_it_keeps_its_inputs(conditioned, tmp_path):
    base = conditioned[0].model
    fraction = base.card.conditioning.model_copy(update={"correlated": 0.5})
    base = sr.Model(base.card.model_copy(update={"conditioning": fraction}), base.endpoints)
    degradation = (
        'degradation = { blur = { kind = "gaussian", sigma = [1.0, 2.4] }, shrink = "binning", '
        "noise = { gain = 2.0, read = 4.0 } }"
    )
    outcome, events = trained(finetuning(degradation), tmp_path, model=base)
    card = outcome.model.card
    assert card.base == base.name
    # The middle of each quarter of the range of the blur, in low-resolution pixels; the ranges are extended.
    assert card.conditioning.blur == (0.0, pytest.approx(1.1, abs=0.1))
    assert card.conditioning.noise[0] == base.card.conditioning.noise[0]
    assert card.conditioning.correlated == 0.5
    assert "noise of the degradation" in card.notes
    assert "blur of 0.59 to 1.1 low-resolution pixels" in card.notes
    measured = of(events, Validated)[-1]
    # The trained model fits this degradation already.
    assert measured.psnr > measured.bicubic_psnr


def test_fine_tuned_on_a_pair_the_noise_is_measured_and_the_blur_fixed(conditioned, tmp_path):
    high = texture(5, 256)
    low = np.clip(np.rint(resize(high.astype(float), (128, 128))), 0, 255)
    noisy = np.clip(np.rint(low + 8 * np.random.default_rng(0).standard_normal(low.shape)), 0, 255).astype(np.uint8)
    outcome, events = trained(finetuning(""), tmp_path / "run", [(noisy, high)], conditioned[0].model)
    assert "measured in the low-resolution image, and a blur of 0 low-resolution pixels" in outcome.model.card.notes
    assert outcome.model.card.paired
    assert of(events, Prepared)[0].notes[-1] in outcome.model.card.notes
    given, _ = trained(finetuning("data = { blur = 0.6 }"), tmp_path / "other", [(noisy, high)], conditioned[0].model)
    assert "a blur of 0.6 low-resolution pixels" in given.model.card.notes
    measured = of(events, Validated)[-1]
    assert measured.psnr > measured.bicubic_psnr + 0.3


GAN = (
    TEXT.replace("steps = 60", 'name = "psnr"\nendpoint = "psnr"\nsteps = 3')
    + """
[[stages]]
name = "gan"
endpoint = "gan"
steps = 3
losses = [
    { kind = "relative" },
    { kind = "adversarial", weight = 0.1 },
    { kind = "equivariance", blurred = 1.0 },
    { kind = "matching" },
]
shift = 7
optimizer = { learning_rate = 1e-3, weight_decay = 0.1 }
discriminator = { kind = "unet", features = 4, conditional = true }
ema = 0.5
"""
)


def test_both_endpoints_have_one_gate(tmp_path):
    recipe = Recipe.from_toml(GAN.replace("patches = { size = 12", "patches = { size = 16"))
    outcome, _ = trained(recipe, tmp_path)
    psnr, gan = (outcome.model.endpoints[name] for name in ("psnr", "gan"))
    gates = [key for key in psnr if key.startswith("gate.")]
    assert len(gates) == 4
    assert all(torch.equal(psnr[key], gan[key]) for key in gates)
    assert not torch.equal(psnr["conv_last.weight"], gan["conv_last.weight"])
    # It is trained in the first stage, and weight decay does not change it in the second.
    fresh = trained(recipe.at_length(1e-9), tmp_path / "fresh")[0].model.endpoints["psnr"]
    assert not torch.equal(psnr["gate.2.weight"], fresh["gate.2.weight"])
    mixed = outcome.model.with_alpha(0.5).network
    for key in gates:
        torch.testing.assert_close(mixed.state_dict()[key], psnr[key])


def test_a_stage_with_a_reference_continues_bit_for_bit(tmp_path):
    text = GAN.replace("patches = { size = 12", "patches = { size = 16").replace("every = 30", "every = 2")
    text = text.replace('name = "gan"\n', 'name = "gan"\nreference = "psnr"\n')
    recipe = Recipe.from_toml(text.replace("weight = 0.1 }", "weight = 0.1, evenness = 0.1, noise = 0.3 }"))
    whole, _ = trained(recipe, tmp_path / "whole")

    def stop(event, training):
        if isinstance(event, StepDone) and event.step == 5:
            training.stop()

    trained(recipe, tmp_path / "run", on_event=stop)
    again, events = trained(recipe, tmp_path / "run")
    assert of(events, Prepared)[0].resumed_at == 5
    for name, weights in whole.model.endpoints.items():
        assert all(torch.equal(value, again.model.endpoints[name][key]) for key, value in weights.items())
    # The losses are those of the reference, not of bicubic interpolation.
    without, _ = trained(Recipe.from_toml(text.replace('reference = "psnr"\n', "")), tmp_path / "without")
    assert not torch.equal(
        without.model.endpoints["gan"]["conv_last.weight"], whole.model.endpoints["gan"]["conv_last.weight"]
    )


BANDS = """
[[stages]]
name = "bands"
reference = "psnr"
endpoint = "bands"
steps = STEPS
losses = [{ kind = "bands", coarse = 0.0, fine = 2.0 }]
optimizer = { learning_rate = 2e-3, betas = [0.9, 0.99] }
"""


def test_a_stage_of_bands_goes_toward_its_mixture_with_the_gate_of_the_first_endpoint(tmp_path):
    text = GAN.replace("patches = { size = 12", "patches = { size = 16").replace('endpoint = "gan"\n', "")
    outcome, events = trained(Recipe.from_toml(text + BANDS.replace("STEPS", "60")), tmp_path)
    values = [event.losses["bands"] for event in of(events, StepDone) if event.stage == "bands"]
    assert np.mean(values[-5:]) < 0.8 * np.mean(values[:5])
    psnr, bands = (outcome.model.endpoints[name] for name in ("psnr", "bands"))
    assert all(torch.equal(psnr[key], bands[key]) for key in psnr if key.startswith("gate."))


def test_a_stage_of_bands_continues_bit_for_bit(tmp_path):
    text = GAN.replace("patches = { size = 12", "patches = { size = 16").replace("every = 30", "every = 2")
    recipe = Recipe.from_toml(text.replace('endpoint = "gan"\n', "") + BANDS.replace("STEPS", "4"))
    whole, _ = trained(recipe, tmp_path / "whole")
    last = recipe.steps - 1

    def stop(event, training):
        if isinstance(event, StepDone) and event.step == last:
            training.stop()

    trained(recipe, tmp_path / "run", on_event=stop)
    again, events = trained(recipe, tmp_path / "run")
    assert of(events, Prepared)[0].resumed_at == last
    for name, weights in whole.model.endpoints.items():
        assert all(torch.equal(value, again.model.endpoints[name][key]) for key, value in weights.items())


def test_a_whitened_residual_srcnn_learns(tmp_path):
    network = (
        'name = "SRCNN"\nsettings = { scale = 2, channels = 1, kernels = [5, 3, 3], features = [8, 4], bias = false, '
        "zero_sum = true, residual = true, noise_plane = true, gate = 4 }\nstart_as_interpolation = true\n"
    )
    before, _, after = TEXT.partition("[network]\n")
    text = before.replace("esrgan", "srcnn") + "[network]\n" + network + after[after.index("\n[conditions]") :]
    recipe = Recipe.from_toml(text.replace("betas = [0.9, 0.99]", "betas = [0.9, 0.99], whiten = true"))
    _, events = trained(recipe, tmp_path)
    measured = of(events, Validated)[-1]
    assert measured.psnr > measured.bicubic_psnr + 0.5
