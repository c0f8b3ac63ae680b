"""Options that commands share, among them those of the fields of `JobSettings`. Needs no torch."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import typer

from napari_sr.conversion import parse_memory
from napari_sr.errors import InputError
from napari_sr.settings import JobSettings, Overlap, describe_setting

KERNELS = "nearest, bilinear, bicubic or lanczos3"
ModelOption = Annotated[
    str,
    typer.Option(
        "--model", "-m", help="A name from `napari-sr models`, a weight file, or auto for that of `napari-sr suggest`."
    ),
]
Alpha = Annotated[
    float | None,
    typer.Option(help="For a model with two weight sets: 0 is the first (faithful), 1 the second (sharp)."),
]
MixingOption = Annotated[
    str | None,
    typer.Option("--mixing", help="What alpha mixes: weights (network interpolation) or images (the two results)."),
]
Scale = Annotated[int | None, typer.Option(help="Factor, for auto and for weight files that do not contain it.")]
Upsampling = Annotated[
    str | None, typer.Option(help=f"For SRCNN, the interpolation of the input before the network: {KERNELS}.")
]
DeviceOption = Annotated[str | None, typer.Option(help=describe_setting("device").help, show_default="as configured")]
SeriesOption = Annotated[
    str | None,
    typer.Option("--series", help="Image in a file with several: its name, or its number from 0. Default: largest."),
]
OmeZarrOption = Annotated[
    str, typer.Option("--ome-zarr", help="Version of a store: 0.5, or 0.4 for programs that read Zarr 2 only.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no report.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Command = TypeVar("Command", bound=Callable[..., Any])

#: Options of settings that have several options or another help text, by field and by name of the option.
_OPTIONS: dict[str, dict[str, tuple[Any, str]]] = {
    "tiling": {
        "tiling": (str | None, "{help} By default exact, or overlap with --tile."),
        "tile": (int | None, "Side of an overlapping tile, in pixels of the input."),
        "overlap": (int | None, "Pixels that are discarded on each side of a tile."),
        "blend": (int | None, "Pixels over which neighboring tiles are cross-faded."),
    },
    "target": {
        "factor": (float | None, "Factor of the result if not that of the model, such as 2.5."),
        "pixel_size": (str | None, 'Pixel size of the result, such as "0.05 um".'),
    },
    "intensity": {"intensity": (str | None, "{help} Also percentile:LOW,HIGH.")},
    "noise": {"noise": (str | None, "{help} For example 2,0.5, in values of the image.")},
    "blur": {"blur": (str | None, "{help} A blur that is not in the image spoils the result.")},
}


def with_settings(*names: str) -> Callable[[Command], Command]:
    """Add options for the fields of `JobSettings` to a command.

    Parameters
    ----------
    *names : str
        Names of the fields; by default all.

    Returns
    -------
    callable
        A decorator of a function with a parameter ``given``, a dict of the settings on the command line for
        `napari_sr.config.load_settings`.
    """
    chosen = [setting for setting in JobSettings.described() if not names or setting.name in names]

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        parameters = [p for p in signature.parameters.values() if p.name != "given"]
        # The options of the settings follow the parameters of the command itself.
        options = [option for setting in chosen for option in _options(setting.name)]
        clash = {p.name for p in parameters} & {p.name for p in options}
        assert not clash, clash

        @functools.wraps(command)
        def run(**values: Any) -> Any:
            texts = {option.name: values.pop(option.name) for option in options}
            return command(**values, given=read_options([setting.name for setting in chosen], texts))

        run.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*parameters, *options)]
        )
        run.__annotations__ = {p.name: p.annotation for p in (*parameters, *options)}
        return run  # type: ignore[return-value]

    return decorate


def read_options(names: list[str], texts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings for the values of their options.

    Parameters
    ----------
    names : list of str
        Names of the settings.
    texts : mapping of str to object
        Values of the options by name; None for an option that was not given.

    Returns
    -------
    dict of str to object
        The given settings by name.

    Raises
    ------
    InputError
        If options contradict each other or a value cannot be used.
    """
    given: dict[str, Any] = {}
    for name in names:
        value = _COMBINED[name](texts) if name in _COMBINED else texts[name]
        if value is not None and value is not False:
            given[name] = value
    memory = given.get("memory")
    if memory is not None and parse_memory(memory) != "auto" and given.get("tiling", "exact") != "exact":
        raise InputError("--memory is for exact tiling: leave out --memory, or --tiling and the sizes of tiles.")
    return given


def option_names(name: str) -> tuple[str, ...]:
    """Return the parameters of the options of a setting.

    Returns
    -------
    tuple of str
        Such as ``("tiling", "tile", "overlap", "blend")``.
    """
    return tuple(_OPTIONS.get(name, (name,)))


def _options(name: str) -> list[inspect.Parameter]:
    setting = describe_setting(name)
    flag = isinstance(setting.default, bool)
    described = _OPTIONS.get(name, {name: (bool if flag else str | None, "{help}")})
    default: dict[str, Any] = {"show_default": "as configured"} if setting.shared else {}
    return [
        inspect.Parameter(
            option,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if kind is bool else None,
            annotation=Annotated[
                kind, typer.Option(f"--{option.replace('_', '-')}", help=text.format(help=setting.help), **default)
            ],
        )
        for option, (kind, text) in described.items()
    ]


def _read_tiling(texts: Mapping[str, Any]) -> str | Overlap | None:
    name: str | None = texts["tiling"]
    sizes = {key: texts[key] for key in ("tile", "overlap", "blend") if texts[key] is not None}
    if sizes and name not in (None, "overlap"):
        raise InputError(f"--{next(iter(sizes))} is for overlapping tiles: leave it out with --tiling {name}.")
    return Overlap(**sizes) if sizes else name


def _read_target(texts: Mapping[str, Any]) -> float | str | None:
    factor, pixel_size = texts["factor"], texts["pixel_size"]
    if factor is not None and pixel_size is not None:
        raise InputError("A factor and a pixel size contradict each other: leave out --factor or --pixel-size.")
    if pixel_size is not None and re.fullmatch(r"[\d.\s]*", pixel_size):
        raise InputError(f"The pixel size {pixel_size} has no unit: give such as --pixel-size '0.05 um'.")
    target: float | str | None = factor if pixel_size is None else pixel_size
    return target


_COMBINED: dict[str, Callable[[Mapping[str, Any]], Any]] = {"tiling": _read_tiling, "target": _read_target}
