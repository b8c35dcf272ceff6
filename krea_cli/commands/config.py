"""
`krea config`: the settings and the file that keeps them.
"""

from __future__ import annotations

from typing import Annotated

import typer

from krea_cli.cli.context import CliContext
from krea_cli.config import settings
from krea_cli.config.settings import GivenValue, Layer
from krea_cli.errors import ConfigError, UnknownModelError
from krea_cli.output.results.settings import ConfigPath, Setting, SettingValue

Key = Annotated[
    str, typer.Argument(metavar="KEY", help="Setting (krea config list shows all).")
]
Value = Annotated[str, typer.Argument(metavar="VALUE", help="New value.")]


def list_settings(ctx: CliContext) -> None:
    """
    Show every setting with its value and its source.

    \b
    Example:
      krea config list
    """
    values, sources = ctx.resolved_settings
    ctx.console.result(
        [Setting(key, getattr(values, key), sources[key]) for key in settings.KEYS]
    )


def get(ctx: CliContext, key: Key) -> None:
    """
    Show the value of one setting.

    \b
    Example:
      krea config get model
    """
    settings.check_key(key)
    values, sources = ctx.resolved_settings
    ctx.console.result([SettingValue(key, getattr(values, key), sources[key])])


def set_value(ctx: CliContext, key: Key, value: Value) -> None:
    """
    Save a setting in config.toml.

    \b
    Example:
      krea config set timeout 20m
    """
    from krea_cli.config import config_edit

    path = ctx.folders.config_file
    config_edit.set_key(path, key, value)

    _report(ctx, key, {key: GivenValue(value, str(path))})
    if key == "model":
        _warn_if_unknown(ctx, value)


def unset(ctx: CliContext, key: Key) -> None:
    """
    Remove a setting from config.toml.

    \b
    Example:
      krea config unset timeout
    """
    from krea_cli.config import config_edit

    path = ctx.folders.config_file
    if not config_edit.unset_key(path, key):
        ctx.console.note(f"{key} was not set in {path}.")

    if key in settings.KEYS:  # one that is not was a mistake in the file
        _report(ctx, key, {})


def path(ctx: CliContext) -> None:
    """
    Show where config.toml is.

    \b
    Example:
      krea config path
    """
    path = ctx.folders.config_file
    ctx.console.result([ConfigPath(str(path), path.exists())])


def _report(ctx: CliContext, key: str, stored: Layer) -> None:
    """
    Report the value that counts from the next command on.
    """
    found = settings.resolve_setting(key, [settings.from_env(ctx.env), stored])
    written = None
    if key in stored and found.source == stored[key].source:
        written = str(stored[key].value).strip()
    ctx.console.result([Setting(key, found.value, found.source, written)])
    if found.source == settings.variable_name(key):
        ctx.console.warn(f"{found.source} is set and overrides this setting.")


def _warn_if_unknown(ctx: CliContext, model: str) -> None:
    """
    It is kept all the same: it may be newer than the catalog.
    """
    try:
        ctx.catalog.find(model)
    except UnknownModelError as exc:
        hints = ctx.next_steps.lines(exc.advice)
        saved = f"The setting is saved, but {model!r} is not a known model."
        ctx.console.warn(" ".join([saved, *hints]))
    except ConfigError:
        pass  # another line of the file, which is told by the commands that need it


COMMANDS = {
    "list": list_settings,
    "get": get,
    "set": set_value,
    "unset": unset,
    "path": path,
}
