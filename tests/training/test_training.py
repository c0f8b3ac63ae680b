"""A training from images to a model: it learns, can be paused, stopped and resumed, and overwrites nothing."""

import hashlib
import threading

import numpy as np
import pytest
import torch

import napari_sr as sr
from napari_sr import Cancelled, InputError
from napari_sr.imaging import atomic
from napari_sr.imaging.files import write_image
from napari_sr.networks.squeezenet import SqueezeNetFeatures
from napari_sr.training import Training, save_model
from napari_sr.training.events import (
    CheckpointWritten,
    LearningRateLowered,
    Paused,
    Prepared,
    Resumed,
    StepDone,
    Validated,
)
from napari_sr.training.loop import precision, stage_losses
from napari_sr.training.loop.checkpoint.run_state import read_run_state, write_run_state
from napari_sr.training.loop.log import read_curves
from napari_sr.training.losses import feature_weights
from napari_sr.training.recipe import EquivarianceLoss, ImageSet, Network, Optimizer, PatternLoss, PixelLoss, Stage
from napari_sr.zoo import read_model


class Events(list):
    def of(self, kind):
        return [event for event in self if isinstance(event, kind)]


def weights_of(outcome):
    return {(name, key): t for name, state in outcome.model.endpoints.items() for key, t in state.items()}


def same(one, other):
    a, b = weights_of(one), weights_of(other)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.fixture
def run(tmp_path, textured):
    """Make a training on a texture; its events are in `.events`."""

    def make(recipe, folder="run", images=None, **settings):
        events = Events()
        on_event = settings.pop("on_event", None)
        training = Training(
            recipe,
            [textured()] if images is None else images,
            folder=tmp_path / folder,
            on_event=lambda event: (events.append(event), on_event and on_event(event)),
            **{"device": "cpu", **settings},
        )
        training.events = events
        return training

    return make


def test_it_learns_and_describes_itself_on_the_card(run, tiny):
    training = run(tiny.at_length(30), images=[np.tile(run_image(), (2, 2))])
    outcome = training.run()
    first, last = training.events.of(StepDone)[0], training.events.of(StepDone)[-1]
    assert outcome.finished
    assert last.losses["l1"] < first.losses["l1"]
    card = outcome.model.card
    assert (card.name, card.family, card.scale, card.color) == ("tiny", "esrgan", 2, "gray")
    assert card.degradation == "MATLAB bicubic, antialiased"
    assert card.base is None
    assert card.intensity == "auto"
    assert len(card.training_data[0].sha256) == 64
    assert sr.Recipe.from_toml(card.recipe) == training.recipe
    assert {figure.metric for figure in card.figures} >= {"PSNR", "PSNR of bicubic", "SSIM", "SSIM of bicubic"}
    assert sr.upscale(run_image(), outcome.model).shape == (192, 192)


def test_percentiles_for_the_intensity_are_used_and_recorded(run, tiny):
    recipe = tiny.model_copy(update={"data": tiny.data.model_copy(update={"intensity": sr.Percentiles(1, 99.8)})})
    training = run(recipe.at_length(0.2))
    card = training.run().model.card
    assert card.intensity == "percentiles 1 and 99.8"
    assert sr.Recipe.from_toml(card.recipe) == training.recipe


def run_image():
    rows, columns = np.mgrid[:96, :96]
    return np.rint(127 + 100 * np.sin(rows / 3) * np.cos(columns / 4)).astype(np.uint8)


def test_events_are_in_order_and_measurements_include_bicubic(run, tiny):
    training = run(tiny)
    training.run()
    events = training.events
    assert isinstance(events[0], Prepared)
    assert [event.step for event in events.of(StepDone)] == [1, 2, 3, 4, 5, 6]
    assert [event.step for event in events.of(Validated)] == [3, 6]
    assert [event.step for event in events.of(CheckpointWritten)] == [0, 3, 6]
    crop = events.of(Validated)[0].crops[0]
    assert crop.now.shape == crop.truth.shape == crop.before.shape == crop.bicubic.shape
    assert crop.truth.shape == (2 * crop.low.shape[0], 2 * crop.low.shape[1])
    assert not np.array_equal(crop.before, crop.now)
    assert len({event.bicubic_psnr for event in events.of(Validated)}) == 1


