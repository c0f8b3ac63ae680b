"""Samples of a TIFF are interpreted by their kind, or refused by its name."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from skimage import color

from napari_sr.errors import InputError
from napari_sr.imaging.files import is_readable_tiff, read_image
from tests.imaging.files.made import cmyk_profile, plain_tags, ramp_of, write_tiff

RED_INK = (0, 255, 255, 0)
SIGN = np.array([0, 0x80, 0x80], np.uint8)


def picture(height=24, width=32):
    """Smooth RGB colors over most of their range."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 7 + 10, y * 9 + 20, 240 - x * 3 - y * 2], axis=-1).astype(np.uint8)


def srgb_of(profile):
    return "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))


def saved(tmp_path, data, **options):
    tifffile.imwrite(tmp_path / "a.tif", data, **options)
    return read_image(tmp_path / "a.tif")


# White as zero


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"tile": (16, 16)}, {"compression": "zlib"}])
def test_white_stored_as_zero_is_read_as_the_largest_value(tmp_path, dtype, options):
    stored = ramp_of((20, 30), dtype)
    found = saved(tmp_path, stored, photometric="miniswhite", **options)
    assert found.data.dtype == dtype
    np.testing.assert_array_equal(found.data, np.iinfo(dtype).max - stored)


def test_white_stored_as_zero_with_a_predictor(tmp_path):
    stored = ramp_of((20, 30), "uint16")
    found = saved(tmp_path, stored, photometric="miniswhite", compression="zlib", predictor=True)
    np.testing.assert_array_equal(found.data, 65535 - stored)


@pytest.mark.parametrize("writer", ["tifffile", "pillow"])
def test_white_stored_as_zero_in_one_bit(tmp_path, writer):
    stored = np.random.default_rng(0).random((9, 13)) > 0.4
    if writer == "tifffile":
        tifffile.imwrite(tmp_path / "a.tif", stored, photometric="miniswhite")
    else:
        # Pillow inverts what it writes as white as zero.
        Image.fromarray(~stored).save(tmp_path / "a.tif", tiffinfo={262: 0})
    found = read_image(tmp_path / "a.tif")
    assert found.data.dtype == bool
    np.testing.assert_array_equal(found.data, ~stored)


def test_white_stored_as_zero_in_a_stack_and_in_imagej(tmp_path):
    stored = ramp_of((3, 8, 9), "uint8")
    np.testing.assert_array_equal(saved(tmp_path, stored, photometric="miniswhite").data, 255 - stored)
    found = saved(
        tmp_path, stored, photometric="miniswhite", imagej=True, metadata={"axes": "ZYX", "min": 5, "max": 55}
    )
    np.testing.assert_array_equal(found.data, 255 - stored)
    assert found.limits == ((200, 250),)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32", "float16", "uint64"])
