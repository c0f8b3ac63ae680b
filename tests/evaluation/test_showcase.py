"""The files of the demo, and the picture in them."""

import numpy as np
import pytest

from napari_sr.errors import InputError
from napari_sr.evaluation import Panel, bicubic, side_by_side, write_showcase
from napari_sr.imaging.files import read_image
from napari_sr.samples import load_sample


def test_showcase_writes_all_images_with_their_pixel_sizes(tmp_path):
    sample = load_sample("electron")
    shown = write_showcase(tmp_path / "new" / "folder", sample, sample.high, "perfect")
    assert shown.result.psnr == float("inf")
    assert shown.result.ssim == pytest.approx(1)
    assert 15 < shown.bicubic.psnr < 30
    images = {path.stem.removeprefix("electron-"): read_image(path) for path in shown.files}
    assert sorted(images) == ["bicubic", "ground-truth", "input", "result", "side-by-side"]
    assert np.array_equal(images["input"].data, sample.low)
    assert np.array_equal(images["bicubic"].data, bicubic(sample.low, 4))
    sizes = {name: image.pixel_size.get("X") for name, image in images.items()}
    assert (sizes["input"], sizes["result"], sizes["ground-truth"]) == (32, 8, 8)
    assert images["result"].unit == "nanometer"
    assert images["side-by-side"].axes == "YXC"


def test_panels_share_one_contrast_and_the_inset_is_enlarged():
    dark, bright = np.full((40, 40), 100), np.full((40, 40), 200)
    picture = side_by_side([Panel("a", dark), Panel("b", bright)], contrast=(100, 200), inset=(8, 8, 10), zoom=4)
    rows, columns = picture.shape[:2]
    left, right = picture[:, : columns // 2], picture[:, columns // 2 :]
    assert rows > 40 + 4 * 10
    # Inside the image and inside the enlarged part, off the frames.
    for row in (rows - 20, rows - 4 * 10 - 8 - 5):
        assert tuple(left[row, 20]) == (0, 0, 0)
        assert tuple(right[row, 20]) == (255, 255, 255)


@pytest.mark.parametrize(
    ("shapes", "contrast", "inset"),
    [
        ([(20, 20), (20, 21)], (0, 1), (0, 0, 5)),
        ([(20, 20, 3)], (0, 1), (0, 0, 5)),
        ([(20, 20)], (1, 1), (0, 0, 5)),
        ([(20, 20)], (0, 1), (16, 0, 5)),
    ],
)
def test_panels_that_do_not_fit_are_refused(shapes, contrast, inset):
    with pytest.raises(InputError):
        side_by_side([Panel("", np.zeros(shape)) for shape in shapes], contrast=contrast, inset=inset)