def test_figures_that_equal_those_of_bicubic_interpolation_are_not_called_worse():
    figures = {"ssim": 1.0, "bicubic_ssim": 1.0, "best": True, "lattice": None, "crops": ()}
    equal = Validated(step=1, stage="l1", psnr=100.0, bicubic_psnr=100.0, start_psnr=None, **figures)
    assert not equal.worse_than_bicubic
    assert "worse" not in equal.sentence()


def test_a_model_worse_than_bicubic_is_marked(run, tiny):
    training = run(tiny.model_copy(update={"network": plain_network(tiny)}).at_length(0.5))
    outcome = training.run()
    measured = training.events.of(Validated)[-1]
    assert measured.worse_than_bicubic
    assert "worse than bicubic" in measured.sentence()
    assert "worse than bicubic" in outcome.model.card.notes


def plain_network(recipe):
    settings = {**recipe.network.settings, "skip": "none"}
    return recipe.network.model_copy(update={"settings": settings})


def test_the_same_seed_gives_the_same_bits_and_another_gives_others(run, gan):
    one, two = run(gan, "one").run(), run(gan, "two").run()
    assert same(one, two)
    assert not same(one, run(gan.model_copy(update={"seed": 6}), "three").run())


def test_it_does_not_change_the_global_random_numbers(run, tiny):
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    run(tiny).run()
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("paired", [False, True])
def test_arrays_that_are_changed_meanwhile_change_nothing(run, tiny, textured, paired):
    def trained(folder, *, changed):
        high = textured()
        arrays = (high[::2, ::2].copy(), high) if paired else (high,)

        def change(event):
            if changed and isinstance(event, Prepared):
                for array in arrays:
                    array[:] = 255 - array

        return run(tiny, folder, [arrays if paired else high], on_event=change).run()

    assert same(trained("one", changed=False), trained("two", changed=True))


@pytest.mark.parametrize("at", [1, 3, 4, 5, 7])
def test_stopped_and_resumed_it_ends_with_the_bits_of_an_uninterrupted_run(run, gan, at, tmp_path):
    whole = run(gan, "whole").run()
    training = run(gan, "part", on_event=lambda e: isinstance(e, StepDone) and e.step == at and training.stop())
    stopped = training.run()
    assert (stopped.step, stopped.finished) == (at, False)
    again = run(gan, "part")
    outcome = again.run()
    assert again.events.of(Prepared)[0].resumed_at == at
    assert outcome.finished
    assert same(whole, outcome)
    assert read_curves(tmp_path / "whole" / "curves.csv") == read_curves(tmp_path / "part" / "curves.csv")


@pytest.mark.parametrize("at", [4, 6, 7])
def test_resumed_within_a_row_of_the_curves_it_writes_the_same_rows(run, gan, at):
    stages = tuple(stage.model_copy(update={"steps": 5}) for stage in gan.stages)
    validation = gan.validation.model_copy(update={"every": 3})
    recipe = gan.model_copy(update={"stages": stages, "validation": validation})
    whole, part = run(recipe, "whole"), run(recipe, "part")
    whole.run()
    stopped_at(at, run, recipe, "part")
    part.run()
    rows, again = (read_curves(training.folder / "curves.csv") for training in (whole, part))
    assert rows == again
    assert [row["step"] for row in rows if row["total"]] == ["3", "5", "8", "10"]
    assert [bool(row["adversarial"]) for row in rows if row["total"]] == [False, False, True, True]


