"""
Convert records of this machine's journal to lines of a lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from krea_cli.batch.identity import Identity
from krea_cli.batch.lock import LockedFile, LockLine
from krea_cli.journal.keys import KeyHolder
from krea_cli.journal.record import Record


def lines_of(
    holders: Iterable[KeyHolder],
    known: Sequence[LockLine],
    *,
    key: str,
    identity: Identity,
    source: str,
    output: str,
    service: str,
    folder: Path,
    now: float,
) -> list[LockLine]:
    """
    Return a line for each holder of a key in the journal, oldest first.

    The key and the attempt come from the line in `known` about the same job or record.
    For a holder without such a line, the attempt follows the highest earlier attempt.
    """
    attempts = [(line.at, line.attempt) for line in known]
    by_payment = {line.job: line for line in known if line.job}
    by_record = {line.record: line for line in known if line.record}
    found = []
    for holder in sorted(holders, key=_sent_at):
        at = time_text(_sent_at(holder))
        record = holder.record.record if holder.record else ""
        line = by_payment.get(holder.job_id or "") or by_record.get(record)
        # A key with a job is paid for again only on purpose, as a new attempt.
        earlier = [attempt for before, attempt in attempts if before < at]
        attempt = line.attempt if line else 1 + max(earlier, default=0)
        attempts.append((at, attempt))
        found.append(
            LockLine(
                source=source,
                output=output,
                key=line.key if line else key,
                attempt=attempt,
                state=_state(holder, now),
                record=record,
                job=holder.job_id,
                service=service,
                usd=holder.record.cost_usd if holder.record else None,
                at=at,
                identity=identity,
                files=_files(holder.record, folder),
            )
        )
    return found


def closed_lines(
    lines: Iterable[LockLine],
    closed: Callable[[Iterable[str]], Collection[str]],
    *,
    now: float,
) -> list[LockLine]:
    """
    Return a closed line for each unconfirmed line whose record is closed.

    `closed` takes records, and returns the closed ones.
    """
    opened = [line for line in lines if line.state == "unconfirmed" and line.record]
    found = closed({line.record for line in opened}) if opened else ()
    return [
        replace(line, state="closed", at=time_text(now))
        for line in opened
        if line.record in found
    ]


def time_text(seconds: float) -> str:
    """
    Return seconds since the epoch as UTC text, such as "2026-01-31T12:00:00Z".
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sent_at(holder: KeyHolder) -> float:
    return holder.record.sent_at if holder.record else 0.0


def _state(holder: KeyHolder, now: float) -> str:
    record = holder.record
    if record is None:
        # The journal forgets how a pruned job without files ended. The service knows.
        return "completed" if holder.file_sha256s else "submitted"
    if record.is_in_flight(now):
        return "submitted"
    if record.state in ("intended", "unknown"):
        return "unconfirmed"
    return record.state


def _files(record: Record | None, folder: Path) -> tuple[LockedFile, ...]:
    if record is None:
        return ()
    return tuple(
        LockedFile(
            path=os.path.relpath(file.path, folder).replace(os.sep, "/"),
            sha256=file.sha256,
            # The journal has no hash of a file before its conversion.
            received_sha256=None if file.converted_from else file.sha256,
            size_bytes=file.size_bytes,
            media_type=file.media_type,
            width=file.width,
            height=file.height,
        )
        for file in record.files
        if file.path != "-"
    )
