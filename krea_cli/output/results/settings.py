"""
Results of `krea config` and `krea auth`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """
    An effective setting and its source, or None if it is not set.

    `written` is the value as the user wrote it, if known.
    """

    key: str
    value: str | float | bool | None
    source: str
    written: str | None = None

    @property
    def text(self) -> str:
        """
        Return the value as written in the settings file.
        """
        if isinstance(self.value, float) and self.written:
            return self.written
        if isinstance(self.value, bool):
            return str(self.value).lower()
        return "" if self.value is None else str(self.value)

    @property
    def plain(self) -> list[str]:
        return [f"{self.key}\t{self.text}\t{self.source}"]

    def as_json(self) -> dict[str, Any]:
        return {"key": self.key, "value": self.value, "source": self.source}


@dataclass(frozen=True, slots=True)
class SettingValue(Setting):
    """
    A setting that prints only its value in pipes: `config get`.
    """

    @property
    def plain(self) -> list[str]:
        return [] if self.value is None else [self.text]


@dataclass(frozen=True, slots=True)
class ConfigPath:
    """
    The path of the settings file. The file may not exist.
    """

    path: str
    exists: bool

    @property
    def plain(self) -> list[str]:
        return [self.path]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStatus:
    """
    The source of the API token, but never the token itself.

    `source` is a variable name, "keyring", "sandbox" or None. `shadows` lists the
    sources it overrides. `backend` is the keyring's class, or None if the keyring was
    not used. `keyring_config` is the file that chooses the backend. `problem` describes
    trouble with the keyring.
    """

    source: str | None
    shadows: tuple[str, ...]
    origin: str
    backend: str | None
    keyring_config: str | None
    problem: str | None

    @property
    def plain(self) -> list[str]:
        return [f"{self.source or 'none'}\t{self.origin}\t{self.backend or ''}"]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
