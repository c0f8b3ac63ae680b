"""A job over a layer as a Python script that repeats it, and as a record in the metadata of its result."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_sr.errors import one_line
from napari_sr.imaging.files import stem_of
from napari_sr.imaging.intensity.spec import Percentiles
from napari_sr.imaging.napari_layer import LayerData, place_metadata
from napari_sr.imaging.part import Part
from napari_sr.inference.job import Job
from napari_sr.inference.layer_input import LayerInput
from napari_sr.settings import Overlap
from napari_sr.zoo.folders import bundled_folder
from napari_sr.zoo.model import Model

#: Size in bytes up to which the pixels of an image are checked.
_CHECKED = 2**28
#: Keyword arguments of a layer that determine its position.
_GEOMETRY = ("name", "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels", "rgb")


def as_script(job: Job, prepared: LayerInput, *others: LayerInput, lazy: bool = False) -> str:
    """Generate a script that repeats a job over a layer, or over several parts of one.

    Parameters
    ----------
    job : Job
        The job.
    prepared : LayerInput
        The layer, from `prepare_layer`.
    *others : LayerInput
        Other parts of the same layer.
    lazy : bool, default False
        Whether the result is one of `upscale_lazy`; not for several parts.

    Returns
    -------
    str
        A script that needs napari-sr but not napari. It defines `result`, the pixels, and `layer`, the keyword
        arguments with which napari shows them at their position; or `results` and `layers`, lists for several parts.
        For a layer without a file that `read_image` reads one line must be filled in.
    """
    arguments, checksum = _arguments(job, prepared), _checksum(prepared)
    return "\n".join(
        [
            f'"""{_line(prepared.source.name)}: {_line(job.model.name)}, computed with napari-sr."""',
            "",
            *([] if checksum is None else ["import zlib", "", "import numpy as np", ""]),
            "import napari_sr as sr",
            *(["from napari_sr.imaging import Metadata"] if others or _metadata(prepared) else []),
            "",
            *_image_lines(prepared, lazy),
            *([] if checksum is None else _checksum_lines(prepared, checksum)),
            f"model = {_model(job.model)}",
            *(_of_several([prepared, *others], arguments) if others else _of_one(prepared, arguments, lazy)),
            "",
        ]
    )


def _of_one(prepared: LayerInput, arguments: Mapping[str, str], lazy: bool) -> list[str]:
    """Lines that compute and write one result."""
    call = "".join(f"    {name}={text},\n" for name, text in arguments.items())
    shown = "".join(f"    {key}={_literal(value)},\n" for key, value in _geometry(prepared).items())
    known = _metadata(prepared)
    written = ", ".join(
        [repr(f"{_stem(prepared)}-upscaled.ome.tif"), "result", repr(prepared.axes.letters)]
        + ([f"metadata={known}"] if known else [])
    )
    return [
        f"result = sr.{'upscale_lazy' if lazy else 'upscale'}(\n    image,\n    model,\n{call})",
        "",
        "# Name and position in napari: viewer.add_image(result, **layer)",
        f"layer = dict(\n{shown})",
        "",
        'if __name__ == "__main__":',
        f"    sr.write_image({written})",
    ]


def _of_several(parts: Sequence[LayerInput], arguments: Mapping[str, str]) -> list[str]:
    """Lines that compute and write the results of several parts of a layer."""
    call = "".join(f"        {name}={text},\n" for name, text in arguments.items() if name != "part")
    chosen = "".join(f"    {'None' if part.part is None else _part(part.part)},\n" for part in parts)
    shown = "".join(
        f"    dict({', '.join(f'{key}={_literal(value)}' for key, value in _geometry(part).items())}),\n"
        for part in parts
    )
    # Each size is rounded to whole pixels, so the pixel sizes of the parts may differ slightly.
    known = "".join(f"    {_metadata(part) or 'Metadata()'},\n" for part in parts)
    letters = repr(parts[0].axes.letters)
    return [
        f"parts = [\n{chosen}]",
        "results = [",
        f"    sr.upscale(\n        image,\n        model,\n{call}        part=part,\n    )",
        "    for part in parts",
        "]",
        "",
        "# Names and positions in napari: viewer.add_image(results[0], **layers[0])",
        f"layers = [\n{shown}]",
        f"metadata = [\n{known}]",
        "",
        'if __name__ == "__main__":',
        "    for number, (result, known) in enumerate(zip(results, metadata), start=1):",
        f'        file = {_stem(parts[0])!r} + f"-upscaled-{{number}}.ome.tif"',
        f"        sr.write_image(file, result, {letters}, metadata=known)",
    ]


def _geometry(prepared: LayerInput) -> dict[str, Any]:
    return {key: prepared.kwargs[key] for key in _GEOMETRY if key in prepared.kwargs}


def _stem(prepared: LayerInput) -> str:
    """Beginning of the names of the files; each channel of a file has its own."""
    path, channel = prepared.source.path, prepared.source.channel
    return (stem_of(Path(path)) if path else "result") + ("" if channel is None else f"-C{channel[1]}")


def _metadata(prepared: LayerInput) -> str:
    """Pixel size, position and time interval of a result as a Python expression; empty if they are not known."""
    known = place_metadata(prepared.kwargs, prepared.axes.without_colors)
    fields = {name: value for name, value in known.fields().items() if value}
    return f"Metadata({', '.join(f'{name}={_literal(value)}' for name, value in fields.items())})" if fields else ""


def layer_data(job: Job, prepared: LayerInput, data: Any, facts: Mapping[str, Any], *, lazy: bool = False) -> LayerData:
    """Return the layer of a result, with what it was made from in its metadata.

    Parameters
    ----------
    job : Job
        The job.
    prepared : LayerInput
        The layer.
    data : array or list of array
        The pixels; a list has the levels of a multiscale layer.
    facts : mapping of str to object
        Further facts for the metadata.
    lazy : bool, default False
        Whether the script gives a lazy result, too.

    Returns
    -------
    (array or list of array, dict, str)
        Layer data. The metadata have the facts, the job, the source and the script under "napari_sr".
    """
    record = {
        **facts,
        "job": _describe_job(job),
        "source": asdict(prepared.source),
        "script": as_script(job, prepared, lazy=lazy),
    }
    metadata = {**prepared.kwargs["metadata"], "napari_sr": record}
    return data, {**prepared.kwargs, "metadata": metadata, "multiscale": isinstance(data, list)}, "image"


def _describe_job(job: Job) -> dict[str, Any]:
    """Return model and settings as plain values: the model under "model", and the settings by their names."""
    model = job.model
    source = model.source if isinstance(model.source, tuple) else (model.source,)
    return {
        "model": {
            "name": model.name,
            "source": [None if path is None else str(path) for path in source],
            "network": model.card.architecture.model_dump(mode="json"),
            "scale": model.scale,
            "alpha": model.alpha,
            "mixing": model.mixing,
        },
        **job.settings.as_plain(),
    }


def _image_lines(prepared: LayerInput, lazy: bool) -> list[str]:
    """Lines that read the image, or have to be filled in, and check its shape and data type."""
    source, axes = prepared.source, prepared.axes
    dtype = np.dtype(prepared.image.dtype)
    if not source.is_readable:
        which = "no file" if source.path is None else "a file that napari-sr does not read"
        lines = [
            f"# The layer {_quoted(source.name)} has {which}: put its array here.",
            f"image = None  # an array of {axes.shape} {dtype}, axes {axes.letters}",
        ]
    else:
        lines = [f"image = sr.read_image({source.path!r}{', lazy=True' if lazy else ''}).data"]
        if source.channel is not None:
            axis, number = source.channel
            lines += [f"image = image[{':, ' * axis}{number}]  # the channel of the layer"]
    message = f"This script is for an array of {axes.shape} {dtype}: put that of the layer {_quoted(source.name)} here."
    return [
        *lines,
        f"if getattr(image, 'shape', None) != {axes.shape} or image.dtype != {str(dtype)!r}:",
        f"    raise SystemExit({message!r})",
    ]


def _checksum(prepared: LayerInput) -> int | None:
    """Checksum of the pixels of an image from a file; None if they are many or lazy."""
    image = prepared.image
    if not prepared.source.is_readable or not isinstance(image, np.ndarray) or image.nbytes > _CHECKED:
        return None
    return zlib.crc32(np.ascontiguousarray(image).data)


def _checksum_lines(prepared: LayerInput, checksum: int) -> list[str]:
    """Lines that stop the script if the layer or the file was changed after the layer was opened."""
    source = prepared.source
    message = f"{source.path} has not the pixels of the layer {_quoted(source.name)}: put those of the layer here."
    return [
        f"if zlib.crc32(np.ascontiguousarray(image)) != {checksum}:",
        f"    raise SystemExit({message!r})",
    ]


def _arguments(job: Job, prepared: LayerInput) -> dict[str, str]:
    """Return the arguments of `upscale` as Python expressions, by name."""
    settings = job.settings
    if settings.intensity == "contrast":
        settings = replace(settings, intensity=prepared.contrast_limits)
    arguments = {"axes": repr(prepared.axes.letters)}
    for setting in settings.described():
        value = getattr(settings, setting.name)
        arguments[setting.name] = f"sr.{value!r}" if isinstance(value, Overlap | Percentiles) else repr(value)
    if settings.target is None:
        del arguments["target"]
    elif prepared.pixel_size and prepared.unit is not None:
        arguments |= {"pixel_size": _literal(prepared.pixel_size), "unit": repr(prepared.unit)}
    if prepared.part is not None:
        arguments["part"] = _part(prepared.part)
    return arguments


def _part(part: Part) -> str:
    given = {"rows": part.rows, "columns": part.columns, "at": dict(part.at) or None, "margin": part.margin}
    return f"sr.Part({', '.join(f'{name}={_literal(value)}' for name, value in given.items() if value is not None)})"


def _model(model: Model) -> str:
    """Return a Python expression that loads a model."""
    alpha = {} if model.alpha is None else {"alpha": repr(float(model.alpha))}
    mixing = {"mixing": repr("images")} if model.mixing == "images" else {}
    options = {**alpha, **mixing}
    settings = model.card.architecture.settings
    if isinstance(model.source, tuple):
        files = ", ".join(_weights(source) for source in model.source)
        pair = "".join(f", {name}={text}" for name, text in {**options, "scale": repr(model.scale)}.items())
        return f"sr.load_pair({files}{pair})"
    if model.source is None:
        return f"None  # put the model {_quoted(model.name)} here: it has no file"
    options["scale"] = repr(model.scale)
    if "upsampling" in settings:
        options["upsampling"] = repr(settings["upsampling"])
    return f"sr.load_model({_weights(model.source)}{''.join(f', {name}={text}' for name, text in options.items())})"


def _weights(source: str | Path) -> str:
    """Return the name of a bundled model, or the path of any other, as a Python expression."""
    path = Path(source)
    return repr(path.stem if path.parent == bundled_folder() else str(source))


def _literal(value: Any) -> str:
    """Return plain values, numpy arrays and units as a Python expression."""
    if isinstance(value, np.ndarray):
        return _literal(value.tolist())
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {_literal(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, tuple):
        return f"({', '.join(_literal(item) for item in value)}{',' if len(value) == 1 else ''})"
    if isinstance(value, np.generic):
        return repr(value.item())
    # napari accepts the names of its units, which are objects of pint.
    return repr(value if isinstance(value, bool | int | float | str | None) else str(value))


def _quoted(name: str) -> str:
    return '"' + _line(name) + '"'


def _line(text: str) -> str:
    """Return a text on one line, without characters that would end a docstring."""
    return one_line(text).replace("\\", "/").replace('"', "'")
