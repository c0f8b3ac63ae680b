"""Parts of large images and long stacks."""

import numpy as np
import pytest

from napari_sr.imaging.noise import measure_noise
from napari_sr.imaging.noise.sampling import BUDGET, spread
from tests.imaging.noise.synthetic import noisy, scene


class Counted:
    """An array that is read where it is sliced, and counts what is read."""

    def __init__(self, shape, whole=False):
        self.shape, self.dtype, self.read, self._whole = shape, np.dtype(np.float32), 0, whole

    def __getitem__(self, index):
        rows, columns = (range(*part.indices(size)) for part, size in zip(index, self.shape, strict=True))
        self.read += len(rows) * len(columns)
        generator = np.random.default_rng(rows[0] * 7919 + columns[0])
        return (5 * generator.standard_normal((len(rows), len(columns)))).astype(np.float32)


def test_of_a_huge_plane_little_is_read():
    plane = Counted((200_000, 300_000))
    assert measure_noise([plane]).sigma(0.0) == pytest.approx(5, rel=0.02)
    assert plane.read <= 1.2 * BUDGET


def test_of_a_long_stack_few_planes_are_read():
    class Stack(list):
        def __init__(self):
            self.asked = []

        def __len__(self):
            return 5000

        def __getitem__(self, number):
            self.asked.append(number)
            return np.random.default_rng(number).normal(0, 5, (300, 300))

    stack = Stack()
    assert measure_noise(stack).sigma(0.0) == pytest.approx(5, rel=0.02)
    assert len(set(stack.asked)) <= 9


def test_the_same_image_gives_the_same_noise():
    image = noisy(scene(700))
    assert measure_noise([image]) == measure_noise([image.copy()])


@pytest.mark.parametrize(("count", "most", "chosen"), [(12, 4, [1, 4, 7, 10]), (3, 1, [1]), (2, 4, [0, 1]), (0, 4, [])])
def test_few_of_many_parts_are_spread_over_all_of_them(count, most, chosen):
    assert spread(range(count), most) == chosen
