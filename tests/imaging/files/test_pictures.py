"""PNG, JPEG and other pictures: opacity, orientation, profiles, and sizes beyond Pillow's own limit."""

from __future__ import annotations

import io
import struct

import numpy as np
import psutil
import pytest
from PIL import Image, ImageCms, ImageOps

from napari_sr.errors import InputError
from napari_sr.imaging.files import read_image, write_image
from tests.imaging.files.made import write_png


def picture(height=5, width=7, channels=3):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, channels) if channels else (height, width), dtype=np.uint8)


def with_filter(rows):
    """Rows of a PNG, each with no filter."""
    return b"".join(b"\0" + bytes(row) for row in rows)


# Transparent values


def test_a_transparent_value_of_16_bits_keeps_the_16_bits(tmp_path):
    gray = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(gray).save(tmp_path / "a.png", transparency=int(gray[3, 4]))
    found = read_image(tmp_path / "a.png")
    assert (found.axes, found.data.dtype) == ("YXC", np.uint16)
    np.testing.assert_array_equal(found.data[..., :3], np.repeat(gray[..., None], 3, axis=-1))
    np.testing.assert_array_equal(found.data[..., 3], np.where(gray == gray[3, 4], 0, 65535))


def test_a_transparent_value_of_8_bits(tmp_path):
    gray = picture(channels=0)
    Image.fromarray(gray).save(tmp_path / "a.png", transparency=int(gray[3, 4]))
    found = read_image(tmp_path / "a.png").data
    np.testing.assert_array_equal(found[..., 0], gray)
    np.testing.assert_array_equal(found[..., 3], np.where(gray == gray[3, 4], 0, 255))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_transparent_value_of_a_few_bits(tmp_path, bits):
    most, per_byte = 2**bits - 1, 8 // bits
    stored = (np.arange(8)[None] + np.arange(4)[:, None]) % (most + 1)
    packed = sum(stored[:, n::per_byte] << (8 - bits * (n + 1)) for n in range(per_byte)).astype(np.uint8)
    chunks = [(b"tRNS", struct.pack(">H", 1))]
    write_png(tmp_path / "a.png", (8, 4), bits, 0, with_filter(packed), chunks)
    found = read_image(tmp_path / "a.png").data
    np.testing.assert_array_equal(found[..., 0], stored * (255 // most))
    np.testing.assert_array_equal(found[..., 3], np.where(stored == 1, 0, 255))


def test_a_transparent_color_and_a_color_map_with_opacity(tmp_path):
    rgb = picture()
    Image.fromarray(rgb).save(tmp_path / "a.png", transparency=tuple(int(v) for v in rgb[2, 3]))
    found = read_image(tmp_path / "a.png").data
    np.testing.assert_array_equal(found[..., :3], rgb)
    assert (found[2, 3, 3], found[..., 3].sum()) == (0, 255 * (rgb.shape[0] * rgb.shape[1] - 1))
    indices = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3), "P")
    indices.putpalette([n * 7 for n in range(18)])
    indices.save(tmp_path / "b.png", transparency=bytes([0, 50, 100, 150, 200, 250]))
    found = read_image(tmp_path / "b.png").data
    assert found[0, 1].tolist() == [21, 28, 35, 50]
    assert found[1, 2].tolist() == [105, 112, 119, 250]


def test_gray_with_opacity_is_rgba(tmp_path):
    data = picture(channels=2)
    Image.fromarray(data, "LA").save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png").data
    np.testing.assert_array_equal(found[..., [0, 1, 2, 3]], data[..., [0, 0, 0, 1]])


@pytest.mark.parametrize("color", [2, 4, 6])
def test_16_bits_of_each_color_are_refused(tmp_path, color):
    samples = {2: 3, 4: 2, 6: 4}[color]
    write_png(tmp_path / "a.png", (2, 2), 16, color, with_filter([bytes(4 * samples)] * 2))
    with pytest.raises(InputError, match=r"a\.png is a PNG with 16 bits for each color"):
        read_image(tmp_path / "a.png")


