"""
List the styles of the sandbox: completed trainings and some public ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from krea_cli.sandbox.job import SandboxJob, iso
from krea_cli.sandbox.store import SandboxStore

FILTERS = (
    "all",
    "user",
    "community",
    "krea",
    "shared",
    "unapproved",
    "editor",
    "gallery",
    "public",
)
_OWNER = {
    "id": "00000000-0000-4000-8000-000000000001",
    "name": "Sandbox user",
    "avatar_url": None,
}
_PUBLIC: Mapping[str, Any] = {
    "id": "a816d79d-55c9-43ee-81c3-8330ffe79e6c",
    "title": "Sandbox watercolor",
    "urls": [],
    "public": True,
    "cover_url": None,
    "prompt": "a watercolor painting",
    "models": ["flux_dev", "k2"],
    "owner": None,
    "like_count": 1,
    "created_at": "2026-01-01T00:00:00.000000Z",
}


def find_styles(store: SandboxStore, asked: str = "all") -> list[Mapping[str, Any]]:
    """
    Return the styles that match a filter of the API, the newest training first.

    Only the filters for own and for public styles make a difference.
    """
    now, found = store.now(), list[Mapping[str, Any]]()
    if asked in ("all", "user"):
        found += [
            _trained(job)
            for job in store.jobs()
            if job.medium == "style" and job.status(now) == "completed"
        ]
    if asked in ("all", "krea", "public"):
        found.append(_PUBLIC)
    return found


def find_style(store: SandboxStore, style_id: str) -> Mapping[str, Any] | None:
    found = (style for style in find_styles(store) if style["id"] == style_id)
    return next(found, None)


def _trained(job: SandboxJob) -> Mapping[str, Any]:
    return {
        "id": job.style_id,
        "title": job.fields["name"],
        "urls": [],
        "public": False,
        "cover_url": None,
        "prompt": str(job.fields.get("trigger_word") or ""),
        "models": [job.fields.get("model") or "flux_dev"],
        "owner": _OWNER,
        "like_count": 0,
        "created_at": iso(job.ends_at),
    }
