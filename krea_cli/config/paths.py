"""
Determine the folders for krea's files. The only module that imports platformdirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import platformdirs

from krea_cli.errors import ConfigError, InputError, StorageError
from krea_cli.runtime.os_reasons import reason_of
from krea_cli.runtime.user_paths import local_path

_CONFIG, _STATE, _CACHE = "KREA_CONFIG_DIR", "KREA_STATE_DIR", "KREA_CACHE_DIR"


class Folders(NamedTuple):
    """
    The folders of this user, as absolute paths.

    Each can be moved with a variable. They are created when something is first written.
    Without a home folder some may be missing: then there are no settings and no cache.

    Raises:
        ConfigError: a required folder is missing. The message lists all missing ones.
    """

    paths: Mapping[str, Path]

    @property
    def config(self) -> Path:
        return self._path(_CONFIG)

    @property
    def state(self) -> Path:
        return self._path(_STATE)

    @property
    def cache(self) -> Path:
        return self._path(_CACHE)

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def has_config(self) -> bool:
        return _CONFIG in self.paths

    @property
    def has_state(self) -> bool:
        return _STATE in self.paths

    @property
    def has_cache(self) -> bool:
        return _CACHE in self.paths

    def _path(self, variable: str) -> Path:
        if variable not in self.paths:
            names = (_CONFIG, _STATE, _CACHE)
            missing = _listed([name for name in names if name not in self.paths])
            raise ConfigError(
                "No home folder found.",
                hint=f"Set HOME, or {missing}, to an absolute path.",
            )
        return self.paths[variable]


def find_folders(env: Mapping[str, str]) -> Folders:
    """
    Determine the folders of this user.

    Raises:
        ConfigError: variables contain relative paths. The message lists all of them.
    """
    usual = platformdirs.PlatformDirs("krea-cli", appauthor=False)
    defaults: dict[str, Callable[[], Path]] = {
        _CONFIG: lambda: usual.user_config_path,
        _STATE: lambda: usual.user_state_path,
        _CACHE: lambda: usual.user_cache_path,
    }
    given = {name: _given(name, env[name]) for name in defaults if env.get(name)}
    # A relative path would be a different folder in each working directory.
    if relative := [name for name, path in given.items() if not path.is_absolute()]:
        values = [repr(env[name]) for name in relative]
        raise ConfigError(
            f"{_listed(relative)} must be an absolute path, not {_listed(values)}.",
        )
    found = {name: given.get(name) or _usual(path) for name, path in defaults.items()}
    return Folders({name: path for name, path in found.items() if path})


def _given(variable: str, value: str) -> Path:
    try:
        return Path(local_path(value))
    except InputError as exc:
        raise ConfigError(f"{variable}: {exc.message}", hint=exc.advice) from exc


def make_private_folder(path: Path) -> Path:
    """
    Create the folder and missing parents, accessible only to this user.

    An existing folder is left unchanged.

    Raises:
        StorageError: the folder cannot be created, or a file has this name.
    """
    from krea_cli.files.private_dir import make_private_dir

    try:
        return make_private_dir(path)
    except OSError as exc:
        raise StorageError(
            f"Cannot create folder {path}: {reason_of(exc)}.",
            hint="Set KREA_CONFIG_DIR, KREA_STATE_DIR or KREA_CACHE_DIR to other "
            "folders.",
        ) from exc


def _usual(default: Callable[[], Path]) -> Path | None:
    """
    Return the default folder, or None if there is no home folder.
    """
    try:
        path = default()
    except RuntimeError:
        return None
    # platformdirs before 4.6 returns "~/..." unchanged if there is no home folder.
    return path if path.is_absolute() else None


def _listed(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