def test_a_gamma_changes_no_value(tmp_path):
    rows = picture(channels=3)
    chunks = [(b"gAMA", struct.pack(">I", 100000))]
    write_png(tmp_path / "a.png", (7, 5), 8, 2, with_filter(rows.reshape(5, -1)), chunks)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").data, rows)


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_a_picture_lies_upright(tmp_path, orientation, kind):
    exif = Image.Exif()
    exif[274] = orientation
    y, x = np.mgrid[0:40, 0:56]
    stored = Image.fromarray(np.stack([x * 4, y * 6, x * 2 + y * 2], axis=-1).astype(np.uint8))
    path = tmp_path / f"a.{kind}"
    stored.save(path, exif=exif, **({"lossless": True} if kind == "webp" else {}))
    with Image.open(path) as opened:
        expected = np.array(ImageOps.exif_transpose(opened))
    np.testing.assert_array_equal(read_image(path).data, expected)
    # And in the result the tag is gone: it lies upright without it.
    write_image(tmp_path / "b.png", read_image(path).data, "YXC")
    with Image.open(tmp_path / "b.png") as written:
        assert written.getexif().get(274, 1) == 1
        np.testing.assert_array_equal(np.array(written), expected)


def test_an_unknown_orientation_is_refused(tmp_path):
    exif = Image.Exif()
    exif[274] = 12
    Image.fromarray(picture()).save(tmp_path / "a.png", exif=exif)
    with pytest.raises(InputError, match=r"a\.png has the unknown orientation 12"):
        read_image(tmp_path / "a.png")


# Profiles


def profile(space):
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[16:20] = space
    return bytes(made)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_a_profile_goes_from_a_picture_into_the_result(tmp_path, mode):
    own = profile(b"GRAY" if mode == "L" else b"RGB ")
    Image.fromarray(picture()).convert(mode).save(tmp_path / "a.png", icc_profile=own)
    found = read_image(tmp_path / "a.png")
    assert found.icc_profile == own
    for name in ("b.png", "b.tif", "b.ome.tif"):
        write_image(tmp_path / name, found.data, found.axes, metadata=found)
        again = read_image(tmp_path / name)
        assert again.icc_profile == own
        np.testing.assert_array_equal(again.data, found.data)


def test_a_profile_of_another_color_space_is_left_out(tmp_path):
    Image.fromarray(picture(channels=0)).save(tmp_path / "a.png", icc_profile=profile(b"RGB "))
    assert read_image(tmp_path / "a.png").icc_profile is None
    Image.fromarray(picture(channels=2), "LA").save(tmp_path / "b.png", icc_profile=profile(b"GRAY"))
    assert read_image(tmp_path / "b.png").icc_profile is None


def test_a_profile_of_a_jpeg(tmp_path):
    own = profile(b"RGB ")
    Image.fromarray(picture()).save(tmp_path / "a.jpg", icc_profile=own)
    assert read_image(tmp_path / "a.jpg").icc_profile == own


# Several pictures, sizes, and formats


def test_of_several_pictures_in_a_jpeg_the_first_is_read(tmp_path):
    first, second = Image.new("RGB", (16, 8), (250, 10, 20)), Image.new("RGB", (32, 24))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    found = read_image(tmp_path / "a.jpg")
    assert found.data.shape == (8, 16, 3)
    assert np.abs(found.data.astype(int) - (250, 10, 20)).max() <= 3
    assert found.other_series == ("1 (24 x 32)",)
    other = read_image(tmp_path / "a.jpg", series=1)
    assert (other.data.shape, other.series) == ((24, 32, 3), 1)
    with pytest.raises(InputError, match=r"a\.jpg has no series 2: choose one of 0 \(8 x 16\), 1 \(24 x 32\)"):
        read_image(tmp_path / "a.jpg", series=2)


