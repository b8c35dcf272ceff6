"""
Create temporary copies of inputs that are changed before they are sent.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from krea_cli.errors import DownloadError, InputError, StorageError
from krea_cli.files.temporary import TemporaryFolder
from krea_cli.inputs import limits
from krea_cli.inputs.input_files import check_file
from krea_cli.inputs.local_file import LocalFile, state
from krea_cli.media.file_pieces import copy
from krea_cli.media.formats import strip_metadata
from krea_cli.media.reader import DamagedError

# Writes a scaled-down image that is within the limits to a file.
Fit = Callable[[LocalFile, IO[bytes]], None]


class PreparedFiles:
    """
    Temporary files that only the user can read. `close` deletes them.
    """

    def __init__(self) -> None:
        self._folder: TemporaryFolder | None = None
        self._folder_lock = threading.Lock()

    def close(self) -> None:
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def write(self, name: str, fill: Callable[[IO[bytes]], None]) -> Path:
        """
        Create a temporary file, let `fill` write its content, and return its path.

        Raises:
            InputError: the file cannot be written, or `fill` cannot read its source.
        """
        try:
            descriptor, path = tempfile.mkstemp(dir=self._folder_path(name))
            with os.fdopen(descriptor, "wb") as file:
                fill(file)
        except OSError as exc:
            reason = exc.strerror or exc
            raise InputError(
                f"Cannot copy {name} to the temporary folder: {reason}."
            ) from exc
        return Path(path)

    def _folder_path(self, name: str) -> Path:
        with self._folder_lock:
            if self._folder is None:
                try:
                    self._folder = TemporaryFolder()
                except StorageError as exc:
                    raise InputError(
                        f"Cannot copy {name}: {exc.message}", hint=exc.hint
                    ) from exc
            return self._folder.path

    def without_metadata(self, image: LocalFile) -> LocalFile:
        """
        Return a copy without metadata, or the image itself if it has none.

        Raises:
            InputError: the metadata cannot be removed.
        """
        with image.open() as file:
            try:
                pieces = strip_metadata(file, image.media)
                if pieces is None:
                    return image
                path = self.write(image.name, lambda target: copy(file, pieces, target))
            except DamagedError as exc:
                raise InputError(
                    f"Cannot remove the metadata of {image.name}: the file is damaged "
                    f"({exc}).",
                    hint="Save it again, or send it unchanged with --keep-metadata.",
                ) from exc
            if state(file) != image.state:
                raise InputError(
                    f"{image.name} changed while it was being read.",
                    hint="Try again when no other program writes to it.",
                )
        return check_file(path, image.name, max_bytes=limits.MAX_SCALED)

    def fitted(self, image: LocalFile, fit: Fit) -> LocalFile:
        """
        Return a copy that is scaled down to be within the limits.

        Raises:
            InputError: it cannot be scaled down.
        """
        try:
            path = self.write(image.name, lambda target: fit(image, target))
        except (DownloadError, StorageError) as exc:
            raise InputError(
                f"Cannot scale down {image.name}: {exc.message}",
                hint="Resize it in another program.",
            ) from exc
        return check_file(path, image.name)
