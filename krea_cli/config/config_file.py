"""
config.toml: read as a layer of settings, changed one line at a time.

The standard library reads TOML but does not write it, and no writer would keep the
user's comments: a change edits the one line that it is about, and is kept only when
the file then reads as before but for that one key.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from krea_cli.config import settings
from krea_cli.config.paths import private_folder
from krea_cli.config.settings import GivenValue, Layer
from krea_cli.errors import Action, ConfigError, Step, StorageError, UsageError

_VALUE = r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s#"'\[\]{},]+)"""

_MEND = ("Mend it with an editor.", Step(Action.SHOW_CONFIG_PATH))


def read(path: Path) -> Layer:
    """
    The settings in the file; none when there is no file.

    Raises:
        ConfigError: it cannot be read, is no TOML, or has a key that is no setting.
    """
    values = _parse(_text(path), path)
    for key, value in values.items():
        if key not in settings.KEYS:
            raise ConfigError(
                f"{path}: there is no setting {key!r}. {settings.suggestion(key)}",
                hint=f"Take it out of {path} with an editor."
                if isinstance(value, dict | list)  # more than the one line of `unset`
                else Step(Action.UNSET, (key,)),
            )
    return {key: GivenValue(value, str(path)) for key, value in values.items()}


def set_key(path: Path, key: str, text: str) -> None:
    """
    Give the setting a value in the file, which is afterwards whole or as it was.

    Raises:
        UsageError: there is no such setting, or the value is not allowed.
        ConfigError: the file cannot be changed without harm to the rest of it.
        StorageError: it cannot be written.
    """
    settings.check_key(key)
    if not _is_writable(text):
        raise UsageError(f"{key} from the command line: {text!r} is not valid text.")
    value = settings.find(key, [{key: GivenValue(text, "the command line")}]).value
    if isinstance(value, float):
        value = text.strip()
    elif key == "output":  # the final slash of a folder is added when it is read
        value = text
    literal = _literal(value)
    before = _text(path)
    after, count = _line(key).subn(
        lambda line: f"{line['key']}{literal}{line['rest']}{line['end']}", before
    )
    if not count:
        gap = "" if before.endswith("\n") or not before else "\n"
        after = f"{before}{gap}{key} = {literal}\n"
    changed = _parse(f"{key} = {literal}", path)
    _replace(path, after, expected=_parse(before, path) | changed)


def unset_key(path: Path, key: str) -> bool:
    """
    Take the setting out of the file; a comment beside it stays.  False when it was not
    there.  A key that is no setting can be taken out as well, if the file has it.

    Raises:
        UsageError, ConfigError, StorageError: as `set_key`.
    """
    before = _text(path)
    values = _parse(before, path)
    if key not in values:
        settings.check_key(key)
        return False
    after = _line(key).sub(_comment, before)
    del values[key]
    _replace(path, after, expected=values)
    return True


def _line(key: str) -> re.Pattern[str]:
    name = re.escape(key)
    return re.compile(
        rf"""^(?P<key>[ \t]*(?:{name}|"{name}"|'{name}')[ \t]*=[ \t]*){_VALUE}"""
        r"(?P<rest>[ \t]*(?:\#[^\n\r]*)?)(?P<end>\r?\n|\Z)",
        re.MULTILINE,
    )


def _comment(line: re.Match[str]) -> str:
    comment = line["rest"].lstrip()
    return f"{comment}{line['end']}" if comment else ""


def _is_writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    # A JSON string is a TOML basic string, but for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _text(path: Path) -> str:
    try:
        _check_regular(path)
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is not UTF-8 text.", hint=_MEND) from exc
    except OSError as exc:
        raise ConfigError(
            f"{path} cannot be read: {exc.strerror or exc}.",
            hint="KREA_CONFIG_DIR names another folder for it.",
        ) from exc


def _check_regular(path: Path) -> None:
    """
    A folder may pass: to read it fails at once, and says why.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a pipe is waited for
        raise ConfigError(
            f"{path} is no regular file.",
            hint="KREA_CONFIG_DIR names another folder for it.",
        )


def _parse(text: str, path: Path) -> dict[str, Any]:
    if not text:
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{path} is not valid TOML: {exc}.", hint=_MEND) from exc


def _replace(path: Path, text: str, *, expected: Mapping[str, Any]) -> None:
    try:
        is_as_wanted = _parse(text, path) == expected
    except ConfigError:
        is_as_wanted = False
    if not is_as_wanted:
        raise ConfigError(
            f"{path} cannot be changed by krea without harm to other lines of it.",
            hint="Change it with an editor.",
        )
    private_folder(path.parent)
    from krea_cli.files.atomic_file import replace_file

    try:
        replace_file(path, text.encode())
    except OSError as exc:
        raise StorageError(
            f"{path} cannot be written: {exc.strerror or exc}.",
            hint="KREA_CONFIG_DIR names another folder for it.",
        ) from exc