def test_frames_of_an_animation_are_refused(tmp_path):
    frames = [Image.new("L", (5, 4), level) for level in (0, 128, 255)]
    for name in ("a.gif", "a.png", "a.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        with pytest.raises(InputError, match=r"has 3 frames"):
            read_image(tmp_path / name)


def test_the_limit_of_a_picture_is_memory_and_not_pillows(tmp_path, monkeypatch):
    Image.fromarray(picture(60, 70)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read_image(tmp_path / "a.png").data.shape == (60, 70, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_a_picture_of_more_than_179_megapixels(tmp_path):
    # One bit for each pixel: 200 megapixels are 25 MB while they are written.
    Image.new("1", (20000, 10000), 1).save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png").data
    assert found.shape == (10000, 20000)
    assert found[-1].all()


def free(monkeypatch, amount):
    class Memory:
        available = amount

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_an_image_that_memory_cannot_hold_is_refused_before_it_is_read(tmp_path, monkeypatch, ending):
    path = tmp_path / f"a.{ending}"
    write_image(path, picture(60, 70), "YXC")
    free(monkeypatch, 2000)
    with pytest.raises(InputError, match=rf"a\.{ending} contains 60 x 70 x 3 values, which need 0\.0 GiB of memory"):
        read_image(path)


def test_a_small_file_that_declares_a_huge_image_takes_no_memory(tmp_path):
    write_png(tmp_path / "a.png", (2**31 - 1, 2**31 - 1), 8, 2, b"")
    with pytest.raises(InputError, match=r"a\.png contains 2147483647 x 2147483647 x 3 values, which need \d+"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize(("maximum", "mode"), [(4095, "P5"), (1023, "P6"), (65535, "P6")])
def test_values_that_pillow_would_rescale_are_refused(tmp_path, maximum, mode):
    pixels = bytes(8 * 8 * 2 * (3 if mode == "P6" else 1))
    (tmp_path / "a.ppm").write_bytes(f"{mode}\n# a comment 1 2 3\n8 8\n{maximum}\n".encode() + pixels)
    with pytest.raises(InputError, match=r"a\.ppm has values of a PPM that cannot be read without loss"):
        read_image(tmp_path / "a.ppm")


def test_gray_values_of_16_bits_in_other_pictures(tmp_path):
    gray = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    (tmp_path / "a.pgm").write_bytes(b"P5 8 8 65535\n" + gray.astype(">u2").tobytes())
    found = read_image(tmp_path / "a.pgm").data
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, gray)
    Image.fromarray(gray).save(tmp_path / "a.jp2")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jp2").data, gray)


def test_jpeg_2000_and_bmp_of_8_bits(tmp_path):
    rgb = picture(16, 16)
    for name in ("a.jp2", "a.bmp", "a.ppm", "a.tga"):
        Image.fromarray(rgb).save(tmp_path / name)
        np.testing.assert_array_equal(read_image(tmp_path / name).data, rgb)


def test_a_format_that_is_not_in_the_table_is_refused(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(picture()).save(stream, format="EPS")
    (tmp_path / "a.eps").write_bytes(stream.getvalue())
    with pytest.raises(InputError, match=r"a\.eps cannot be read as an image"):
        read_image(tmp_path / "a.eps")


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.czi", b"ZISRAWFILE"), ("a.nd2", b"\xda\xce\xbe\x0a"), ("a.nii", b"\x5c\x01"), ("a.tif", b"")],
)
def test_a_file_of_another_format_is_refused_with_a_way_to_convert_it(tmp_path, name, start):
    (tmp_path / name).write_bytes(start.ljust(200 if start else 0, b"\0"))
    with pytest.raises(InputError, match=r"cannot be read as an image .*: save it as OME-TIFF, for example") as caught:
        read_image(tmp_path / name)
    assert str(caught.value).count(name) == 1


@pytest.mark.parametrize("kind", [b"IHDR", b"tRNS", b"eXIf", b"IDAT"])
def test_a_png_with_a_wrong_checksum_is_refused(tmp_path, kind):
    path = tmp_path / "a.png"
    exif = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 274, 3, 1, 6, 0, 0)
    chunks = [(b"tRNS", b"\0\x07"), (b"eXIf", exif)]
    write_png(path, (8, 4), 8, 0, with_filter(np.arange(32, dtype=np.uint8).reshape(4, 8)), chunks)
    assert read_image(path).data.shape == (8, 4, 4)
    content = bytearray(path.read_bytes())
    content[content.index(kind) + 4 + 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png cannot be read as an image \(a checksum of the PNG is wrong"):
        read_image(path)
