from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from krea_cli.batch.items import items_of
from krea_cli.batch.problems import ManifestError, Problems
from krea_cli.batch.sources import load, locate


@dataclass
class Expand:
    """
    Expands what lies in a folder to items.
    """

    folder: Path
    stdin: bytes = b""
    made: tuple = ()
    model_fields: tuple = ("creativity", "moodboards")
    defaults: dict = field(default_factory=dict)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text if isinstance(text, bytes) else text.encode()
        path.write_bytes(data)
        return path

    def __call__(self, source, **defaults):
        problems = Problems()
        found = locate(source, self.folder)
        manifest, read_entries = load(
            found,
            {**self.defaults, **defaults},
            problems,
            stdin=lambda: self.stdin,
            made=self.made,
        )
        items = []
        if manifest:
            items = items_of(
                manifest,
                read_entries,
                found.folder,
                problems,
                model_fields=self.model_fields,
                extension_of=lambda model: None if model == "audio" else "png",
            )
        problems.raise_if_any()
        return items

    def manifest(self, text, **defaults):
        self.write("pictures.toml", text)
        return self("pictures.toml", **defaults)

    def error(self, text):
        with pytest.raises(ManifestError) as caught:
            self.manifest(text)
        lines = caught.value.details or [
            " ".join([caught.value.message, *caught.value.hints])
        ]
        return "\n".join(lines)


@pytest.fixture
def expand(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return Expand(folder)
