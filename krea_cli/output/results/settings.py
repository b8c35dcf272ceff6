"""
Results of `krea config` and `krea auth`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """
    A setting in force and the layer that gave it; None when nothing did.  *written* is
    how the user wrote it, where that is known.
    """

    key: str
    value: str | float | bool | None
    source: str
    written: str | None = None

    @property
    def text(self) -> str:
        """
        The value as it is written in the file.
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
    A setting of which a pipe wants the value alone: `config get`.
    """

    @property
    def plain(self) -> list[str]:
        return [] if self.value is None else [self.text]


@dataclass(frozen=True, slots=True)
class ConfigPath:
    """
    The path of the settings file, which may not exist.
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
    The source of the API token; never the token itself.

    *source* is a variable, "keyring", "sandbox" or None; *shadows* are the other places
    that have one; *backend* is the keyring's class, None when it was not asked;
    *keyring_config* the file that chooses it; *problem* is trouble with the keyring.
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