def test_continued_on_a_device_of_another_number_format_it_keeps_its_own(run, tiny, monkeypatch):
    recipe = tiny.model_copy(update={"precision": "auto"})
    stop = lambda e: isinstance(e, StepDone) and e.step == 3 and training.stop()  # noqa: E731
    monkeypatch.setattr(precision, "_fast_bfloat16", lambda device: False)
    whole = run(recipe, "whole").run()
    training = run(recipe, "slow first", on_event=stop)
    training.run()
    monkeypatch.setattr(precision, "_fast_bfloat16", lambda device: True)
    again = run(recipe, "slow first")
    assert again.precision == "float32"
    assert same(whole, again.run())
    assert run(recipe, "fast first").precision == "bfloat16"
    training = run(recipe, "fast first", on_event=stop)
    training.run()
    monkeypatch.setattr(precision, "_fast_bfloat16", lambda device: False)
    monkeypatch.setattr(precision, "_emulates_bfloat16", lambda device: False)
    assert run(recipe, "fast first").precision == "bfloat16"
    # On a device that emulates bfloat16 it takes many times as long.
    monkeypatch.setattr(precision, "_emulates_bfloat16", lambda device: True)
    again = run(recipe, "fast first")
    assert again.precision == "float32"
    assert again.run().finished
    assert "it continues in float32" in " ".join(again.events.of(Prepared)[0].warnings)


def test_a_stopped_training_returns_the_model_so_far(run, gan):
    training = run(gan, on_event=lambda e: isinstance(e, StepDone) and e.step == 3 and training.stop())
    outcome = training.run()
    assert outcome.model.card.endpoints == ()
    assert sr.upscale(run_image(), outcome.model).shape == (192, 192)


def test_two_stages_become_the_endpoints_of_a_pair(run, gan, tmp_path):
    outcome = run(gan).run()
    assert outcome.model.card.endpoints == ("psnr", "gan")
    assert "not for quantification" in outcome.model.card.notes
    saved, path = save_model(outcome.model)
    card, endpoints = read_model(path)
    assert set(endpoints) == {"psnr", "gan"}
    assert saved.with_alpha(0.5).alpha == 0.5
    assert card.endpoints == ("psnr", "gan")


def test_a_stage_between_the_endpoints_of_a_pair_passes_its_weights_on(run, gan):
    psnr, adversarial = gan.stages
    between = adversarial.model_copy(update={"name": "between", "endpoint": None, "steps": 2})
    # A stage of no steps ends with the weights that it started from.
    last = adversarial.model_copy(update={"steps": 0})
    outcome = run(gan.model_copy(update={"stages": (psnr, between, last)})).run()
    two = run(gan.model_copy(update={"stages": (psnr, last)}), "two").run()
    assert set(outcome.model.endpoints) == {"psnr", "gan"}
    for name, equal in (("psnr", True), ("gan", False)):
        one, other = outcome.model.endpoints[name], two.model.endpoints[name]
        assert all(torch.equal(one[key], other[key]) for key in one) == equal


def test_pause_from_another_thread_waits_between_steps(run, tiny):
    resumed, paused = threading.Event(), threading.Event()

    def on_event(event):
        if isinstance(event, StepDone) and event.step == 2:
            training.pause()
        if isinstance(event, Paused):
            paused.set()
        if isinstance(event, Resumed):
            resumed.set()

    training = run(tiny, on_event=on_event)
    thread = threading.Thread(target=training.run)
    thread.start()
    assert paused.wait(60)
    assert len(training.events.of(StepDone)) == 2
    training.resume()
    assert resumed.wait(60)
    thread.join(60)
    assert len(training.events.of(StepDone)) == 6


def test_a_stop_ends_a_pause(run, tiny):
    training = run(tiny, on_event=lambda event: isinstance(event, Paused) and training.stop(), pause=lambda: True)
    assert training.run().step == 0


def test_a_stop_before_the_run_is_followed_once(run, tiny):
    training = run(tiny)
    training.stop()
    assert (training.run().step, training.events.of(StepDone)) == (0, [])
    assert training.run().finished
    # One that comes during a run is followed once as well.
    training = run(tiny, "other", on_event=lambda e: isinstance(e, StepDone) and e.step == 2 and training.stop())
    assert training.run().step == 2
    assert training.run().finished


