"""
Find the services that the journal has jobs of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from krea_cli.journal.database import Database

_QUERY = """
SELECT service FROM records
WHERE (service < ? OR service > ?) AND +job_id IS NOT NULL LIMIT 1
"""


def find_other_service(database: Database, service: str) -> str | None:
    """
    Return a service other than `service` that the journal has jobs of, or None.
    """
    rows = database.rows(_QUERY, service, service)
    return str(rows[0][0]) if rows else None
