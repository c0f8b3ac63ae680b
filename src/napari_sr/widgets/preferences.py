"""napari's own preferences page for this plugin, and the settings file behind it, kept the same.

napari (0.9 and newer) shows what the manifest lists under `configurations`, and keeps the values in a file of its own.
Ours is the one that Python and the command line read: what is changed on the page is written to it, and what was
changed in it shows on the page.
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
    """Bring the page and the file together, and keep them so; what napari calls when the plugin is first used.

    Parameters
    ----------
    context : PluginContext, optional
        napari's; not needed.

    Notes
    -----
    Where the two differ, the one that was written last is right. But a page that was opened before the plugin was used
    had not seen the file: what it has at its default is no wish of the user's, and the file's stays. Without such a
    page, on an older napari, the file is all there is.
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
            plain, requested = Config().model_dump(), _as_config(page)
            update_config(**{key: value for key, value in requested.items() if value != plain[key]})
        _show(page, load_config())
    except InputError as error:
        show_warning(str(error))
    page.events.disconnect(_changed)
    page.events.connect(_changed)


def _changed(event: Any) -> None:
    """Write what was changed on the page to the file."""
    try:
        update_config(**_as_config(event.source))
    except InputError as error:
        show_warning(str(error))


def _as_config(page: Any) -> dict[str, object]:
    # The page cannot say which of several cards: the file's "cuda:1" is one that it shows as "cuda".
    device, kept = page.device, load_config().device
    return {
        "device": kept if kept.partition(":")[0] == device else device,
        "precision": page.precision,
        "memory": int(page.memory_gib * _GIB) or "auto",
        "model_folder": page.model_folder or None,
    }


def _show(page: Any, config: Config) -> None:
    """Show the file's values; a device that the page cannot offer ("cuda:1") stays the file's alone."""
    page.precision = config.precision
    page.memory_gib = 0.0 if config.memory == "auto" else config.memory / _GIB
    page.model_folder = config.model_folder or ""
    page.device = config.device.partition(":")[0]


def _written(path: Path | str | None) -> float:
    """When a file was written, in seconds; before everything else where there is none."""
    return Path(path).stat().st_mtime if path is not None and Path(path).exists() else -1.0
