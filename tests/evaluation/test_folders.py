"""Files of two folders are matched by name, or the files without a counterpart are named."""

import numpy as np
import pytest

from napari_sr import upscale
from napari_sr.errors import InputError
from napari_sr.evaluation import bicubic, evaluate, evaluate_files, pair_files, scale_of_sizes
from napari_sr.imaging.files import ImageFile, read_image, write_image


@pytest.fixture
def folders(tmp_path):
    low, high = tmp_path / "low", tmp_path / "high"
    low.mkdir()
    high.mkdir()
    return low, high


def put(folder, name, shape=(16, 16), value=0):
    write_image(folder / name, np.full(shape, value, np.uint8))
    return folder / name


def names(pairs):
    return [(pair.name, pair.image.name, pair.reference.name) for pair in pairs]


def test_names_with_the_factor_at_their_end_match(folders):
    low, high = folders
    for name in ("babyx4.png", "img_x4.tif", "x4.png"):
        put(low, name)
    for name in ("baby.tif", "img.png", "x4.png"):
        put(high, name)
    (low / "sources.txt").write_text("not an image")
    assert names(pair_files(low, high, scale=4)) == [
        ("baby", "babyx4.png", "baby.tif"),
        ("img", "img_x4.tif", "img.png"),
        ("x4", "x4.png", "x4.png"),
    ]
    assert names(pair_files(low, high)) == names(pair_files(low, high, scale=4))


def test_two_files_of_any_names_are_a_pair(folders):
    low, high = folders
    a, b = put(low, "a.png"), put(high, "b.png")
    assert names(pair_files(a, b)) == [("b", "a.png", "b.png")]


def test_an_image_and_a_folder_are_named_in_the_order_that_was_given(folders):
    low, high = folders
    image = put(high, "b.png")
    with pytest.raises(InputError, match=r"low and .*b\.png are a folder and an image:"):
        pair_files(low, image)
    with pytest.raises(InputError, match=r"b\.png and .*low are an image and a folder:"):
        pair_files(image, low)


def test_files_without_a_counterpart_are_named(folders):
    low, high = folders
    put(low, "ax3.png")
    put(low, "onlylow.png")
    put(high, "a.png")
    put(high, "onlyhigh.png")
    with pytest.raises(InputError, match=r"onlylow\.png, onlyhigh\.png are without a counterpart"):
        pair_files(low, high)
    with pytest.raises(InputError, match=r"ax3\.png"):
        pair_files(low, high, scale=4)


def test_two_candidates_for_one_reference_are_refused(folders):
    low, high = folders
    put(low, "ax2.png")
    put(low, "ax3.png")
    put(high, "a.png")
    with pytest.raises(InputError, match=r"Both ax2\.png and ax3\.png belong to a\.png"):
        pair_files(low, high)


def test_missing_mixed_and_empty_are_refused(folders):
    low, high = folders
    file = put(high, "a.png")
    with pytest.raises(InputError, match="no file or folder"):
        pair_files(low / "nowhere", high)
    with pytest.raises(InputError, match="two images or two folders"):
        pair_files(low, file)
    with pytest.raises(InputError, match="has no image"):
        pair_files(low, high)


def test_stores_are_compared_like_files(folders):
    low, high = folders
    rng = np.random.default_rng(0)
    result, truth = rng.integers(0, 255, (16, 18), np.uint8), rng.integers(0, 255, (16, 18), np.uint8)
    upscaled = upscale(result, "srcnn-x2", device="cpu", out=low / "a.1.ome.zarr")
    write_image(high / "a.1.tif", np.kron(truth, np.ones((2, 2), np.uint8)))
    expected = evaluate(np.asarray(upscaled), read_image(high / "a.1.tif").data, scale=2)
    for pairs in (pair_files(low, high), pair_files(low / "a.1.ome.zarr", high / "a.1.tif")):
        assert names(pairs) == [("a.1", "a.1.ome.zarr", "a.1.tif")]
        assert evaluate_files(pairs, {"": None}, scale=2)[0].fidelity == expected


@pytest.mark.parametrize(
    ("low", "high", "scale"), [((10, 12), (40, 48), 4), ((10, 12), (32, 36), 3), ((9, 9), (9, 9), 1)]
)
def test_the_scale_follows_from_the_sizes(low, high, scale):
    images = [ImageFile(np.zeros(shape, np.uint8), "YX") for shape in (low, high)]
    assert scale_of_sizes(*images) == scale


@pytest.mark.parametrize(("low", "high"), [((10, 12), (40, 36)), ((10, 10), (5, 5)), ((10, 10), (29, 25))])
def test_sizes_without_a_common_factor_are_refused(low, high):
    images = [ImageFile(np.zeros(shape, np.uint8), "YX") for shape in (low, high)]
    with pytest.raises(InputError, match="give the factor"):
        scale_of_sizes(*images)


def test_figures_are_those_of_evaluate(folders):
    low, high = folders
    rng = np.random.default_rng(0)
    write_image(low / "ax2.png", rng.integers(0, 255, (16, 18, 3), np.uint8))
    write_image(high / "a.png", rng.integers(0, 255, (33, 36, 3), np.uint8))
    seen = []
    (row,) = evaluate_files(
        pair_files(low, high),
        {"bicubic": lambda image: bicubic(image.data, 2)},
        scale=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    expected = evaluate(bicubic(read_image(low / "ax2.png").data, 2), read_image(high / "a.png").data, scale=2)
    assert (row.name, row.method, row.fidelity) == ("a", "bicubic", expected)
    assert seen == [(1, 1)]


def test_the_message_names_the_file_that_does_not_fit(folders):
    low, high = folders
    put(low, "a.png", (16, 16))
    put(high, "a.png", (40, 40))
    with pytest.raises(InputError, match=r"^a\.png: The result of 16 x 16"):
        evaluate_files(pair_files(low, high), scale=2)