def test_white_stored_as_zero_without_a_white_is_refused(tmp_path, dtype):
    with pytest.raises(InputError, match=rf"a\.tif has gray values with white as 0 in {dtype}, which is not defined"):
        saved(tmp_path, np.zeros((4, 5), dtype), photometric="miniswhite")


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("bits", [2, 4])
def test_gray_values_of_a_few_bits_run_from_black_to_white(tmp_path, photometric, bits):
    most, per_byte = 2**bits - 1, 8 // bits
    stored = (np.arange(16)[None] + np.arange(6)[:, None]) % (most + 1)
    packed = sum(stored[:, n::per_byte] << (8 - bits * (n + 1)) for n in range(per_byte)).astype(np.uint8)
    write_tiff(tmp_path / "a.tif", plain_tags(16, 6, [bits], photometric), packed.tobytes())
    found = read_image(tmp_path / "a.tif")
    values = stored if photometric else most - stored
    np.testing.assert_array_equal(found.data, values * (255 // most))


def test_gray_values_without_a_kind_are_gray_values(tmp_path):
    tags = plain_tags(5, 4, [8], 1)
    del tags[262]
    write_tiff(tmp_path / "a.tif", tags, bytes(range(20)))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").data.ravel(), np.arange(20))


# Color maps


def color_map(entries, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (3, entries)).astype(np.uint16) * 257


def test_a_color_map_becomes_rgb_of_8_bits(tmp_path):
    indices = np.random.default_rng(1).integers(0, 256, (9, 11), dtype=np.uint8)
    colors = color_map(256)
    found = saved(tmp_path, indices, photometric="palette", colormap=colors)
    assert (found.axes, found.data.dtype) == ("YXC", np.uint8)
    np.testing.assert_array_equal(found.data, np.moveaxis(colors[:, indices] // 257, 0, -1))


def test_a_color_map_of_16_bit_indices_keeps_its_16_bits(tmp_path):
    indices = np.random.default_rng(1).integers(0, 65536, (9, 11), dtype=np.uint16)
    colors = np.random.default_rng(0).integers(0, 65536, (3, 65536), dtype=np.uint16)
    found = saved(tmp_path, indices, photometric="palette", colormap=colors)
    np.testing.assert_array_equal(found.data, np.moveaxis(colors[:, indices], 0, -1))


def test_a_color_map_written_in_8_bits_by_mistake_is_not_black(tmp_path):
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colors = color_map(256) // 257
    found = saved(tmp_path, indices, photometric="palette", colormap=colors)
    np.testing.assert_array_equal(found.data, np.moveaxis(colors[:, indices], 0, -1))


@pytest.mark.parametrize("bits", [1, 4])
def test_a_color_map_of_a_few_bits(tmp_path, bits):
    entries, per_byte = 2**bits, 8 // bits
    indices = (np.arange(16)[None] + np.arange(6)[:, None]) % entries
    packed = sum(indices[:, n::per_byte] << (8 - bits * (n + 1)) for n in range(per_byte)).astype(np.uint8)
    colors = color_map(entries)
    tags = {**plain_tags(16, 6, [bits], 3), 320: (3, colors.ravel().tolist())}
    write_tiff(tmp_path / "a.tif", tags, packed.tobytes())
    found = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.data, np.moveaxis(colors[:, indices] // 257, 0, -1))


def test_a_color_map_that_pillow_writes(tmp_path):
    Image.fromarray(picture()).quantize(17).save(tmp_path / "a.tif")
    expected = np.array(Image.open(tmp_path / "a.tif").convert("RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").data, expected)


def test_the_lookup_table_of_imagej_is_for_display(tmp_path):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colors = color_map(256)
    found = saved(tmp_path, values, imagej=True, colormap=colors)
    np.testing.assert_array_equal(found.data, values)
    np.testing.assert_array_equal(found.luts[0], (colors // 257).T)


def test_the_lookup_table_of_an_ome_tiff_is_for_display(tmp_path):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colors = color_map(256)
    tifffile.imwrite(tmp_path / "a.ome.tif", values, photometric="palette", colormap=colors)
    found = read_image(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(found.data, values)
    np.testing.assert_array_equal(found.luts[0], (colors // 257).T)


# CMYK


@pytest.mark.parametrize(
    "options", [{}, {"byteorder": ">"}, {"tile": (16, 16)}, {"compression": "zlib", "predictor": 2}]
)
def test_red_ink_is_red(tmp_path, options):
    if "predictor" in options:
        pytest.importorskip("imagecodecs")
    inks = np.full((20, 30, 4), RED_INK, np.uint8)
    found = saved(tmp_path, inks, photometric="separated", **options)
    assert (found.axes, found.data.shape) == ("YXC", (20, 30, 3))
    assert np.unique(found.data.reshape(-1, 3), axis=0).tolist() == [[255, 0, 0]]
    assert srgb_of(found.icc_profile)


def test_cmyk_of_separate_planes_and_of_16_bits(tmp_path):
    inks = np.random.default_rng(0).integers(0, 256, (8, 9, 4), dtype=np.uint8)
    expected = np.array(Image.fromarray(inks, "CMYK").convert("RGB")).astype(int)
    planes = saved(tmp_path, np.moveaxis(inks, -1, 0), photometric="separated", planarconfig="separate")
    assert np.abs(planes.data - expected).max() <= 1
    deep = saved(tmp_path, inks.astype(np.uint16) * 257, photometric="separated")
    assert deep.data.dtype == np.uint16
    assert np.abs(deep.data / 257 - expected).max() <= 1


def test_a_stack_of_cmyk(tmp_path):
    found = saved(tmp_path, np.full((3, 8, 9, 4), RED_INK, np.uint8), photometric="separated")
    assert (found.axes, found.data.shape) == ("ZYXC", (3, 8, 9, 3))
    assert found.data[2, 3, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_profile_of_the_inks_decides_their_color(tmp_path, dtype):
    inks = np.full((8, 9, 4), RED_INK, np.uint8).astype(dtype) * (257 if dtype == "uint16" else 1)
    found = saved(tmp_path, inks, photometric="separated", iccprofile=cmyk_profile())
    # Two of three inks of that profile: L* = 100 - 100 / 3, gray.
    assert found.data.dtype == np.uint8
    assert np.abs(found.data.astype(int) - 162).max() <= 1
    assert srgb_of(found.icc_profile)


def test_a_profile_that_does_not_describe_the_inks_is_left_out(tmp_path):
    inks = np.full((8, 9, 4), RED_INK, np.uint8)
    for profile in (b"damaged" * 40, cmyk_profile()[:150]):
        found = saved(tmp_path, inks, photometric="separated", iccprofile=profile)
        assert found.data[0, 0].tolist() == [255, 0, 0]


def test_cmyk_with_straight_opacity_keeps_it(tmp_path):
    inks = np.full((8, 9, 5), (*RED_INK, 77), np.uint8)
    found = saved(tmp_path, inks, photometric="separated", extrasamples=["unassalpha"])
    assert found.data[0, 0].tolist() == [255, 0, 0, 77]


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (5, {"extrasamples": ["unspecified"]}, "1 samples of an unknown kind"),
        (5, {"extrasamples": ["assocalpha"]}, "premultiplied alpha"),
        (4, {"extratags": [(332, 3, 1, 2, True)]}, "inks other than CMYK"),
    ],
)
def test_other_inks_are_refused(tmp_path, samples, options, message):
    with pytest.raises(InputError, match=rf"a\.tif has.*{message}"):
        saved(tmp_path, np.zeros((8, 9, samples), np.uint8), photometric="separated", **options)


def test_a_jpeg_of_inks_is_red_and_follows_its_profile(tmp_path):
    inks = Image.new("CMYK", (16, 16), RED_INK)
    inks.save(tmp_path / "plain.jpg", quality=95)
    inks.save(tmp_path / "profile.jpg", quality=95, icc_profile=cmyk_profile())
    plain, by_profile = (read_image(tmp_path / f"{name}.jpg") for name in ("plain", "profile"))
    assert np.abs(plain.data.astype(int) - (255, 0, 0)).max() <= 2
    assert np.abs(by_profile.data.astype(int) - 162).max() <= 2
    assert srgb_of(plain.icc_profile) and srgb_of(by_profile.icc_profile)


# L*a*b*


def lab_and_srgb():
    """L*a*b* under D50 by littleCMS, a* and b* from 0 to 255 around 128, and the sRGB that it was made of."""
    # Colors well inside of what sRGB can show: beyond it each program clips in its own way.
    rgb = picture() // 2 + 64
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = np.array(ImageCms.applyTransform(Image.fromarray(rgb), transform))
    # Pillow's arrays hold a* and b* as signed numbers.
    return lab ^ SIGN, rgb.astype(int)


# Whole numbers of a* and b* leave as much of the colors open.
ROUNDING = 3


@pytest.mark.parametrize("planar", [False, True])
def test_lab_becomes_srgb(tmp_path, planar):
    lab, expected = lab_and_srgb()
    stored = np.moveaxis(lab ^ SIGN, -1, 0) if planar else lab ^ SIGN
    found = saved(tmp_path, stored, photometric="cielab", planarconfig="separate" if planar else "contig")
    assert np.abs(found.data - expected).max() <= ROUNDING
    assert srgb_of(found.icc_profile)


def test_lab_that_pillow_writes(tmp_path):
    lab, expected = lab_and_srgb()
    Image.frombytes("LAB", (lab.shape[1], lab.shape[0]), (lab ^ SIGN).tobytes()).save(tmp_path / "a.tif")
    assert np.abs(read_image(tmp_path / "a.tif").data - expected).max() <= ROUNDING


def test_lab_of_16_bits_is_exact(tmp_path):
    rgb = picture() // 2 + 64
    lab = color.rgb2lab(rgb, illuminant="D65")
    stored = np.stack([lab[..., 0] * 655.35, lab[..., 1] * 256 % 65536, lab[..., 2] * 256 % 65536], axis=-1)
    white = [(318, 5, 2, (3127, 10000, 3290, 10000), True)]
    found = saved(tmp_path, np.floor(stored + 0.5).astype(np.uint16), photometric="cielab", extratags=white)
    assert np.abs(found.data / 257 - rgb).max() <= 0.1


def test_lab_as_icc_encodes_it(tmp_path):
    lab, expected = lab_and_srgb()
    assert np.abs(saved(tmp_path, lab, photometric="icclab").data - expected).max() <= ROUNDING
    deep = saved(tmp_path, lab.astype(np.uint16) * 256, photometric="icclab")
    assert np.abs(deep.data / 257 - expected).max() <= ROUNDING


def test_neutral_lab_is_gray_under_every_white(tmp_path):
    stored = np.stack([np.arange(256), np.zeros(256), np.zeros(256)], axis=-1).astype(np.uint8)[None]
    for white in ((3457, 10000, 3585, 10000), (3127, 10000, 3290, 10000)):
        found = saved(tmp_path, stored, photometric="cielab", extratags=[(318, 5, 2, white, True)])
        assert np.ptp(found.data.astype(int), axis=-1).max() <= 1
        assert np.all(np.diff(found.data[0, :, 1].astype(int)) >= 0)


# YCbCr


@pytest.mark.parametrize("writer", ["tifffile", "pillow"])
def test_ycbcr_becomes_rgb(tmp_path, writer):
    rgb = picture()
    stored = Image.fromarray(rgb).convert("YCbCr")
    if writer == "pillow":
        stored.save(tmp_path / "a.tif")
    else:
        tifffile.imwrite(tmp_path / "a.tif", np.array(stored), photometric="ycbcr")
    found = read_image(tmp_path / "a.tif")
    assert np.abs(found.data.astype(int) - rgb).max() <= 3
    assert srgb_of(found.icc_profile)


def test_ycbcr_follows_its_own_weights_and_references(tmp_path):
    rgb = picture().astype(float)
    weights = np.array([0.2126, 0.7152, 0.0722])
    luma = rgb @ weights
    blue, red = ((rgb[..., c] - luma) / (2 - 2 * weights[c]) for c in (2, 0))
    stored = np.stack([16 + luma * 219 / 255, 128 + blue * 112 / 127, 128 + red * 112 / 127], axis=-1)
    reference = [n for value in (16, 235, 128, 240, 128, 240) for n in (value, 1)]
    tags = [(529, 5, 3, (2126, 10000, 7152, 10000, 722, 10000), True), (532, 5, 6, tuple(reference), True)]
    found = saved(tmp_path, np.rint(stored).astype(np.uint8), photometric="ycbcr", extratags=tags)
    assert np.abs(found.data - rgb).max() <= 3


@pytest.mark.parametrize("mode", ["YCbCr", "RGB", "L"])
def test_jpeg_inside_a_tiff_is_not_converted_twice(tmp_path, mode):
    rgb = Image.fromarray(picture())
    rgb.convert(mode).save(tmp_path / "a.tif", compression="jpeg", quality=98)
    expected = np.array(rgb.convert("L") if mode == "L" else rgb).astype(int)
    assert np.abs(read_image(tmp_path / "a.tif").data - expected).max() <= 8


def test_ycbcr_with_fewer_color_samples_is_refused_and_not_misread(tmp_path):
    tags = {**plain_tags(8, 8, [8, 8, 8], 6), 284: (3, [1]), 530: (3, [2, 2])}
    write_tiff(tmp_path / "a.tif", tags, bytes(96))
    with pytest.raises(InputError, match=r"a\.tif cannot be read as an image \(chroma subsampling"):
        read_image(tmp_path / "a.tif")


# Opacity


def test_premultiplied_colors_become_straight(tmp_path):
    found = saved(tmp_path, np.full((8, 9, 4), (100, 50, 25, 128), np.uint8), photometric="rgb", extrasamples=[1])
    assert found.data[0, 0].tolist() == [199, 100, 50, 128]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("planar", [False, True])
def test_straight_colors_survive_premultiplication(tmp_path, dtype, planar):
    most = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    rng = np.random.default_rng(0)
    straight = rng.random((20, 30, 4))
    straight[..., 3] = 0.3 + 0.7 * straight[..., 3]
    straight[0] = 0
    stored = straight.copy()
    stored[..., :3] *= straight[..., 3:]
    stored *= most
    stored = (stored if dtype == "float32" else np.rint(stored)).astype(dtype)
    options = {"photometric": "rgb", "extrasamples": [1], "planarconfig": "separate" if planar else "contig"}
    found = saved(tmp_path, np.moveaxis(stored, -1, 0) if planar else stored, **options)
    assert found.axes == "YXC"
    assert np.abs(found.data / most - straight).max() <= (1e-6 if dtype == "float32" else 3 / most)


def test_straight_opacity_stays_as_it_is(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 4), dtype=np.uint8)
    np.testing.assert_array_equal(saved(tmp_path, image, photometric="rgb", extrasamples=[2]).data, image)


@pytest.mark.parametrize(("extra", "gray"), [("unassalpha", 100), ("assocalpha", 199)])
def test_gray_with_opacity_is_rgba_as_in_a_png(tmp_path, extra, gray):
    stored = np.full((8, 9, 2), (100, 128), np.uint8)
    found = saved(tmp_path, stored, photometric="minisblack", extrasamples=[extra], planarconfig="contig")
    assert found.data[0, 0].tolist() == [gray, gray, gray, 128]


def test_white_as_zero_with_opacity(tmp_path):
    stored = np.full((8, 9, 2), (100, 128), np.uint8)
    found = saved(tmp_path, stored, photometric="miniswhite", extrasamples=["unassalpha"], planarconfig="contig")
    assert found.data[0, 0].tolist() == [155, 155, 155, 128]


# Samples that are no colors


@pytest.mark.parametrize("samples", [2, 3, 4, 5])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_samples_of_gray_values_are_channels_and_no_colors(tmp_path, samples, planar):
    image = np.random.default_rng(0).integers(0, 65536, (samples, 8, 9), dtype=np.uint16)
    stored = np.moveaxis(image, 0, -1) if planar == "contig" else image
    found = saved(tmp_path, stored, photometric="minisblack", planarconfig=planar)
    assert found.axes == "CYX"
    np.testing.assert_array_equal(found.data, image)


def test_a_fourth_band_that_is_no_opacity_makes_four_channels(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 4), dtype=np.uint8)
    found = saved(tmp_path, image, photometric="rgb", extrasamples=["unspecified"])
    assert found.axes == "CYX"
    np.testing.assert_array_equal(found.data, np.moveaxis(image, -1, 0))


def test_channels_last_by_name_are_no_colors(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    found = saved(tmp_path, image, photometric="minisblack", planarconfig="contig", metadata={"axes": "YXC"})
    assert found.axes == "CYX"
    colors = saved(tmp_path, image, photometric="rgb", metadata={"axes": "YXC"})
    assert colors.axes == "YXC"
    np.testing.assert_array_equal(colors.data, image)


# Types of values, and kinds that are not read


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int16", "uint16", "float16", "int32", "uint32", "float32", "int64", "float64"]
)
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_values_of_every_type_stay_as_they_are(tmp_path, dtype, byteorder):
    image = (np.random.default_rng(0).random((8, 9)) * 100).astype(dtype)
    found = saved(tmp_path, image, photometric="minisblack", byteorder=byteorder)
    assert found.data.dtype == dtype
    assert found.data.dtype.isnative
    np.testing.assert_array_equal(found.data, image)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_values_are_refused(tmp_path, dtype):
    with pytest.raises(InputError, match=rf"a\.tif has values of {dtype}"):
        saved(tmp_path, np.zeros((8, 9), dtype), photometric="minisblack")


@pytest.mark.parametrize(
    ("photometric", "name"), [(4, "MASK"), (10, "ITULAB"), (32803, "CFA"), (34892, "LINEAR_RAW"), (99, "99")]
)
def test_kinds_that_are_not_in_the_table_are_refused_by_name(tmp_path, photometric, name):
    write_tiff(tmp_path / "a.tif", plain_tags(5, 4, [8], photometric), bytes(20))
    with pytest.raises(InputError, match=rf"a\.tif has pixels of the unknown kind {name}: save it") as caught:
        read_image(tmp_path / "a.tif")
    assert "\n" not in str(caught.value)
    assert not is_readable_tiff(tmp_path / "a.tif")


@pytest.mark.parametrize("dtype", ["float32", "int16"])
@pytest.mark.parametrize("photometric", ["separated", "cielab"])
def test_color_spaces_of_other_types_are_refused(tmp_path, dtype, photometric):
    samples = 4 if photometric == "separated" else 3
    with pytest.raises(InputError, match=rf"in {dtype}, which is not defined"):
        saved(tmp_path, np.zeros((8, 9, samples), dtype), photometric=photometric)


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("photometric", ["minisblack", "rgb", "miniswhite"])
def test_a_tiff_lies_upright(tmp_path, orientation, photometric):
    upright = picture(5, 7) if photometric == "rgb" else picture(5, 7)[..., 0]
    shown = 255 - upright if photometric == "miniswhite" else upright
    stored = lying(upright, orientation)
    sizes = (10000, 20000) if orientation < 5 else (20000, 10000)
    found = saved(
        tmp_path,
        stored,
        photometric=photometric,
        extratags=[(274, 3, 1, orientation, True)],
        resolution=sizes,
        resolutionunit="CENTIMETER",
    )
    np.testing.assert_array_equal(found.data, shown)
    assert found.pixel_size == pytest.approx({"X": 1.0, "Y": 0.5})


def lying(upright, orientation):
    """How an image is stored so that a viewer that knows the tag shows it upright: what Pillow turns back."""
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    image = Image.fromarray(upright)
    for method in undo.get(orientation, []):
        image = image.transpose(method)
    return np.array(image)


def test_a_stack_and_a_few_bits_lie_upright(tmp_path):
    upright = ramp_of((3, 5, 7), "uint16")
    stored = np.ascontiguousarray(np.rot90(upright, 1, (1, 2)))
    found = saved(tmp_path, stored, photometric="minisblack", extratags=[(274, 3, 1, 6, True)])
    np.testing.assert_array_equal(found.data, upright)
    few = np.array([[0, 15, 3, 7], [1, 2, 4, 8]])
    packed = (few[:, ::2] << 4 | few[:, 1::2]).astype(np.uint8)
    write_tiff(tmp_path / "b.tif", {**plain_tags(4, 2, [4], 1), 274: (3, [6])}, packed.tobytes())
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif").data, np.rot90(few, -1) * 17)


def test_an_unknown_orientation_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.tif has the unknown orientation 9"):
        saved(tmp_path, np.zeros((4, 5), np.uint8), extratags=[(274, 3, 1, 9, True)])


# Profiles


def profile_of(space):
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[16:20] = space
    return bytes(profile)


@pytest.mark.parametrize(
    ("photometric", "space", "kept"),
    [
        ("rgb", b"RGB ", True),
        ("rgb", b"GRAY", False),
        ("minisblack", b"GRAY", True),
        ("minisblack", b"RGB ", False),
        ("palette", b"RGB ", True),
        ("ycbcr", b"RGB ", True),
    ],
)
def test_a_profile_is_kept_where_it_describes_the_pixels(tmp_path, photometric, space, kept):
    options = {"colormap": color_map(256)} if photometric == "palette" else {}
    stored = picture() if photometric in ("rgb", "ycbcr") else picture()[..., 0]
    profile = profile_of(space)
    found = saved(tmp_path, stored, photometric=photometric, iccprofile=profile, **options)
    assert found.icc_profile == (profile if kept else None)