def test_cancel_ends_within_a_step_and_the_checkpoint_is_kept(run, tiny, tmp_path):
    whole = run(tiny, "whole").run()
    calls = []

    def cancel():
        calls.append(1)
        # In the middle of a step after the checkpoint of step 3.
        return any(event.step == 4 for event in training.events.of(StepDone)) and len(calls) % 6 == 3

    training = run(tiny, "part", cancel=cancel)
    with pytest.raises(Cancelled):
        training.run()
    again = run(tiny, "part")
    assert same(whole, again.run())
    assert again.events.of(Prepared)[0].resumed_at == 3


def test_a_loss_of_nan_restores_the_checkpoint_and_halves_the_learning_rate(run, tiny, monkeypatch):
    calls = []
    function = stage_losses._pixel_loss

    def pixel_loss(loss, result, truth):
        calls.append(1)
        return function(loss, result, truth) * (float("nan") if len(calls) == 5 else 1)

    monkeypatch.setattr(stage_losses, "_pixel_loss", pixel_loss)
    training = run(tiny)
    outcome = training.run()
    assert outcome.finished
    (lowered,) = training.events.of(LearningRateLowered)
    assert (lowered.step, lowered.back_to) == (5, 3)
    steps = training.events.of(StepDone)
    assert [event.step for event in steps] == [1, 2, 3, 4, 4, 5, 6]
    assert steps[4].learning_rate == pytest.approx(steps[3].learning_rate / 2)


def test_a_loss_that_stays_nan_is_an_input_error(run, tiny, monkeypatch):
    monkeypatch.setattr(stage_losses, "_pixel_loss", lambda loss, result, truth: result.mean() * float("nan"))
    with pytest.raises(InputError, match="choose a lower learning rate"):
        run(tiny).run()


def test_a_full_disk_is_an_input_error_and_the_last_checkpoint_is_kept(run, tiny, monkeypatch, tmp_path):
    def on_event(event):
        if isinstance(event, StepDone) and event.step == 5:
            monkeypatch.setattr(atomic.os, "fsync", full)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    whole = run(tiny, "whole").run()
    with pytest.raises(InputError, match="No space left on device"):
        run(tiny, "part", on_event=on_event).run()
    monkeypatch.undo()
    assert {path.name for path in (tmp_path / "part").iterdir()} == {
        "last.pt",
        "recipe.toml",
        "curves.csv",
        "train.log",
    }
    again = run(tiny, "part")
    assert same(whole, again.run())
    assert again.events.of(Prepared)[0].resumed_at == 3


def test_a_folder_with_another_training_is_refused(run, tiny, textured):
    run(tiny).run()
    with pytest.raises(InputError, match="another recipe"):
        run(tiny.model_copy(update={"seed": 8})).run()
    with pytest.raises(InputError, match="other images"):
        run(tiny, images=[textured(seed=3)]).run()


def stopped_at(step, run, recipe, folder="run", **settings):
    """Begin a training and stop it after a step."""
    training = run(
        recipe, folder, on_event=lambda e: isinstance(e, StepDone) and e.step == step and training.stop(), **settings
    )
    assert training.run().step == step


def halved(model):
    state = {key: value * 0.5 for key, value in model.endpoints["weights"].items()}
    return sr.Model(model.card.model_copy(update={"name": "halved"}), {"weights": state})


@pytest.mark.parametrize("steps", [2, 6])
def test_a_folder_with_a_training_from_another_model_is_refused(run, tiny, small_model, steps):
    recipe = tiny.model_copy(update={"network": None, "family": None})
    stopped_at(steps, run, recipe, model=small_model)
    for other in (halved(small_model), "srcnn-x2"):
        with pytest.raises(InputError, match=r"run holds a training with another model: choose another folder.*\.$"):
            run(recipe, model=other).run()


def test_new_weights_continue_only_where_no_model_was_given(run, tiny, small_model):
    stopped_at(2, run, tiny)
    settings = small_model.card.architecture.settings
    same_network = tiny.model_copy(update={"network": tiny.network.model_copy(update={"settings": settings})})
    stopped_at(2, run, same_network, "started", model=small_model)
    with pytest.raises(InputError, match="another model"):
        run(same_network, "started").run()
    assert run(tiny).run().finished
    assert run(same_network, "started", model=small_model).run().finished


