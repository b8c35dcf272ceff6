"""
Results about journal records, with their JSON and plain-text forms.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from krea_cli.api.models import UNBILLED_STATUSES, Job
from krea_cli.output.escape import collapse_whitespace, single_line

if TYPE_CHECKING:
    from krea_cli.journal.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """
    A paid request in a list: `jobs list`.

    `status` is `unknown` if the process that sent the request no longer runs.
    """

    record: Record
    status: str

    @property
    def created_at(self) -> str:
        """
        Time at which the request was about to be sent, in UTC.
        """
        time = datetime.fromtimestamp(self.record.created_at, UTC)
        return time.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def billed(self) -> bool | None:
        """
        True if Krea bills the job, or None if that is not known yet.
        """
        if self.status in UNBILLED_STATUSES:
            return False
        return True if self.status == "completed" else None

    @property
    def _price(self) -> str:
        """
        The estimate for pipes.

        Failed and cancelled jobs count as 0, because scripts add up the column.
        """
        return "0" if self.billed is False else _number(self.record.cost_usd)

    @property
    def plain(self) -> list[str]:
        return [self.line]

    @property
    def line(self) -> str:
        """
        A line for pipes: job, status, time, model, price, record.
        """
        record = self.record
        return _line(
            record.job_id,
            self.status,
            self.created_at,
            record.model,
            self._price,
            record.record,
        )

    def as_json(self) -> dict[str, Any]:
        record = self.record
        return {
            "record": record.record,
            "job_id": record.job_id,
            "status": self.status,
            "model": record.model,
            "created_at": self.created_at,
            "cost_usd": record.cost_usd,
            "billed": self.billed,
            "seed": record.seed,
            "prompt": record.prompt,
            "files": [asdict(file) for file in record.files],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDetails(RecordRow):
    """
    Everything that is recorded about a paid request: `jobs show`.
    """

    @property
    def fields(self) -> list[tuple[str, str]]:
        """
        The request fields in JSON. Text fields are not quoted.
        """
        body = self.record.request.get("body", {})
        return [
            (
                name,
                value
                if isinstance(value, str)
                else json.dumps(value, ensure_ascii=False),
            )
            for name, value in body.items()
        ]

    @property
    def plain(self) -> list[str]:
        record, request = self.record, self.record.request
        known = {
            "record": record.record,
            "job_id": record.job_id,
            "status": self.status,
            "model": record.model,
            "created_at": self.created_at,
            "cost_usd": self._price,
            "seed": record.seed,
            "seconds": _number(record.seconds),
            "service": record.service,
            "run": record.run,
            "path": request.get("path"),
            "webhook": request.get("webhook"),
            "request_sha256": record.request_sha256,
        }
        lines = [_line(key, value) for key, value in known.items()]
        lines += [_line("field", name, value) for name, value in self.fields]
        lines += [
            f"file\t{single_line(file.path)}\t{file.sha256}" for file in record.files
        ]
        return lines

    def as_json(self) -> dict[str, Any]:
        record = self.record
        return {
            **RecordRow.as_json(self),
            "request": dict(record.request),
            "request_sha256": record.request_sha256,
            "run": record.run,
            "service": record.service,
            "seconds": record.seconds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UnconfirmedRecord(RecordRow):
    """
    An unconfirmed request and its candidate jobs: `jobs recover`.

    `candidates` is None if they could not be fetched.
    """

    candidates: Sequence[Job] | None

    @property
    def plain(self) -> list[str]:
        """
        A line for the request, and one for each candidate. All end with the record id.
        """
        candidates = [
            _line(job.job_id, job.status, job.created_at, "", "", self.record.record)
            for job in self.candidates or ()
        ]
        return [self.line, *candidates]

    def as_json(self) -> dict[str, Any]:
        jobs = self.candidates
        return {
            **RecordRow.as_json(self),
            "candidates": None if jobs is None else [job.as_json() for job in jobs],
        }


@dataclass(frozen=True, slots=True)
class RecordsDeleted:
    """
    The number of deleted records: `jobs forget`.
    """

    count: int

    @property
    def plain(self) -> list[str]:
        return [str(self.count)]

    def as_json(self) -> dict[str, Any]:
        return {"forgotten": self.count}


def _line(*values: object) -> str:
    return "\t".join(
        "" if value is None else collapse_whitespace(value) for value in values
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
