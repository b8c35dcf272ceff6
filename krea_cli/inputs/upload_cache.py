"""
Remember recent uploads, so that a file is not uploaded again soon.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from krea_cli.journal.database import Database
from krea_cli.journal.redaction import without_secrets

# The service does not document how long it keeps a file.
KEPT_SECONDS = 24 * 3600


class UploadCache:
    """
    The URLs of files uploaded to one service in the last day, by SHA-256.  `now`
    returns the wall-clock time.

    Every method raises JournalError if the journal cannot be used.
    """

    def __init__(
        self, database: Database, service: str, now: Callable[[], float]
    ) -> None:
        self._database = database
        self._service = service
        self._now = now

    def url(self, sha256: str) -> str | None:
        """
        Return the URL of a file if it was uploaded within the last day.
        """
        rows = self._database.rows(
            "SELECT url FROM uploads WHERE service = ? AND sha256 = ?"
            " AND uploaded_at > ?",
            self._service,
            sha256,
            self._now() - KEPT_SECONDS,
        )
        url = rows[0][0] if rows else None
        return url if isinstance(url, str) and url.isascii() else None

    def forget(self, url: str) -> None:
        """
        Forget the uploads with the path of this URL. Ignore host and port: the sandbox
        may use another port in each run.
        """
        path = urlsplit(url).path
        known = self._database.rows(
            "SELECT url FROM uploads WHERE service = ?", self._service
        )
        matching = [each for (each,) in known if urlsplit(each).path == path]
        with self._database.writing() as db:
            db.executemany(
                "DELETE FROM uploads WHERE service = ? AND url = ?",
                [(self._service, each) for each in matching],
            )

    def keep(self, sha256: str, url: str) -> None:
        """
        Remember an upload, unless its URL may have a signature, which is a secret.
        """
        if url != without_secrets(url):
            return
        now = self._now()
        with self._database.writing() as db:
            db.execute(
                "DELETE FROM uploads WHERE uploaded_at < ?", (now - KEPT_SECONDS,)
            )
            db.execute(
                "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?)",
                (self._service, sha256, url, now),
            )
