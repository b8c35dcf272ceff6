"""
Edit config.toml, keeping its comments and order. The only module that imports tomlkit.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.container import OutOfOrderTableProxy
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, Comment, Trivia

from krea_cli.config import settings
from krea_cli.config.config_file import parse, read_text
from krea_cli.config.paths import make_private_folder
from krea_cli.config.settings import GivenValue
from krea_cli.errors import ConfigError, StorageError, UsageError
from krea_cli.files.atomic_file import AtomicFile

_TABLES = (AbstractTable, OutOfOrderTableProxy)


def set_key(path: Path, key: str, text: str) -> None:
    """
    Store the value of a setting in the file.

    Raises:
        UsageError: the setting does not exist, or the value is invalid.
        ConfigError: the file is invalid, or cannot be edited safely.
        StorageError: the file cannot be written.
    """
    settings.check_key(key)
    if not _is_writable(text):
        raise UsageError(f"Invalid {key}: {text!r} is not valid UTF-8.")
    value = settings.resolve_setting(
        key, [{key: GivenValue(text, "the command line")}]
    ).value
    if isinstance(value, float):
        value = text.strip()
    elif key == "output":  # read() adds the final slash of a folder
        value = text
    before = read_text(path)
    values = parse(before, path)
    document = _document(before, path)
    document[key] = value
    _replace(path, document.as_string(), expected=values | {key: value})


def unset_key(path: Path, key: str) -> bool:
    """
    Remove a key from the file, but keep the comment next to it.

    The key need not be a setting. Return False if the file does not contain it.

    Raises:
        UsageError: the file does not contain the key, and no such setting exists.
        ConfigError, StorageError: as in `set_key`.
    """
    before = read_text(path)
    values = parse(before, path)
    if key not in values:
        settings.check_key(key)
        return False
    document = _document(before, path)
    item = document.item(key)
    if isinstance(item, _TABLES) or not item.trivia.comment:
        document.remove(key)
    else:
        at = next(n for n, (name, _) in enumerate(document.body) if name == key)
        comment = Trivia(comment=item.trivia.comment, trail=item.trivia.trail)
        document.body[at] = (None, Comment(comment))
    del values[key]
    _replace(path, document.as_string(), expected=values)
    return True


def _is_writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _document(text: str, path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as exc:
        raise _unchangeable(path) from exc


def _replace(path: Path, text: str, *, expected: Mapping[str, Any]) -> None:
    # tomlkit reads and writes some files that other TOML parsers reject.
    try:
        is_as_expected = parse(text, path) == expected
    except ConfigError:
        is_as_expected = False
    if not is_as_expected:
        raise _unchangeable(path)
    make_private_folder(path.parent)
    # If the path is a symbolic link, keep the link and replace its target.
    target = Path(os.path.realpath(path))
    try:
        with AtomicFile(target.parent, mode=0o600) as file:
            file.write(text.encode())
            file.publish(target, force=True)
    except StorageError as exc:
        hint = "Set KREA_CONFIG_DIR to another folder."
        raise StorageError(exc.message, hint=hint) from exc


def _unchangeable(path: Path) -> ConfigError:
    return ConfigError(
        f"Cannot change {path} without damaging other lines.",
        hint="Edit it in a text editor.",
    )
