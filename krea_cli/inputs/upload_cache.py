"""
What was uploaded lately, so that it is not uploaded again.
"""

from __future__ import annotations

from collections.abc import Callable

from krea_cli.journal.database import Database
from krea_cli.journal.redaction import without_secrets

# How long the service keeps a file is not documented.
KEPT_SECONDS = 24 * 3600


class UploadCache:
    """
    The files that one *service* has, by their sha256, for a day.  *now* is the wall
    clock.

    Every method raises JournalError when the journal cannot be used.
    """

    def __init__(
        self, database: Database, service: str, now: Callable[[], float]
    ) -> None:
        self._database = database
        self._service = service
        self._now = now

    def url(self, sha256: str) -> str | None:
        """
        The URL of the file that was uploaded last within the day.
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

    def keep(self, sha256: str, url: str) -> None:
        """
        A URL that may be signed is not kept (hazard J11).
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
