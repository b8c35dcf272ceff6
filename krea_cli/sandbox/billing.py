"""
What the jobs of the sandbox would have cost at the service.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from krea_cli.sandbox.job import SandboxJob, iso

_NOT_BILLED = ("failed", "cancelled")


def billing_report(jobs: Iterable[SandboxJob], now: float) -> dict[str, Any]:
    """
    Every job that was taken, the oldest first: *count* is how many there are, *billed*
    how many of them are billed at the time *now*, and *total_usd* what these cost, as
    far as prices are known.  A job that goes on counts as billed.
    """
    entries = [_entry(job, now) for job in sorted(jobs, key=lambda j: j.created_at)]
    billed = [entry for entry in entries if entry["billed"]]
    return {
        "total_usd": round(sum((entry["cost_usd"] or 0.0 for entry in billed), 0.0), 6),
        "count": len(entries),
        "billed": len(billed),
        "jobs": entries,
    }


def _entry(job: SandboxJob, now: float) -> dict[str, Any]:
    status = job.status(now)
    return {
        "job_id": job.job_id,
        "model": job.model,
        "created_at": iso(job.created_at),
        "status": status,
        "cost_usd": job.cost_usd,
        "billed": status not in _NOT_BILLED,
    }
