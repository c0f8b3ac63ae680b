"""Every field of `JobSettings` has its place on every surface, with the same default and the same help."""

import ast
import inspect
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_overloads, get_type_hints

import numpy as np
import pytest
import yaml
import zarr
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image
from numpydoc.docscrape import ClassDoc, FunctionDoc

import napari_sr as sr
from napari_sr.cli import app
from napari_sr.cli.options import with_settings
from napari_sr.config import Config, load_config, remember
from napari_sr.imaging.axes import StoredArray
from napari_sr.imaging.axis_view import AxisView
from napari_sr.imaging.intensity.spec import SPECS
from napari_sr.inference import prepare_layer, run_layer
from napari_sr.inference.array import Options
from napari_sr.inference.output.store_metadata import VERSIONS, OmeZarr
from napari_sr.setting_values import MISSING
from napari_sr.settings import PRECISIONS, TILINGS, JobSettings, Overlap, Setting
from napari_sr.widgets.choices.settings.conditions import ConditionRows
from napari_sr.widgets.choices.settings.job_rows import JobRows
from napari_sr.widgets.choices.settings.rows import SettingsRows
from napari_sr.widgets.choices.size import SizeChoice
from napari_sr.zoo.card import Conditioning
from tests.inference.small_models import rrdb

MANIFEST = Path(sr.__file__).parent / "napari.yaml"
#: Settings that the manifest has under another name and in another unit.
IN_GIB = {"memory": "memory_gib"}


def one_line(text: str) -> str:
    return " ".join(text.split())


