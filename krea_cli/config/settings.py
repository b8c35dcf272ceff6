"""
Resolve settings from options, environment, file and defaults, in this order.

Each value keeps its source, so that errors can say where to correct it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from krea_cli.config import api_url as url
from krea_cli.config.durations import parse_duration
from krea_cli.config.numbers import parse_usd
from krea_cli.errors import Action, ConfigError, Hint, Step, UsageError


class Settings(NamedTuple):
    """
    All settings.

    `timeout` is in seconds; None means a default by kind of model. `output` is a value
    for --output. `token_command` is a command that prints the API token. `max_cost` is
    in USD; None means no limit.
    """

    api_url: str = "https://api.krea.ai"
    model: str = "google/nano-banana-pro"
    output: str | None = None
    timeout: float | None = None
    max_cost: float | None = None
    sandbox: bool = False
    color: str = "auto"
    token_command: str | None = None


class GivenValue(NamedTuple):
    """
    A value as the user wrote it, and its source.
    """

    value: Any
    source: str


Layer = Mapping[str, GivenValue]


class ResolvedSettings(NamedTuple):
    """
    The settings, and the source of each: "option", a variable, the file or "default".
    """

    settings: Settings
    sources: Mapping[str, str]


_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True}
_BOOLEANS |= {"0": False, "false": False, "no": False, "off": False}
_TOKENS = {"api_key", "api_token", "key", "token"}
_COLORS = ("auto", "always", "never")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must not be empty")
    return value


def _output(value: object) -> str:
    """
    Parse the setting like --output, but treat a plain name without extension as a
    folder.

    A setting is for many results, and a file could hold only the first.
    """
    text = _text(value)
    if text == "-" or "{" in text or text.endswith(("/", os.sep)):
        return text
    _, _, name = text.replace(os.sep, "/").rpartition("/")
    is_plain = name not in ("", ".", "..", "~") and not PurePath(name).suffix
    return f"{text}/" if is_plain else text


def _url(value: object) -> str:
    return url.normalize(_text(value))


def _duration(value: object) -> float:
    return parse_duration(str(value))


def _usd(value: object) -> float:
    # TOML spells booleans in lower case.
    return parse_usd(str(value).lower() if isinstance(value, bool) else str(value))


def _boolean(value: object) -> bool:
    try:
        return _BOOLEANS[str(value).strip().lower()]
    except KeyError:
        allowed = ", ".join(_BOOLEANS)
        raise ValueError(f"{value!r} is not one of {allowed}") from None


def _color(value: object) -> str:
    if value not in _COLORS:
        raise ValueError(f"{value!r} is not one of {', '.join(_COLORS)}")
    return str(value)


def _command(value: object) -> str:
    import shlex

    text = _text(value)
    try:
        shlex.split(text)
    except ValueError as exc:
        raise ValueError(f"not a command: {exc}") from None
    return text


_READERS: dict[str, Callable[[object], Any]] = {
    "api_url": _url,
    "model": _text,
    "output": _output,
    "timeout": _duration,
    "max_cost": _usd,
    "sandbox": _boolean,
    "color": _color,
    "token_command": _command,
}
KEYS = tuple(_READERS)
# Environment variables could come from anywhere, so they must not name a program to
# run.
FILE_ONLY = frozenset({"token_command"})
_DEFAULTS = Settings()._asdict()


def variable_name(key: str) -> str:
    """
    Return the environment variable for a setting that is not in `FILE_ONLY`.
    """
    return f"KREA_{key.upper()}"


def from_flags(**flags: object) -> Layer:
    """
    Build the layer for the command line. None means that an option was not given.
    """
    return {
        key: GivenValue(value, "option")
        for key, value in flags.items()
        if value is not None
    }


def from_env(env: Mapping[str, str]) -> Layer:
    """
    Build the layer for the environment. Empty variables count as unset.
    """
    return {
        key: GivenValue(env[variable_name(key)], variable_name(key))
        for key in KEYS
        if key not in FILE_ONLY and env.get(variable_name(key))
    }


def resolve(layers: Iterable[Layer]) -> ResolvedSettings:
    """
    Take each setting from the first layer that contains it.

    Raises:
        ConfigError: a value is invalid. The message names the setting, its source and
            the allowed values.
    """
    layers = list(layers)
    found = {key: resolve_setting(key, layers) for key in KEYS}
    return ResolvedSettings(
        Settings(**{key: given.value for key, given in found.items()}),
        {key: given.source for key, given in found.items()},
    )


def resolve_setting(key: str, layers: Iterable[Layer]) -> GivenValue:
    """
    Resolve one setting: convert its value, and return its source with it.

    Raises:
        ConfigError: as in `resolve`.
    """
    for layer in layers:
        if key in layer:
            value, source = layer[key]
            try:
                return GivenValue(_READERS[key](value), source)
            except ValueError as exc:
                # Examples end without a period, so that they can be copied.
                end = "" if "Example" in str(exc) else "."
                name = f"--{key.replace('_', '-')}" if source == "option" else key
                origin = "" if source == "option" else f" (from {source})"
                raise ConfigError(f"Invalid {name}{origin}: {exc}{end}") from exc
    return GivenValue(_DEFAULTS[key], "default")


def check_key(key: str) -> None:
    """
    Check that a setting exists.

    Raises:
        UsageError: it does not exist. The message suggests a similar one.
    """
    if key not in KEYS:
        raise UsageError(f"Unknown setting {key!r}.", hint=suggest_key(key))


def suggest_key(key: str) -> Hint:
    """
    Suggest the setting that was most likely meant; else name them all.
    """
    if _folded(key) in _TOKENS:
        # It is not a setting: the file may be shared.
        return Step(Action.LOG_IN)
    from krea_cli.runtime.nearest_words import nearest_words

    near = nearest_words(key, KEYS)
    return f"Did you mean {near[0]}?" if near else f"Settings: {', '.join(KEYS)}"


def _folded(key: str) -> str:
    return key.lower().replace("-", "_").removeprefix("krea_")
