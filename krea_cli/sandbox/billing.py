"""
Calculate how much the jobs of the sandbox would have cost at Krea.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from krea_cli.sandbox.job import SandboxJob, iso

_NOT_BILLED = ("failed", "cancelled")


def billing_report(jobs: Iterable[SandboxJob], now: float) -> dict[str, Any]:
    """
    List all jobs, oldest first, with the number of jobs, the number of billed jobs, and
    the total of the known prices.

    Running jobs count as billed.
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
