"""
Read config.toml as a layer of settings.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from krea_cli.config import settings
from krea_cli.config.settings import GivenValue, Layer
from krea_cli.errors import Action, ConfigError, Step

_FIX_HINT = "Fix it in an editor."


def read(path: Path) -> Layer:
    """
    Read the settings in the file. A missing file has none.

    Raises:
        ConfigError: the file is unreadable or not valid TOML, or has an unknown key.
    """
    values = parse(read_text(path), path)
    for key in values:
        if key not in settings.KEYS:
            raise ConfigError(
                f"Unknown setting {key!r} in {path}.",
                hint=(settings.suggest_key(key), Step(Action.UNSET, (key,))),
            )
    return {key: GivenValue(value, str(path)) for key, value in values.items()}


def read_text(path: Path) -> str:
    """
    Read the text of the file. A missing file is empty.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        _check_regular(path)
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is not UTF-8 text.", hint=_FIX_HINT) from exc
    except OSError as exc:
        raise ConfigError(
            f"Cannot read {path}: {exc.strerror or exc}.",
            hint="Set KREA_CONFIG_DIR to another folder.",
        ) from exc


def _check_regular(path: Path) -> None:
    """
    Reject files that block readers, such as FIFOs.

    Folders pass, because reading them fails immediately.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ConfigError(
            f"{path} is not a regular file.",
            hint="Set KREA_CONFIG_DIR to another folder.",
        )


def parse(text: str, path: Path) -> dict[str, Any]:
    """
    Parse the text of the file. `path` is used in error messages.

    Raises:
        ConfigError: the text is not valid TOML.
    """
    if not text:
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{path} is not valid TOML: {exc}.", hint=_FIX_HINT) from exc
