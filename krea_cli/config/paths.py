"""
Where krea keeps its files.  The only module that imports platformdirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from krea_cli.errors import ConfigError, InputError, StorageError
from krea_cli.user_paths import local_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """
    Absolute paths; nothing is created before something is written.
    """

    config: Path
    state: Path
    cache: Path

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"


def folders(env: Mapping[str, str]) -> Folders:
    """
    The folders of this user, each of which a variable moves elsewhere.

    Raises:
        ConfigError: there is no home, or a variable holds a relative path.
    """
    usual = platformdirs.PlatformDirs("krea-cli", appauthor=False)
    return Folders(
        config=_folder(env, "KREA_CONFIG_DIR", lambda: usual.user_config_path),
        state=_folder(env, "KREA_STATE_DIR", lambda: usual.user_state_path),
        cache=_folder(env, "KREA_CACHE_DIR", lambda: usual.user_cache_path),
    )


def private_folder(path: Path) -> Path:
    """
    Make the folder, and its missing parents, for this user only (hazards C18 and J5).
    One that exists stays as it is.

    Raises:
        StorageError: it cannot be made, or a file stands there.
    """
    try:
        # parents=True would make the parents with the usual mode.
        for folder in (*reversed(path.parents), path):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as exc:
        raise StorageError(
            f"The folder {path} cannot be made: {exc.strerror or exc}.",
            hint="KREA_CONFIG_DIR, KREA_STATE_DIR and KREA_CACHE_DIR name other ones.",
        ) from exc
    return path


def _folder(env: Mapping[str, str], variable: str, default: Callable[[], Path]) -> Path:
    if given := env.get(variable):
        try:
            path = Path(local_path(given))
        except InputError as exc:
            raise ConfigError(f"{variable}: {exc.message}", hint=exc.hint) from exc
        # A relative one would be another folder in each place that krea is run from.
        if not path.is_absolute():
            raise ConfigError(f"{variable} must be an absolute path, not {given!r}.")
        return path
    try:
        path = default()
    except RuntimeError as exc:
        raise _no_home(variable) from exc
    # platformdirs before 4.6 gives "~/..." back as it is when there is no home.
    if not path.is_absolute():
        raise _no_home(variable)
    return path


def _no_home(variable: str) -> ConfigError:
    return ConfigError(
        "There is no home folder to keep files in.",
        hint=f"Set HOME, or {variable}, to an absolute path.",
    )