def test_a_checkpoint_of_an_earlier_version_without_the_model_continues(run, tiny, small_model):
    recipe = tiny.model_copy(update={"network": None})
    whole = run(recipe, "whole", model=small_model).run()
    stopped_at(2, run, recipe, model=small_model)
    folder = run(recipe, model=small_model).folder
    state = read_run_state(folder)
    del state["identity"]["model"]
    write_run_state(folder, {key: value for key, value in state.items() if key != "format"})
    assert same(whole, run(recipe, model=small_model).run())


def test_a_finished_run_returns_its_model_again_without_a_step(run, tiny):
    whole = run(tiny).run()
    again = run(tiny)
    assert same(whole, again.run())
    assert again.events.of(StepDone) == []


def test_validation_images_of_a_recipe_that_is_given_other_images_are_named_as_unused(run, tiny, textured, tmp_path):
    for name, seed in (("train", 1), ("held", 2)):
        write_image(tmp_path / f"{name}.png", textured(seed=seed))
    sets = {name: (ImageSet(path=str(tmp_path / f"{name}.png")),) for name in ("train", "held")}
    recipe = tiny.model_copy(
        update={
            "data": tiny.data.model_copy(update={"images": sets["train"]}),
            "validation": tiny.validation.model_copy(update={"images": sets["held"]}),
        }
    )
    sentence = "its images for validation are not used either"
    given = run(recipe).prepare()
    assert [sentence in note for note in given.notes] == [True]
    assert {scene.name for scene in given.scenes} == {"image 1"}
    own = Training(recipe, folder=tmp_path / "own", device="cpu").prepare()
    assert {scene.name for scene in own.scenes} == {"held.png"}
    assert not any(sentence in note for note in own.notes)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([np.zeros((96, 96), np.uint8)], "constant"),
        ([np.arange(144, dtype=np.uint8).reshape(12, 12)], "smaller patch|too small"),
        ([np.full((96, 96), np.nan, np.float32)], "NaN"),
        ([], "no images"),
    ],
)
def test_images_without_content_are_refused_by_name(run, tiny, images, message):
    with pytest.raises(InputError, match=message):
        run(tiny, images=images).run()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without NVIDIA GPU")
def test_the_device_of_the_settings_file_is_refused_as_by_upscale(own_settings, run, tiny, small_model, textured):
    (own_settings / "config.toml").write_text('device = "cuda"\n')
    with pytest.raises(InputError) as upscaling:
        sr.upscale(textured(), small_model)
    with pytest.raises(InputError) as training:
        run(tiny, device=None)
    assert str(training.value) == str(upscaling.value)
    with pytest.raises(InputError) as finetuning:
        sr.finetune(small_model, textured())
    assert str(finetuning.value) == str(upscaling.value)


def test_the_device_of_the_settings_file_is_used(own_settings, run, tiny):
    (own_settings / "config.toml").write_text('device = "cpu"\n')
    assert run(tiny, device=None).device.type == "cpu"
    with pytest.raises(InputError, match="tpu"):
        run(tiny, device="tpu")


def test_a_model_of_another_family_is_refused(run, small_model, tiny):
    recipe = tiny.model_copy(update={"network": None, "family": "srcnn"})
    with pytest.raises(InputError, match="of the family srcnn, and small is of esrgan"):
        run(recipe, model=small_model)


def test_a_recipe_without_network_and_model_is_refused(run, tiny):
    with pytest.raises(InputError, match="give a model to fine-tune"):
        run(tiny.model_copy(update={"network": None}))


def test_a_batch_that_cannot_be_divided_is_refused(run, gan):
    patches = gan.patches.model_copy(update={"batch": 5})
    with pytest.raises(InputError, match="multiple of 2"):
        run(gan.model_copy(update={"patches": patches})).run()


