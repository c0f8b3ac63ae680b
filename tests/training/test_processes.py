"""Two processes that share a batch have the same losses as one."""

import numpy as np
import pytest

from napari_sr import InputError
from napari_sr.imaging.files import write_image
from napari_sr.training.loop.log import read_curves
from napari_sr.training.processes import ProcessSettings, train_in_processes
from napari_sr.training.recipe import Data, ImageSet


@pytest.fixture
def from_file(tmp_path, textured):
    write_image(tmp_path / "texture.png", textured())

    def make(recipe, folder):
        data = Data(images=(ImageSet(path="texture.png"),))
        recipe = recipe.model_copy(update={"data": data})
        return ProcessSettings(recipe=recipe, folder=tmp_path / folder, data=tmp_path, device="cpu")

    return make


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one_in_both_stages(from_file, gan, tmp_path):
    outcome = train_in_processes(from_file(gan, "two"), 2)
    from_file(gan, "one").training().run()
    assert outcome.finished
    one, two = (read_curves(tmp_path / name / "curves.csv") for name in ("one", "two"))
    assert len(one) == len(two) > 4
    for a, b in zip(one, two, strict=True):
        assert a["stage"] == b["stage"]
        for key in a.keys() - {"stage"}:
            assert (a[key] == "") == (b[key] == "")
            if a[key]:
                assert float(a[key]) == pytest.approx(float(b[key]), rel=2e-4, abs=1e-7), key


def test_a_batch_that_two_processes_cannot_share_is_refused_before_they_start(from_file, tiny):
    patches = tiny.patches.model_copy(update={"batch": 3})
    with pytest.raises(InputError, match="multiple of 2"):
        train_in_processes(from_file(tiny.model_copy(update={"patches": patches}), "two"), 2)


def test_patches_do_not_depend_on_the_process(from_file, tiny):
    patches = from_file(tiny, "run").training().prepare().patches
    batch = patches.batch(0, 3, [0, 1, 2, 3])
    shared = [patches.batch(0, 3, numbers) for numbers in ([0, 2], [1, 3])]
    assert np.array_equal(batch.low[0::2], shared[0].low)
    assert np.array_equal(batch.high[1::2], shared[1].high)
