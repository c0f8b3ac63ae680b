"""Patches depend on the seed and the position in the training only."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sr import InputError
from napari_sr.training.data.images import training_images
from napari_sr.training.data.patches import Batch, Patches, PatchOrientation
from napari_sr.training.data.plane_pairs import make_plane_pairs
from napari_sr.training.randomness import generator_at
from napari_sr.training.recipe import Recipe

RECIPE = Recipe.from_toml('[[stages]]\nsteps = 1\nlosses = [{ kind = "l1" }]')


def patches_of(image, corners=None, scale=2, size=6, margin=0, **settings):
    plane_pairs, _ = make_plane_pairs(training_images(image, scale), scale, RECIPE.data, RECIPE.degradation, "gray")
    side = size + 2 * margin
    if corners is None:
        corners = [np.ones([n - side + 1 for n in plane_pair.gray.shape], bool) for plane_pair in plane_pairs]
    return Patches(plane_pairs, corners, scale=scale, size=size, margin=margin, color="gray", seed=4, **settings)


@pytest.fixture
def ramp():
    """An image in which the value of a pixel is 256 times its row plus its column."""
    rows, columns = np.mgrid[:48, :64]
    return (256 * rows + columns).astype(np.uint16)


def positions_in(patch, plane_pair):
    """Return the set of (row, column) of the pixels of a patch of the ramp."""
    values = np.rint(plane_pair.high_map.inverse(patch[0], np.float64)[0]).astype(int)
    return {(int(v) // 256, int(v) % 256) for v in values.ravel()}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 3), st.integers(0, 10**6), st.integers(0, 10**4), st.sampled_from([0, 2]))
def test_low_and_high_show_the_same_field_in_every_orientation(stage, step, number, margin):
    rows, columns = np.mgrid[:48, :64]
    ramp = (256 * rows + columns).astype(np.uint16)
    patches = patches_of(ramp, margin=margin)
    low, high, *_ = patches.patch(stage, step, number)
    assert low.shape == (1, 6 + 2 * margin, 6 + 2 * margin)
    assert high.shape == (1, 12, 12)
    # Averages over 2 x 2 pixels of the high patch are, on a ramp, the low patch without its margin.
    inner = low[:, margin : low.shape[1] - margin, margin : low.shape[2] - margin]
    means = high.reshape(1, 6, 2, 6, 2).mean(axis=(2, 4))
    assert np.abs(means - inner).max() < 2e-3
    assert len(positions_in(high, patches.plane_pairs[0])) == 144


def test_a_patch_does_not_depend_on_those_drawn_before(ramp):
    one, two = patches_of(ramp), patches_of(ramp)
    for number in range(5):
        one.patch(0, 0, number)
    for a, b in zip(one.patch(1, 7, 3)[:2], two.patch(1, 7, 3)[:2], strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(one.patch(1, 7, 3)[1], one.patch(1, 8, 3)[1])
    assert not np.array_equal(one.patch(1, 7, 3)[1], one.patch(2, 7, 3)[1])


def test_every_permitted_corner_is_drawn_and_no_other(ramp):
    corners = np.zeros((19, 27), bool)
    corners[[0, 4, 18], [26, 3, 0]] = True
    patches = patches_of(ramp, [corners], flips=False, turns=False)
    assert len(patches) == 3
    positions = {min(positions_in(patches.patch(0, step, 0)[1], patches.plane_pairs[0])) for step in range(60)}
    assert positions == {(0, 52), (8, 6), (36, 0)}


def test_without_flips_and_turns_patches_have_the_orientation_of_the_image(ramp):
    patches = patches_of(ramp, flips=False, turns=False)
    for step in range(10):
        high = patches.patch(0, step, 0)[1][0]
        assert (np.diff(high, axis=0) > 0).all()
        assert (np.diff(high, axis=1) > 0).all()


def test_eight_flips_and_turns_are_all_different():
    patch = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    results = {PatchOrientation(flip, n)(patch).tobytes() for flip in (False, True) for n in range(4)}
    assert len(results) == 8


def test_images_without_a_patch_are_refused(ramp):
    with pytest.raises(InputError, match="No patch of 6 low-resolution pixels is left"):
        patches_of(ramp, [np.zeros((19, 27), bool)])


def test_generators_of_different_positions_differ():
    positions = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]
    drawn = [generator_at(1, "patch", *position).random(4).tolist() for position in positions]
    drawn += [generator_at(1, "validation").random(4).tolist(), generator_at(2, "patch").random(4).tolist()]
    assert len({tuple(numbers) for numbers in drawn}) == len(drawn)


def test_a_batch_is_on_its_device_before_it_is_used(monkeypatch):
    # The patches are not in pinned memory: a copy that is not waited for could read them after they are freed.
    copies, to = [], torch.Tensor.to
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *a, **k: copies.append((a, k)) or to(self, *a, **k))
    low, high = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 8, 8)
    batch = Batch(low, high, torch.rand(2, 1, 4, 4), torch.rand(2)).to(torch.device("meta"), torch.channels_last)
    assert batch.low.is_contiguous(memory_format=torch.channels_last)
    assert all(value.device.type == "meta" for value in (batch.low, batch.high, batch.noise, batch.blur))
    assert len(copies) == 4
    assert all(arguments == (torch.device("meta"),) and not settings for arguments, settings in copies)