@pytest.mark.parametrize("kind", ["srgan", "esrgan", "unet"])
@pytest.mark.parametrize("form", ["standard", "relativistic", "least_squares"])
def test_every_discriminator_works_with_every_adversarial_loss(run, gan, kind, form):
    last = gan.stages[1]
    losses = (last.losses[0], last.losses[1].model_copy(update={"form": form}))
    discriminator = last.discriminator.model_copy(update={"kind": kind, "features": 2})
    update = {"losses": losses, "discriminator": discriminator, "endpoint": None, "steps": 2}
    stages = (last.model_copy(update=update),)
    training = run(gan.model_copy(update={"stages": stages}))
    training.run()
    assert all(np.isfinite(value) for event in training.events.of(StepDone) for value in event.losses.values())
    assert {"l1", "adversarial", "total", "discriminator"} == set(training.events.of(StepDone)[0].losses)


def test_a_projected_discriminator_with_a_gradient_penalty_is_trained_from_a_file_in_the_data_folder(
    run, gan, tmp_path, monkeypatch
):
    torch.manual_seed(0)
    features = SqueezeNetFeatures()
    kernels = hashlib.sha256(features.state_dict()["features.0.weight"].half().numpy().tobytes()).hexdigest()
    monkeypatch.setattr(feature_weights, "_CAFFE_KERNELS", kernels)
    (tmp_path / "data" / "weights").mkdir(parents=True)
    torch.save(features.state_dict(), tmp_path / "data" / "weights" / "frozen.pth")
    discriminator = gan.stages[1].discriminator.model_copy(
        update={
            "kind": "projected",
            "network": "squeezenet",
            "layers": ("conv1", "fire2"),
            "weights": "weights/frozen.pth",
            "gradient_penalty": 0.1,
        }
    )
    stage = gan.stages[1].model_copy(update={"discriminator": discriminator, "endpoint": None, "steps": 3})
    recipe = gan.model_copy(update={"stages": (stage,)})
    whole = run(recipe, data=tmp_path / "data").run()
    part = run(
        recipe,
        "part",
        data=tmp_path / "data",
        on_event=lambda e: isinstance(e, StepDone) and e.step == 2 and part.stop(),
    )
    assert not part.run().finished
    assert same(whole, run(recipe, "part", data=tmp_path / "data").run())


def test_bfloat16_trains_with_losses_in_float32(run, tiny, monkeypatch):
    # Also on processors that only emulate it.
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    training = run(tiny.model_copy(update={"precision": "bfloat16"}))
    assert training.run().finished
    assert all(value.dtype == torch.float32 for value in weights_of(training.run()).values())


def test_bfloat16_without_instructions_for_it_trains_in_float32_and_says_so(run, tiny, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)
    training = run(tiny.model_copy(update={"precision": "bfloat16"}))
    assert training.run().finished
    (prepared,) = training.events.of(Prepared)
    assert any("float32 is used instead" in sentence for sentence in prepared.warnings)
    assert "float32 is used instead" in (training.folder / "train.log").read_text()


def test_srcnn_is_trained_without_padding_and_used_with_it(run, tiny):
    network = tiny.network.model_copy(
        update={"name": "SRCNN", "settings": {"scale": 2, "channels": 1, "kernels": (3, 1, 3), "features": (4, 4)}}
    )
    outcome = run(tiny.model_copy(update={"network": network, "family": "srcnn"})).run()
    assert outcome.model.card.architecture.network == "SRCNN"
    assert sr.upscale(run_image(), outcome.model).shape == (192, 192)


def test_a_stage_of_no_steps_stores_the_initial_weights(run, gan, small_model, tmp_path):
    _, path = save_model(small_model, folder=tmp_path)
    first = gan.stages[0].model_copy(update={"steps": 0})
    training = run(gan.model_copy(update={"start": str(path), "stages": (first, gan.stages[1])}))
    outcome = training.run()
    initial = small_model.network.state_dict()
    assert all(torch.equal(t, initial[key]) for key, t in outcome.model.endpoints["psnr"].items())
    assert not all(torch.equal(t, initial[key]) for key, t in outcome.model.endpoints["gan"].items())
    assert [event.step for event in training.events.of(Validated)] == [0, 2, 4]
    assert [int(row["step"]) for row in read_curves(training.folder / "curves.csv") if row["psnr"]] == [0, 2, 4]
    assert training.recipe.at_length(0.1).stages[0].steps == 0


