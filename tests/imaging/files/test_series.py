"""Files with several images, images in several files, and images with missing planes."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_sr.errors import InputError
from napari_sr.imaging.files import is_readable_tiff, read_image, tiff, write_image
from napari_sr.imaging.files.series import partner_files
from tests.imaging.files.made import in_several_files, ome_xml, positions_xml, write_micro_manager, write_page

SMALL = np.full((6, 8), 7, np.uint8)
STACK = np.random.default_rng(0).integers(0, 4000, (3, 12, 16), np.uint16)


def two_series(path, **options):
    """A thumbnail in front of a stack."""
    with tifffile.TiffWriter(path, **options) as tiff:
        tiff.write(SMALL, photometric="minisblack", metadata={"axes": "YX", "Name": "thumb", "name": "thumb"})
        tiff.write(STACK, photometric="minisblack", metadata={"axes": "ZYX", "Name": "stack", "name": "stack"})


# Several series


@pytest.mark.parametrize("options", [{"ome": True}, {}])
def test_of_several_series_the_largest_is_read_and_the_others_are_named(tmp_path, options):
    two_series(tmp_path / "a.tif", **options)
    found = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.data, STACK)
    assert (found.series, found.name, found.other_series) == (1, "stack", ('0 "thumb" (6 x 8)',))


@pytest.mark.parametrize("series", [0, "thumb", "0", np.int64(0)])
def test_a_series_is_named_by_its_number_or_its_name(tmp_path, series):
    two_series(tmp_path / "a.ome.tif", ome=True)
    found = read_image(tmp_path / "a.ome.tif", series=series)
    np.testing.assert_array_equal(found.data, SMALL)
    assert found.other_series == ('1 "stack" (3 x 12 x 16)',)


@pytest.mark.parametrize("series", [2, -1, "thumbs", "", True, "99999999999"])
def test_a_series_that_is_not_there_is_refused_with_those_that_are(tmp_path, series):
    two_series(tmp_path / "a.ome.tif", ome=True)
    with pytest.raises(
        InputError, match=rf'a\.ome\.tif has no series {series!r}: choose one of 0 "thumb" \(6 x 8\), 1 "st'
    ):
        read_image(tmp_path / "a.ome.tif", series=series)


def test_each_series_has_its_own_metadata(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tiff:
        for size, unit in ((2.0, "nm"), (0.5, "µm")):
            metadata = {"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeXUnit": unit}
            tiff.write(SMALL, photometric="minisblack", metadata=metadata)
    first, second = (read_image(tmp_path / "a.ome.tif", series=n) for n in (0, 1))
    assert (first.pixel_size, first.unit) == ({"X": 2.0}, "nanometer")
    assert (second.pixel_size, second.unit) == ({"X": 0.5}, "micrometer")
    assert read_image(tmp_path / "a.ome.tif").series == 0


def test_pages_of_several_sizes_are_several_series(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for page in (SMALL, STACK[0], STACK[1]):
            tiff.write(page, photometric="minisblack", metadata=None)
    found = read_image(tmp_path / "a.tif")
    assert (found.axes, found.other_series) == ("ZYX", ("0 (6 x 8)",))
    np.testing.assert_array_equal(found.data, STACK[:2])


def test_a_picture_has_one_series(tmp_path):
    Image.fromarray(SMALL).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", series=0).other_series == ()
    with pytest.raises(InputError, match=r"has no series 1: choose one of 0"):
        read_image(tmp_path / "a.png", series=1)


# Images in several files


def test_an_image_in_several_files_is_read_from_any_of_them(tmp_path):
    for path in in_several_files(tmp_path, STACK):
        found = read_image(path)
        np.testing.assert_array_equal(found.data, STACK)
        assert (found.pixel_size, found.channels) == ({"X": 0.25}, ("GFP",))


@pytest.mark.parametrize("missing", [[1], [2], [1, 2], [0, 2]])
def test_a_missing_partner_is_named(tmp_path, missing):
    paths = in_several_files(tmp_path, STACK)
    for number in missing:
        paths[number].unlink()
    left = next(path for number, path in enumerate(paths) if number not in missing)
    with pytest.raises(InputError, match=rf"{left.name} is in the file z{missing[0]}\.ome\.tif, which is missing"):
        read_image(left)
    assert is_readable_tiff(left)


def test_a_missing_partner_of_another_series_does_not_matter(tmp_path):
    paths = in_several_files(tmp_path, STACK)
    one = ome_xml(["z0.ome.tif"], 0, sizes=(1, 12, 16))
    image = one[one.index("<Image") : one.index("</OME>")].replace('Name="stack"', 'Name="one"')
    both = ome_xml([path.name for path in paths], 0)
    write_page(paths[0], STACK[0], both.replace("</OME>", image + "</OME>"))
    paths[2].unlink()
    with pytest.raises(InputError, match=r"z2\.ome\.tif, which is missing"):
        read_image(paths[0])
    np.testing.assert_array_equal(read_image(paths[0], series="one").data, STACK[0])


def positions(folder, write):
    """A stack in each of three files, which all list the three stacks."""
    names = [f"a_MMStack_Pos{number}.ome.tif" for number in range(3)]
    for number, name in enumerate(names):
        write(folder / name, STACK + np.uint16(number), number, names)
    return [folder / name for name in names]


def with_tifffile(path, stack, number, names):
    with tifffile.TiffWriter(path) as tiff:
        for z, plane in enumerate(stack):
            text = positions_xml(names, number, stack.shape).encode() if z == 0 else None
            tiff.write(plane, photometric="minisblack", metadata=None, description=text, contiguous=False)


def with_micro_manager(path, stack, number, names):
    write_micro_manager(path, stack, number, len(names), positions_xml(names, number, stack.shape))


def with_micro_manager_in_the_first(path, stack, number, names):
    xml = positions_xml(names, number, stack.shape)
    if number:
        binary = f'<BinaryOnly MetadataFile="{names[0]}" UUID="urn:uuid:00000000"/>'
        xml = xml[: xml.index("<Image")] + binary + "</OME>"
    write_micro_manager(path, stack, number, len(names), xml)


@pytest.mark.parametrize("write", [with_tifffile, with_micro_manager, with_micro_manager_in_the_first])
def test_of_several_images_in_several_files_each_file_gives_its_own(tmp_path, write):
    for number, path in enumerate(positions(tmp_path, write)):
        found = read_image(path)
        np.testing.assert_array_equal(found.data, STACK + np.uint16(number))
        assert (found.axes, found.name, found.pixel_size) == ("ZYX", f"position {number}", {"X": 0.25})
        assert len(found.other_series) == 2
        np.testing.assert_array_equal(read_image(path, series="position 0").data, STACK)
        assert is_readable_tiff(path)


@pytest.mark.parametrize("write", [with_tifffile, with_micro_manager])
def test_a_file_is_read_without_those_of_other_images(tmp_path, write):
    paths = positions(tmp_path, write)
    paths[0].unlink()
    np.testing.assert_array_equal(read_image(paths[1]).data, STACK + np.uint16(1))


def test_a_single_position_of_micro_manager_is_read(tmp_path):
    path = tmp_path / "a_MMStack_Pos0.ome.tif"
    write_micro_manager(path, STACK, 0, 1, positions_xml([path.name], 0, STACK.shape))
    found = read_image(path)
    np.testing.assert_array_equal(found.data, STACK)
    assert (found.axes, found.pixel_size, found.channels, found.other_series) == ("ZYX", {"X": 0.25}, ("GFP",), ())


def test_planes_that_are_declared_and_not_there_are_no_zeros(tmp_path):
    names = ["a.ome.tif"] * 2
    write_page(tmp_path / "a.ome.tif", STACK[0], ome_xml(names[:1], 0))
    with pytest.raises(InputError, match=r"a\.ome\.tif declares 3 planes, and 2 of them are missing"):
        read_image(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("identified", [True, False])
def test_a_file_that_was_renamed_is_no_missing_partner(tmp_path, identified):
    xml = ome_xml(["a.ome.tif"] * 3, 0)
    if identified:
        xml = xml.replace("urn:uuid:00000001", "urn:uuid:00000000").replace("urn:uuid:00000002", "urn:uuid:00000000")
    else:
        xml = xml.replace('UUID="urn:uuid:00000000"', "")
    for z in range(3):
        xml = xml.replace(f'FirstZ="{z}" IFD="0"', f'FirstZ="{z}" IFD="{z}"')
    tifffile.imwrite(tmp_path / "b.ome.tif", STACK, photometric="minisblack", metadata=None, description=xml.encode())
    found = read_image(tmp_path / "b.ome.tif")
    np.testing.assert_array_equal(found.data, STACK)
    assert found.pixel_size == {"X": 0.25}


def test_a_count_of_planes_that_no_file_holds_is_refused_before_a_list_of_them_is_made(tmp_path):
    for huge in ('SizeZ="2000000000"', 'PlaneCount="2000000000"'):
        name, _, _ = huge.partition("=")
        xml = ome_xml(["a.ome.tif"], 0, sizes=(1, 12, 16)).replace(f'{name}="1"', huge)
        write_page(tmp_path / "a.ome.tif", STACK[0], xml)
        with pytest.raises(InputError, match=r"a\.ome\.tif declares 2000000000 planes"):
            read_image(tmp_path / "a.ome.tif")


def binary_only(folder, companion="all.companion.ome"):
    paths = in_several_files(folder, STACK)
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:00000001">'
        f'<BinaryOnly MetadataFile="{companion}" UUID="urn:uuid:99"/></OME>'
    )
    write_page(paths[1], STACK[1], xml)
    return paths


def test_the_metadata_of_a_companion_file_are_read(tmp_path):
    paths = binary_only(tmp_path)
    (tmp_path / "all.companion.ome").write_text(ome_xml([path.name for path in paths], 99), encoding="utf-8")
    found = read_image(paths[1])
    np.testing.assert_array_equal(found.data, STACK)
    assert found.pixel_size == {"X": 0.25}


def test_the_metadata_of_another_tiff_of_the_image_are_read(tmp_path):
    path = binary_only(tmp_path, companion="z0.ome.tif")[1]
    found = read_image(path)
    np.testing.assert_array_equal(found.data, STACK)
    assert (found.pixel_size, found.channels) == ({"X": 0.25}, ("GFP",))


def test_a_missing_companion_file_is_named(tmp_path):
    paths = binary_only(tmp_path)
    with pytest.raises(
        InputError, match=r"z1\.ome\.tif contains only the pixels.* in all\.companion\.ome, which is missing"
    ):
        read_image(paths[1])


def test_the_other_files_of_an_image_are_found_from_each_of_them(tmp_path):
    paths = in_several_files(tmp_path, STACK)
    for path in paths:
        assert partner_files(path) == [other.name for other in paths if other != path]
    companion = tmp_path / "all.companion.ome"
    binary_only(tmp_path)
    companion.write_text(ome_xml([path.name for path in paths], 99), encoding="utf-8")
    assert partner_files(paths[1]) == [companion.name, paths[0].name, paths[2].name]


def test_a_file_that_is_no_part_of_an_image_has_no_other_files(tmp_path):
    for path in (tmp_path / "one.ome.tif", tmp_path / "plain.tif", tmp_path / "a.png"):
        write_image(path, SMALL)
        assert partner_files(path) == []
    (tmp_path / "damaged.ome.tif").write_bytes((tmp_path / "one.ome.tif").read_bytes()[:50])
    binary_only(tmp_path)
    for path in (tmp_path / "damaged.ome.tif", tmp_path / "missing.tif", tmp_path, tmp_path / "z1.ome.tif"):
        assert partner_files(path) == []


# Files that were cut off


def test_a_stack_of_imagej_that_was_cut_off_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "ZYX"})
    path.write_bytes(path.read_bytes()[: -STACK.nbytes // 2])
    with pytest.raises(InputError, match=r"a\.tif declares 3 planes and contains 1, as a truncated file does"):
        read_image(path)


def test_a_plain_stack_that_was_cut_off_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    rng = np.random.default_rng(0)
    with tifffile.TiffWriter(path) as tiff:
        for _ in range(9):
            page = rng.integers(0, 255, (30, 40), dtype=np.uint8)
            tiff.write(page, photometric="minisblack", metadata=None, contiguous=False)
    whole = path.read_bytes()
    for part in (0.35, 0.6, 0.95):
        path.write_bytes(whole[: int(part * len(whole))])
        with pytest.raises(InputError, match=r"a\.tif"):
            read_image(path)


def test_a_stack_whose_last_page_has_lost_the_places_of_its_pixels_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    inks = np.random.default_rng(0).integers(0, 256, (2, 4, 2, 3), dtype=np.uint8)
    tifffile.imwrite(path, inks, photometric="separated", planarconfig="separate", metadata=None)
    whole = path.read_bytes()
    right = read_image(path).data
    for end in range(len(whole) - 120, len(whole)):
        path.write_bytes(whole[:end])
        try:
            data = read_image(path).data
        except InputError as error:
            assert "a.tif" in str(error)
        else:
            assert np.array_equal(data, right)


def test_a_stack_whose_last_page_has_lost_a_tag_is_no_single_plane(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((2, 1, 22, 4), np.uint8), photometric="separated", metadata=None)
    whole = path.read_bytes()
    for end in range(len(whole) - 60, len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"a\.tif"):
            read_image(path)


def test_pages_that_differ_in_their_meaning_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tiff:
        for turn in (1, 3):
            tiff.write(SMALL, photometric="minisblack", metadata=None, extratags=[(274, 3, 1, turn, True)])
    with pytest.raises(InputError, match=r"a\.tif has pages that differ in kind, colors or orientation \(page 2\)"):
        read_image(path)
    colors = np.random.default_rng(0).integers(0, 65536, (2, 3, 256), dtype=np.uint16)
    with tifffile.TiffWriter(path) as tiff:
        for table in colors:
            tiff.write(SMALL, photometric="palette", colormap=table, metadata=None)
    with pytest.raises(InputError, match=r"a\.tif has pages that differ in kind, colors"):
        read_image(path)


# Folders


def test_a_folder_is_refused_with_one_of_its_images(tmp_path):
    write_image(tmp_path / "b.png", SMALL)
    write_image(tmp_path / "a.tif", SMALL)
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(InputError, match=r"is a folder with 2 images: give one of them, such as .*a\.tif"):
        read_image(tmp_path)
    (tmp_path / "b.png").unlink()
    with pytest.raises(InputError, match=r"is a folder with one image: give its path, .*a\.tif\."):
        read_image(tmp_path)


# Messages


@pytest.mark.parametrize("name", ["z0.ome.tif", "cut.tif"])
def test_a_refusal_is_not_accompanied_by_the_log_of_tifffile(tmp_path, caplog, name):
    in_several_files(tmp_path, STACK)[1].unlink()
    with tifffile.TiffWriter(tmp_path / "cut.tif") as tiff:
        for page in STACK:
            tiff.write(page, photometric="minisblack", metadata=None, contiguous=False)
    whole = (tmp_path / "cut.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError):
        read_image(tmp_path / name)
    assert caplog.records == []


def test_the_log_of_a_file_that_is_read_is_not_lost(tmp_path, caplog):
    write_page(tmp_path / "a.ome.tif", STACK[0], ome_xml(["a.ome.tif", "a.ome.tif"], 0, sizes=(1, 12, 16)))
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif").data, STACK[0])
    assert any("tifffile" in record.name for record in caplog.records)


def test_a_file_that_ends_before_its_description_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((4, 8, 9), np.uint8), ome=True, metadata={"axes": "CYX"})
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        place = tiff.pages.first.tags[270].valueoffset
    content = (tmp_path / "a.ome.tif").read_bytes()
    (tmp_path / "a.ome.tif").write_bytes(content[: place + 20])
    with pytest.raises(InputError, match=r"ends before the value of its tag ImageDescription, as a truncated file"):
        read_image(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("options", [{"rowsperstrip": 2}, {"tile": (16, 16)}])
def test_a_size_that_its_strips_do_not_fill_is_refused(tmp_path, options):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((20, 20), np.uint8), photometric="minisblack", compression="zlib", **options)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages.first.tags["ImageLength"].overwrite(2000)
    with pytest.raises(InputError, match=r"a\.tif declares \d+ strips or tiles in page 1 and contains \d+, as a dam"):
        read_image(path)


# Colors that are stored plane by plane


@pytest.mark.parametrize(
    ("shape", "letters", "moved"),
    [
        ((3, 12, 16), "ZYX", None),
        ((3, 12, 16), "CYX", None),
        ((5, 3, 12, 16), "TCYX", None),
        ((3, 12, 16), "YXC", (0, -1)),
        ((3, 12, 16), "XYC", (0, -1)),
    ],
)
def test_planes_that_are_declared_to_be_colors_are_a_stack_by_the_axes_that_are_given(tmp_path, shape, letters, moved):
    pixels = np.random.default_rng(0).integers(0, 4000, shape, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", planarconfig="separate", metadata=None)
    read = read_image(tmp_path / "a.tif")
    assert read.axes.endswith("YXC")
    given = read.in_axes(letters)
    np.testing.assert_array_equal(given.data, pixels if moved is None else np.moveaxis(pixels, *moved))
    assert given.axes == letters
    assert given.in_axes(letters) is given


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("axes", "shape"),
    [("ZYX", (3, 20, 24)), ("TYX", (4, 20, 24)), ("CZYX", (2, 3, 20, 24)), ("CTYX", (3, 3, 20, 24))],
)
def test_three_planes_whose_axis_is_named_are_no_colors(tmp_path, monkeypatch, axes, shape, lazy):
    monkeypatch.setattr(tiff, "LARGE", 0)
    path = tmp_path / "stack.tif"
    values = np.random.default_rng(0).integers(0, 4096, shape, np.uint16)
    # tifffile takes them for colors, and says so in a warning that the user may never see.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tifffile.imwrite(path, values, metadata={"axes": axes})
    with tifffile.TiffFile(path) as file:
        assert file.pages.first.photometric == tifffile.PHOTOMETRIC.RGB
    image = read_image(path, lazy=lazy)
    assert image.axes == axes
    assert np.array_equal(np.asarray(image.data[...]), values)


def test_an_image_of_planes_of_colors_names_the_axes_of_a_stack(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "b.tif", np.moveaxis(STACK, 0, -1), photometric="rgb")
    assert read_image(tmp_path / "a.tif").remark.endswith("give the axes ZYX or CYX.")
    assert read_image(tmp_path / "b.tif").remark == ""


@pytest.mark.parametrize("letters", ["CYX", "ZYX"])
def test_colors_do_not_become_rows_or_columns_by_the_axes_that_are_given(tmp_path, letters):
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(STACK, 0, -1), photometric="rgb")
    with pytest.raises(InputError, match=rf"a\.tif is in color and was read as YXC, .* {letters} would make X"):
        read_image(tmp_path / "a.tif").in_axes(letters)
    assert read_image(tmp_path / "a.tif").in_axes("YXZ").data.shape == (12, 16, 3)


def for_tifffile_alone(method):
    """A method that is missing for callers outside of tifffile."""

    def called(self, *args, **options):
        if sys._getframe(1).f_globals["__name__"].partition(".")[0] != "tifffile":
            raise AttributeError(method.__name__)
        return method(self, *args, **options)

    return called


@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_a_file_is_read_by_a_tifffile_without_get_axes_and_get_shape(kind, tmp_path, monkeypatch):
    """Version 2026.5.2 removed both. Python 3.11 has an earlier one, which calls them itself."""
    for name in {"get_axes", "get_shape"} & set(dir(tifffile.TiffPageSeries)):
        monkeypatch.setattr(tifffile.TiffPageSeries, name, for_tifffile_alone(getattr(tifffile.TiffPageSeries, name)))
    image = np.arange(3 * 20 * 30, dtype=np.uint16).reshape(3, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", image, metadata={"axes": "ZYX"}, **{kind: True})
    read = read_image(tmp_path / "a.tif")
    assert read.axes == "ZYX" and np.array_equal(read.data, image)
