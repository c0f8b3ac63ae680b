"""A run is told from others by recipe, images and model; a model by its network and weights, and not by its name."""

import pytest
import torch

from napari_sr.training.loop.checkpoint.identity import difference, model_hash
from napari_sr.training.recipe import ImageSet, Recipe
from napari_sr.zoo import Architecture, Model
from napari_sr.zoo.architectures import complete


def changed(model, **card):
    return Model(model.card.model_copy(update=card), model.endpoints, model.alpha)


def test_a_renamed_model_has_the_same_hash_and_other_weights_another(small_model):
    assert model_hash(changed(small_model, name="renamed", notes="Copied.")) == model_hash(small_model)
    state = dict(small_model.endpoints["weights"])
    key = next(iter(state))
    state[key] = state[key] * 0.5
    assert model_hash(Model(small_model.card, {"weights": state})) != model_hash(small_model)


def test_settings_that_are_no_weights_count_except_defaults(small_model):
    whole = complete(small_model.card.architecture)
    assert whole.settings.keys() > small_model.card.architecture.settings.keys()
    assert model_hash(changed(small_model, architecture=whole)) == model_hash(small_model)
    other = Architecture(network="RRDBNet", settings={**whole.settings, "skip": "bilinear"})
    assert model_hash(changed(small_model, architecture=other)) != model_hash(small_model)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_at_one_end_of_a_pair_only_its_weights_count(small_model, alpha):
    state = small_model.endpoints["weights"]
    ends = [{key: value * factor for key, value in state.items()} for factor in (1, 2)]
    card = small_model.card.model_copy(update={"endpoints": ("psnr", "gan")})
    pair = Model(card, dict(zip(card.endpoints, ends, strict=True)), alpha)
    single = Model(small_model.card, {"weights": ends[int(alpha)]})
    assert model_hash(pair) == model_hash(single)
    between = {model_hash(pair.with_alpha(value)) for value in (0.0, 0.25, 0.5, 1.0)}
    assert len(between) == 4
    assert model_hash(pair.with_alpha(0.5).with_mixing("images")) not in between


def test_the_order_of_the_weights_does_not_count(small_model):
    state = {key: torch.zeros_like(value) for key, value in small_model.endpoints["weights"].items()}
    zero = Model(small_model.card, {"weights": state})
    assert model_hash(zero) == model_hash(Model(small_model.card, {"weights": dict(reversed(state.items()))}))


def identity(recipe, images="a", model="m"):
    return {"recipe": recipe.to_toml(), "images": images, "model": model}


def with_images(recipe, *paths):
    images = tuple(ImageSet(path=path) for path in paths)
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"images": images})})


def test_what_differs_is_named(tiny):
    begun = identity(with_images(tiny, "one"))
    assert difference(begun, begun) is None
    # Another folder has another fingerprint as well.
    assert difference(begun, identity(with_images(tiny, "two"), "b")) == "other images"
    assert difference(begun, identity(with_images(tiny, "one"), "b")) == "other images"
    assert difference(begun, identity(with_images(tiny, "one"), model="n")) == "another model"
    assert difference(begun, identity(with_images(tiny, "one").at_length(2))) == "another length (6 steps)"
    seed = tiny.model_copy(update={"seed": 8, "precision": "auto"})
    assert difference(begun, identity(with_images(seed, "one"), "b")) == "another recipe (precision, seed)"
    assert (
        difference(begun, identity(with_images(seed, "two").at_length(0.5), "b", ""))
        == "another model and other images and another length (6 steps) and another recipe (precision, seed)"
    )


def test_the_name_of_a_recipe_does_not_differ_and_measurements_do(tiny):
    assert difference(identity(tiny), identity(tiny.model_copy(update={"name": "renamed"}))) is None
    validation = tiny.validation.model_copy(update={"every": 1})
    other = tiny.model_copy(update={"validation": validation})
    assert difference(identity(tiny), identity(other)) == "another recipe (validation)"


def test_a_schedule_is_scaled_with_the_length():
    recipe = Recipe.from_toml(
        '[[stages]]\nsteps = 10\nlosses = [{ kind = "l1" }]\n'
        'schedule = { kind = "cosine", cycles = [4, 6], warm_up = 5 }\n'
        '[[stages]]\nsteps = 0\nlosses = [{ kind = "l1" }]'
    )
    assert difference(identity(recipe), identity(recipe.at_length(2))) == "another length (10 steps)"