@pytest.mark.parametrize("at", [0, 2, 3])
def test_stopped_after_a_stage_of_no_steps_it_ends_as_an_uninterrupted_run(run, gan, tmp_path, at):
    recipe = gan.model_copy(update={"stages": (gan.stages[0].model_copy(update={"steps": 0}), gan.stages[1])})
    whole = run(recipe, "whole").run()
    training = run(
        recipe,
        "part",
        on_event=lambda e: isinstance(e, CheckpointWritten | StepDone) and e.step == at and training.stop(),
    )
    assert training.run().step == at
    assert same(whole, run(recipe, "part").run())
    assert read_curves(tmp_path / "whole" / "curves.csv") == read_curves(tmp_path / "part" / "curves.csv")


def test_a_binned_loss_compares_means_of_squares(run, tiny):
    only = Stage(steps=2, losses=(PixelLoss(kind="mse"), PixelLoss(kind="mse", binned=4)))
    training = run(tiny.model_copy(update={"stages": (only,)}))
    training.run()
    for event in training.events.of(StepDone):
        # The mean of a square is at least the square of the mean.
        assert 0 < event.losses["mse_2"] < event.losses["mse"]


def _minimized(run, tiny, loss, steps):
    """Return the values of a loss in the steps of a training that has no other loss."""
    optimizer = tiny.stages[0].optimizer.model_copy(update={"learning_rate": 1e-3})
    training = run(tiny.model_copy(update={"stages": (Stage(steps=steps, losses=(loss,), optimizer=optimizer),)}))
    training.run()
    return [event.losses[loss.kind] for event in training.events.of(StepDone)]


def test_an_equivariance_loss_makes_a_network_equivariant_to_a_rotation_by_180_degrees(run, tiny):
    losses = _minimized(run, tiny, EquivarianceLoss(kind="equivariance"), steps=30)
    assert losses[0] > 0
    assert np.mean(losses[-3:]) < 0.2 * losses[0]


def test_a_pattern_loss_makes_the_directions_of_fine_detail_more_like_those_of_the_truth(run, tiny):
    losses = _minimized(run, tiny, PatternLoss(kind="pattern"), steps=60)
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])


def test_a_pattern_loss_on_patches_smaller_than_its_tiles_is_refused(run, tiny):
    only = Stage(steps=2, losses=(PatternLoss(kind="pattern"),))
    small = tiny.model_copy(update={"stages": (only,), "patches": tiny.patches.model_copy(update={"size": 7})})
    with pytest.raises(InputError, match="patches of 14 pixels are too small for a pattern loss"):
        run(small).run()


def test_a_loss_binned_over_more_than_a_patch_is_refused(run, tiny):
    only = Stage(steps=2, losses=(PixelLoss(kind="l1", binned=17),))
    with pytest.raises(InputError, match="patches of 16 pixels are too small to be binned by 17"):
        run(tiny.model_copy(update={"stages": (only,)})).run()


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("batch_norm", ["batch", "kept"])
def test_statistics_of_batch_normalization_are_learned_or_kept(run, tiny, batch_norm, whiten):
    network = Network(
        name="SRResNet", settings={"scale": 2, "in_channels": 1, "out_channels": 1, "features": 4, "blocks": 1}
    )
    only = Stage(steps=2, losses=(PixelLoss(kind="l1"),), batch_norm=batch_norm, optimizer=Optimizer(whiten=whiten))
    outcome = run(tiny.model_copy(update={"network": network, "family": "srgan", "stages": (only,)})).run()
    state = outcome.model.network.state_dict()
    kept = (state["bn_mid.running_mean"] == 0).all() and (state["bn_mid.running_var"] == 1).all()
    assert kept == (batch_norm == "kept")
