"""
Times and states in words.
"""

from __future__ import annotations

_MINUTE, _HOUR = 60, 3600
_MEANINGS = {
    "backlogged": "behind your other jobs, as many run as may at once",
    "queued": "waiting for its turn",
    "scheduled": "about to begin",
    "processing": "under way",
    "sampling": "under way",
    "intermediate-complete": "a first version is there, the final one is not",
}


def duration(seconds: float) -> str:
    """
    To the second, such as 7 s, 2 min 5 s or 1 h 0 min.
    """
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def meaning(status: str) -> str:
    """
    What a status of a job that runs means; empty for any other.
    """
    return _MEANINGS.get(status, "")
