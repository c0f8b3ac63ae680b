"""napari's preferences of this plugin, which are kept equal to the settings file.

napari (0.9 and newer) shows a page with the manifest's `configurations`, and stores the values in a file of its own.
Python and the command line read the settings file. A change on the page is written to the settings file, and the page
shows the values of that file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.utils.notifications import show_warning

from napari_sr.config import Config, config_path, load_config, update_config
from napari_sr.errors import InputError

_PLUGIN, _PAGE = "napari-sr", "defaults"
_GIB = 2**30


def share_preferences(context: object = None) -> None:
    """Make the page and the settings file equal, and keep them so; napari calls this when the plugin is first used.

    Parameters
    ----------
    context : PluginContext, optional
        From napari; not used.

    Notes
    -----
    If the two differ, the one that was written last applies. There is one exception: a page that was opened before the
    plugin was used does not contain the values of the file. Where such a page has a default, the value of the file is
    kept. An older napari has no page, and nothing is done.
    """
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return
    try:
        settings = get_plugin_settings(_PLUGIN)
    except KeyError:
        return
    page = getattr(settings, _PAGE)
    try:
        if _written(settings.config_path) > _written(config_path()):
            defaults, values = Config().model_dump(), _as_config(page)
            update_config(**{key: value for key, value in values.items() if value != defaults[key]})
        _show(page, load_config())
    except InputError as error:
        show_warning(str(error))
    page.events.disconnect(_changed)
    page.events.connect(_changed)


def _changed(event: Any) -> None:
    """Write a change of the page to the settings file, and list the models of another folder in all panels."""
    try:
        folder = load_config().model_folder
        update_config(**_as_config(event.source))
        has_other_folder = load_config().model_folder != folder
    except InputError as error:
        show_warning(str(error))
        return
    if has_other_folder:
        # Not at the top: without a panel, the plugin is activated without its imports.
        from napari_sr.widgets.qt.base_panel import refresh_all_models

        refresh_all_models()


def _as_config(page: Any) -> dict[str, object]:
    # The page offers no card numbers: it shows "vulkan:1" of the file as "vulkan", which must not overwrite the file.
    device, of_file = page.device, load_config().device
    return {
        "device": of_file if of_file.partition(":")[0] == device else device,
        "precision": page.precision,
        "memory": int(page.memory_gib * _GIB) or "auto",
        "model_folder": page.model_folder or None,
    }


def _show(page: Any, config: Config) -> None:
    """Show the values of the settings file on the page."""
    page.precision = config.precision
    page.memory_gib = 0.0 if config.memory == "auto" else config.memory / _GIB
    page.model_folder = config.model_folder or ""
    page.device = config.device.partition(":")[0]


def _written(path: Path | str | None) -> float:
    """Return the modification time of a file in seconds; -1 if there is none."""
    return Path(path).stat().st_mtime if path is not None and Path(path).exists() else -1.0