def keywords(source: str, function: str) -> set[str | None]:
    """Keyword arguments of the calls of a function in a source text."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {keyword.arg for call in calls if ast.unparse(call.func) == function for keyword in call.keywords}


def functions(settings: Sequence[Setting]) -> Iterator[str]:
    """Signatures and docstrings. The default of a shared setting is that of the settings file."""
    types = {entry.name: str(entry.type) for entry in fields(JobSettings)}
    for function in (sr.upscale, sr.upscale_layer, sr.upscale_lazy, sr.upscale_files, sr.upscale_on_cluster):
        place = f"sr.{function.__name__}"
        parameters = inspect.signature(function).parameters
        passed_on = keywords(inspect.getsource(function), "load_settings")
        for setting in settings:
            if setting.name not in parameters:
                yield f"{place}: no parameter {setting.name}"
            elif parameters[setting.name].default != (None if setting.shared else setting.default):
                yield f"{place}: default of {setting.name}"
            elif parameters[setting.name].annotation != types[setting.name] + " | None" * setting.shared:
                yield f"{place}: type of {setting.name}"
            elif setting.name not in passed_on:
                yield f"{place}: {setting.name} is not passed on"
        yield from docstring(place, FunctionDoc(function), settings, shared_are_optional=True)
    yield from docstring("JobSettings", ClassDoc(JobSettings), settings, shared_are_optional=False)


def docstring(place: str, doc: Any, settings: Sequence[Setting], *, shared_are_optional: bool) -> Iterator[str]:
    documented = {parameter.name: parameter for parameter in doc["Parameters"]}
    for setting in settings:
        if setting.name not in documented:
            yield f"{place}: no {setting.name} in the docstring"
            continue
        parameter = documented[setting.name]
        if not one_line(" ".join(parameter.desc)).startswith(setting.help):
            yield f"{place}: help of {setting.name} in the docstring"
        optional = setting.default is None or (setting.shared and shared_are_optional)
        default = "optional" if optional else f"default {setting.default!r}".replace("'", '"')
        if not parameter.type.endswith(default):
            yield f"{place}: {default} of {setting.name} in the docstring"


def command_line(settings: Sequence[Setting]) -> Iterator[str]:
    commands = {command.callback.__name__: command.callback for command in app.registered_commands}
    for setting in settings:

        @with_settings(setting.name)
        def command(given: Any) -> None:
            """A command with the options of one setting."""

        options = inspect.signature(command).parameters
        if not options:
            yield f"command line: no option for {setting.name}"
        for name, option in options.items():
            _, info = get_args(option.annotation)
            text = one_line(info.help or "")
            if not (text.startswith(setting.help) if name == setting.name else text):
                yield f"command line: help of {name}"
            if name not in inspect.signature(commands["upscale"]).parameters:
                yield f"command line: no {name} for napari-sr upscale"


def settings_file(settings: Sequence[Setting]) -> Iterator[str]:
    for setting in settings:
        field = Config.model_fields.get(setting.name)
        if (field is not None) != setting.shared:
            yield f"settings file: {setting.name}"
        elif field is not None and field.default != setting.default:
            yield f"settings file: default of {setting.name}"


def manifest(settings: Sequence[Setting]) -> Iterator[str]:
    content = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    properties = content["contributions"]["configurations"]["defaults"]["properties"]
    for setting in settings:
        shown = properties.get(IN_GIB.get(setting.name, setting.name))
        if (shown is not None) != setting.shared:
            yield f"napari.yaml: {setting.name}"
        if shown is None:
            continue
        if setting.name in IN_GIB:
            sentence = setting.help.partition(";")[0].replace("in bytes", "in GiB")
            if not shown["description"].startswith(sentence) or shown["default"] != 0:
                yield f"napari.yaml: description or default of {setting.name}"
            continue
        if shown["description"] != setting.help:
            yield f"napari.yaml: description of {setting.name}"
        if shown["title"] != setting.label or shown["default"] != setting.default:
            yield f"napari.yaml: title or default of {setting.name}"
        if setting.choices and tuple(shown["enum"]) != setting.choices:
            yield f"napari.yaml: choices of {setting.name}"


def window(settings: Sequence[Setting]) -> Iterator[str]:
    rows, size, conditions = SettingsRows(lambda: None), SizeChoice(lambda: None), ConditionRows(lambda: None)
    conditions.show_model(rrdb(2, 1, conditioning=Conditioning(noise=(0, 3), blur=(0, 1.6))).card)
    widgets = {widget.name: widget for widget in (*rows.widgets, *size.widgets, *conditions.widgets)}
    for setting in settings:
        row = widgets.get(setting.name)
        if row is None:
            yield f"window: no row {setting.name}"
            continue
        if not row.tooltip.startswith(setting.help):
            yield f"window: help of {setting.name}"
        if not str(getattr(row, "text", row.label)).startswith(setting.label):
            yield f"window: label of {setting.name}"
    if JobRows(size, conditions, rows).settings() != JobSettings():
        yield "window: defaults"
    if not {"noise", "denoise", "blur"} <= set(conditions.values()):
        yield "window: conditions"


def results(settings: Sequence[Setting]) -> Iterator[str]:
    """The script and the metadata of a result."""
    job = sr.Job(rrdb(2, 1), JobSettings(device="cpu", target=2.5))
    prepared = prepare_layer(job, Image(np.arange(64, dtype=np.uint8).reshape(8, 8), name="cells"))
    facts = run_layer(job, prepared).layer_data[1]["metadata"]["napari_sr"]
    arguments = keywords(facts["script"], "sr.upscale")
    recorded = json.loads(json.dumps(facts["job"]))
    for setting in settings:
        if setting.name not in arguments:
            yield f"script: {setting.name}"
        if setting.name not in recorded:
            yield f"metadata: {setting.name}"


def values_to_store(settings: Sequence[Setting]) -> Iterator[str]:
    for setting in settings:
        if setting.name not in VALUES:
            yield f"test_settings.py: no values of {setting.name} to store and restore"


SURFACES = (functions, command_line, settings_file, manifest, window, results, values_to_store)


def faults(settings: Sequence[Setting]) -> list[str]:
    found = []
    for surface in SURFACES:
        try:
            found += surface(settings)
        except KeyError as error:
            found.append(f"{surface.__name__.replace('_', ' ')}: no setting {error}")
    return found


def test_every_setting_is_on_every_surface(qtbot: Any) -> None:
    found = faults(JobSettings.described())
    assert not found, "\n".join(found)


@pytest.mark.parametrize("shared", [False, True])
def test_a_setting_without_a_surface_is_named_with_each_place(qtbot: Any, shared: bool) -> None:
    added = Setting("sharpness", 0.5, "Sharpness", "Sharpness of the result.", ("a", "b"), shared)
    found = faults([*JobSettings.described(), added])
    assert all("sharpness" in fault for fault in found)
    places = {fault.partition(":")[0] for fault in found}
    own = {
        "sr.upscale",
        "sr.upscale_layer",
        "sr.upscale_lazy",
        "sr.upscale_files",
        "sr.upscale_on_cluster",
        "JobSettings",
        "command line",
        "window",
        "script",
        "metadata",
    }
    assert places == {*own, "test_settings.py", *(("settings file", "napari.yaml") if shared else ())}


def test_another_default_or_help_is_named(qtbot: Any) -> None:
    (batch,) = (setting for setting in JobSettings.described() if setting.name == "batch")
    changed = Setting("batch", 4, batch.label, "Something else.")
    found = faults([changed])
    assert {"sr.upscale: default of batch", "sr.upscale: help of batch in the docstring", "window: help of batch"} <= {
        *found
    }


def names(hint: Any) -> set[str]:
    """Names that a type lists."""
    return {*get_args(hint)} if get_origin(hint) is Literal else set[str]().union(*map(names, get_args(hint)))


def test_type_checkers_find_misspelled_names() -> None:
    types = get_type_hints(JobSettings)
    for setting in JobSettings.described():
        assert {*setting.choices} <= names(types[setting.name]), setting.name
    for function in (sr.upscale, sr.upscale_layer, sr.upscale_files, sr.upscale_on_cluster, sr.Job.run):
        assert inspect.signature(function).parameters["ome_zarr"].annotation == "OmeZarr"
    assert names(OmeZarr) == {*VERSIONS}


def test_the_type_of_a_result_is_that_of_its_destination() -> None:
    variants = [inspect.signature(variant) for variant in get_overloads(sr.upscale)]
    assert [(one.parameters["out"].annotation, one.return_annotation) for one in variants] == [
        ("None", "NDArray[Any]"),
        ("str | os.PathLike[str]", "StoredArray"),
        ("_Given", "_Given"),
    ]
    options = {name: hint.__forward_arg__ for name, hint in Options.__annotations__.items()}
    parameters = inspect.signature(sr.upscale).parameters
    assert options == {name: parameters[name].annotation for name in parameters if name not in variants[0].parameters}
    on_disk: tuple[StoredArray, ...] = (AxisView(zarr.zeros((2, 3)), (1, 0)), zarr.zeros((2, 3)))
    assert [(one.ndim, one.size, one[1].tolist(), np.asarray(one).dtype) for one in on_disk] == [
        (2, 6, [0.0, 0.0], np.float64),
        (2, 6, [0.0, 0.0, 0.0], np.float64),
    ]


def overlaps() -> st.SearchStrategy[Overlap]:
    """Tiles that have something left after overlap and blend."""
    sizes = st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(1, 999))
    return sizes.map(lambda n: Overlap(tile=2 * n[0] + 2 * n[1] + n[2], overlap=n[0], blend=n[1]))


def rising(low: float, high: float) -> st.SearchStrategy[tuple[float, float]]:
    pairs = st.tuples(st.floats(low, high), st.floats(low, high))
    return pairs.map(lambda pair: (min(pair), max(pair))).filter(lambda pair: pair[0] < pair[1])


#: Values of each setting for the test below.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "device": st.sampled_from(["auto", "cpu", "cuda", "cuda:1", "mps"]),
    "precision": st.sampled_from(PRECISIONS),
    "tiling": st.sampled_from(TILINGS) | overlaps(),
    "memory": st.just("auto") | st.integers(1, 2**45),
    "self_ensemble": st.booleans(),
    "batch": st.just("auto") | st.integers(1, 999),
    "intensity": st.sampled_from(SPECS)
    | rising(-1e9, 1e9)
    | rising(0.0, 100.0).map(lambda pair: sr.Percentiles(*pair)),
    "noise": st.just("auto") | st.just(0) | st.tuples(st.floats(0, 1e9), st.floats(-1e9, 1e9)),
    "denoise": st.floats(0, 2),
    "blur": st.floats(0, 10),
    "missing": st.sampled_from(MISSING),
    "target": st.none() | st.floats(0.05, 64.0) | st.sampled_from(["2.5", "0.05 um", "50 nm"]),
}


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_the_settings_file_restores_every_setting(values: dict[str, Any]) -> None:
    settings = JobSettings(**values)
    remember("panel", settings.as_scalars())
    assert JobSettings.from_scalars(load_config().last["panel"]) == settings
    assert json.loads(json.dumps(settings.as_plain())).keys() == {setting.name for setting in settings.described()}
