"""The images of folders and patterns are found once each, and each has a place of its own for its result."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sr.errors import InputError
from napari_sr.imaging.files.names import is_store
from napari_sr.inference.files import inputs as file_inputs
from napari_sr.inference.files.inputs import JOURNAL, has_many_images, plan_files
from napari_sr.inference.output.paths import FORMATS
from tests.imaging.files.foreign import plate as make_plate


@pytest.fixture
def plate(tmp_path, monkeypatch):
    """A folder of images in folders, with other files; the working directory is the folder above."""
    monkeypatch.chdir(tmp_path)
    put("plate/a.tif", "plate/B1/b.ome.tif", "plate/B1/c.PNG", "plate/B1/deep/d.jpg", "plate/e.lsm", "plate/note.txt")
    put("plate/.hidden.tif", "plate/.cache/f.tif", "plate/g.ome.zarr/zarr.json", "plate/g.ome.zarr/0/h.tif")
    return Path("plate")


def put(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("")


def planned(inputs, out="out", **options):
    files = plan_files(inputs, out, **options)
    assert not [file.problem for file in files if file.problem]
    return {file.source.as_posix(): file.out.as_posix() for file in files}


def test_a_folder_is_mirrored_without_hidden_and_other_files(plate):
    assert planned("plate") == {
        "plate/B1/b.ome.tif": "out/B1/b.ome.tif",
        "plate/B1/c.PNG": "out/B1/c.png",
        "plate/B1/deep/d.jpg": "out/B1/deep/d.png",
        "plate/a.tif": "out/a.tif",
        "plate/e.lsm": "out/e.ome.tif",
        "plate/g.ome.zarr": "out/g.ome.zarr",
    }


@pytest.mark.parametrize("result_format", [*FORMATS, "png", " .OME.TIF "])
def test_the_format_of_all_results_may_be_given(plate, result_format):
    ending = "." + result_format.strip(" .").lower()
    assert set(planned("plate", format=result_format).values()) == {
        f"out/{name}{ending}" for name in ("B1/b", "B1/c", "B1/deep/d", "a", "e", "g")
    }


def test_a_pattern_is_mirrored_from_its_first_wildcard_on(plate):
    assert planned("plate/**/*.tif") == {"plate/B1/b.ome.tif": "out/B1/b.ome.tif", "plate/a.tif": "out/a.tif"}
    assert planned("plate/B*/*.tif") == {"plate/B1/b.ome.tif": "out/B1/b.ome.tif"}
    assert planned("plate/B1/*.tif") == {"plate/B1/b.ome.tif": "out/b.ome.tif"}
    assert planned("plate/*.zarr") == {"plate/g.ome.zarr": "out/g.ome.zarr"}


def test_a_file_whose_name_has_a_wildcard_is_that_file(plate):
    put("plate/[1].tif", "plate/1.tif")
    assert planned("plate/[1].tif") == {"plate/[1].tif": "out/[1].tif"}
    assert not has_many_images("plate/[1].tif")
    assert has_many_images("plate/[2].tif")


def test_several_inputs_are_taken_in_their_order_and_each_image_once(plate):
    assert list(planned(["plate/a.tif", "plate/B1", "plate/B1/../a.tif", "plate/B1/*.tif"])) == [
        "plate/a.tif",
        "plate/B1/b.ome.tif",
        "plate/B1/c.PNG",
        "plate/B1/deep/d.jpg",
    ]


def test_images_whose_results_would_have_one_name_have_a_problem_and_the_others_have_none(plate):
    put("plate/a.ome.tif", "plate/B1/c.bmp")
    problems = {file.source.name: file.problem for file in plan_files("plate", "out") if file.problem}
    assert set(problems) == {"c.PNG", "c.bmp"}
    assert "plate/B1/c.bmp has the same name, c.png" in problems["c.PNG"].replace("\\", "/")
    problems = {file.source.name for file in plan_files("plate", "out", format="tif") if file.problem}
    assert problems == {"c.PNG", "c.bmp", "a.tif", "a.ome.tif"}


def test_names_are_compared_once_for_each_image_however_many_are_equal(tmp_path, monkeypatch):
    for number in range(50):
        put(tmp_path / f"in/{number}.jpg", tmp_path / f"in/{number}.bmp")
    compared, normcase = [], os.path.normcase
    monkeypatch.setattr(file_inputs.os.path, "normcase", lambda path: compared.append(path) or normcase(path))
    assert all(file.problem for file in plan_files(tmp_path / "in", tmp_path / "out"))
    results = [path for path in compared if Path(path).parent == tmp_path / "out"]
    assert len(results) <= 2 * 100


def test_results_inside_the_folder_of_the_images_are_no_inputs(plate):
    before = planned("plate", "plate/large")
    put("plate/large/a.tif", "plate/large/B1/z.tif", "plate/older/a.tif", f"plate/older/{JOURNAL}")
    assert planned("plate", "plate/large") == before
    assert set(planned("plate/**/*.tif", "plate/large")) == {"plate/B1/b.ome.tif", "plate/a.tif"}
    # Results may be upscaled again, if they are named.
    assert planned("plate/older", "out") == {"plate/older/a.tif": "out/a.tif"}


@pytest.mark.parametrize(
    ("inputs", "out"), [("plate", "plate"), ("plate/B1", "plate"), ("plate/*.tif", "plate"), ("plate/a.tif", "plate")]
)
def test_results_are_not_written_among_the_images(plate, inputs, out):
    with pytest.raises(InputError, match="is the folder of the images themselves"):
        plan_files(inputs, out)


@pytest.mark.usefixtures("links")
def test_a_linked_folder_is_not_followed_but_a_linked_file_is(plate):
    put("elsewhere/x.tif")
    (plate / "link").symlink_to(Path("elsewhere").resolve())
    (plate / "up").symlink_to(plate.resolve())
    (plate / "linked.tif").symlink_to(Path("elsewhere/x.tif").resolve())
    names = set(planned("plate"))
    assert "plate/linked.tif" in names
    assert not [name for name in names if "/link/" in name or "/up/" in name]


def test_a_folder_that_cannot_be_listed_has_a_problem_and_the_others_have_none(plate, monkeypatch):
    before, listed = planned("plate"), os.scandir

    def refuse(path):
        if path == Path("plate/B1"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    problems = {file.source.as_posix(): file.problem for file in plan_files("plate", "out")}
    assert problems.pop("plate/B1").replace("\\", "/") == (
        "The images in the folder plate/B1 cannot be listed (Permission denied): check its permissions."
    )
    assert problems == {name: "" for name in before if not name.startswith("plate/B1/")}
    assert [file.source for file in plan_files("plate/B1", "out") if file.problem] == [Path("plate/B1")]


def test_a_folder_that_cannot_be_searched_has_a_problem(plate, monkeypatch):
    def refuse(path):
        if path.name == "B1":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return is_store(path)

    monkeypatch.setattr(file_inputs, "is_store", refuse)
    assert [file.source for file in plan_files("plate", "out") if file.problem] == [Path("plate/B1")]


@pytest.mark.usefixtures("links")
def test_a_link_to_a_missing_image_has_a_problem_and_the_others_have_none(plate):
    before = planned("plate")
    (plate / "a.lsm").symlink_to("missing.lsm")
    (plate / "loop.tif").symlink_to("loop.tif")
    (plate / "note").symlink_to("missing.txt")
    found = {file.source.as_posix(): file.problem for file in plan_files("plate", "out", format=".tif")}
    for name in ("plate/a.lsm", "plate/loop.tif"):
        assert "is a link to a file that cannot be found" in found.pop(name)
    # Nor has the image whose result would have the name of that of the missing one.
    assert found == dict.fromkeys(before, "")


@pytest.mark.parametrize(
    ("inputs", "out", "options", "word"),
    [
        ([], "out", {}, "no image"),
        ("", "out", {}, "not a path"),
        (3, "out", {}, "are no files"),
        ("missing", "out", {}, "There is no file or folder missing"),
        ("plate/*.xyz", "out", {}, "No image matches the pattern"),
        ("empty", "out", {}, "has no image in it"),
        ("plate", "plate/note.txt", {}, "is not a folder"),
        ("plate", "plate/g.ome.zarr", {}, "is not a folder"),
        ("plate", "out.ome.tif", {}, "is the name of an image"),
        ("plate", "out", {"format": ".jpg"}, "cannot be written"),
        ("plate", "out", {"format": 3}, "cannot be written"),
    ],
)
def test_an_input_without_images_and_a_wrong_output_are_one_sentence(plate, inputs, out, options, word):
    Path("empty").mkdir()
    with pytest.raises(InputError, match=word):
        plan_files(inputs, out, **options)


NAMES = st.sampled_from(["a", "b", "a.b", "a.tif", "é", "x" * 40, "1 2"])
ENDINGS = st.sampled_from([".tif", ".ome.tif", ".png", ".jpg", ".TIF", ".txt"])
FILES = st.lists(st.tuples(st.sampled_from(["", "w1/", "w1/w2/"]), NAMES, ENDINGS), min_size=1, max_size=8, unique=True)


@given(FILES, st.sampled_from([None, ".tif", ".zarr"]))
def test_each_image_is_listed_once_and_no_two_without_a_problem_share_a_result(tmp_path_factory, files, result_format):
    root = tmp_path_factory.mktemp("drawn")
    for folder, name, ending in files:
        path = root / f"{folder}{name}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    images = sorted(path for path in root.rglob("*") if path.is_file() and path.suffix.lower() != ".txt")
    if not images:
        return
    found = plan_files([root, f"{root}/**/*.tif" if any(p.suffix == ".tif" for p in images) else root], root / "out")
    assert sorted(file.source for file in found) == images
    free = [file.out for file in found if not file.problem]
    assert len(set(free)) == len(free)
    assert not set(free) & {file.out for file in found if file.problem}
    assert [file.source.parent.relative_to(root) for file in found] == [
        file.out.parent.relative_to(root / "out") for file in found
    ]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate_gives_its_fields_and_is_mirrored_by_row_and_well(tmp_path, monkeypatch, version):
    monkeypatch.chdir(tmp_path)
    make_plate(Path("data/p.ome.zarr"), version)
    names = ("A/1/0", "A/1/1", "B/12/0", "B/12/1")
    sources = [f"data/p.ome.zarr/{name}" for name in names]
    places = [f"out/{name}.ome.zarr" for name in names]
    assert planned("data/p.ome.zarr") == dict(zip(sources, places, strict=True))
    assert planned("data/p.ome.zarr/B") == dict(zip(sources[2:], places[2:], strict=True))
    assert planned("data/p.ome.zarr/B/12") == dict(zip(sources[2:], places[2:], strict=True))
    assert planned("data/p.ome.zarr/*/*/1") == dict(zip(sources[1::2], places[1::2], strict=True))
    assert planned("data/p.ome.zarr/A/*") == dict(zip(sources[:2], places[:2], strict=True))
    assert planned([sources[0], sources[3]]) == {sources[0]: places[0], sources[3]: places[3]}
    assert set(planned("data/p.ome.zarr", format=".ome.tif").values()) == {f"out/{name}.ome.tif" for name in names}
    assert planned("data") == {source: f"out/p/{name}.ome.zarr" for source, name in zip(sources, names, strict=True)}
    assert planned("data/*.zarr/A/1/0") == {sources[0]: "out/p/A/1/0.ome.zarr"}
    assert list(planned("data/**/0")) == [sources[0], sources[2]]
    assert has_many_images("data/p.ome.zarr")
    assert has_many_images("data/p.ome.zarr/A/1")
    assert not has_many_images(sources[0])


def test_the_results_of_a_plate_are_not_written_into_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_plate(Path("p.zarr"))
    with pytest.raises(InputError, match="is not a folder"):
        plan_files("p.zarr/A/1", "p.zarr")
