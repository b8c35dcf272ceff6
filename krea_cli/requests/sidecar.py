"""
Write sidecars: JSON files next to results that describe how to make them again.

A sidecar contains the request as stored in the journal: no token, no URLs that may
contain a key or signature, and SHA-256 hashes in place of data URIs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from krea_cli import __version__
from krea_cli.api.models import Job, SavedFile
from krea_cli.downloads.sidecar_path import sidecar_path
from krea_cli.errors import TargetExistsError
from krea_cli.files.atomic_file import AtomicFile
from krea_cli.journal.record import Record
from krea_cli.journal.redaction import without_secrets
from krea_cli.requests.arguments import MAX_CHARACTERS
from krea_cli.requests.recorded_request import (
    SENDING_OPTIONS,
    source_file,
)


def write(record: Record, job: Job, file: SavedFile, *, force: bool) -> None:
    """
    Write the sidecar of a saved result. An existing one of the same result is kept.

    Raises:
        TargetExistsError: another file has this name.
        StorageError: the sidecar cannot be written.
    """
    target = sidecar_path(Path(file.path))
    text = json.dumps(_content(record, job, file), indent=2, ensure_ascii=False)
    # File names may contain bytes that are not text; escape them.
    content = f"{text}\n".encode(errors="backslashreplace")
    with AtomicFile(target.parent) as new:
        new.write(content)
        try:
            new.publish(target, force=force)
        except TargetExistsError:
            if not is_sidecar_of(target, job, file):
                raise


def is_sidecar_of(path: Path, job: Job, file: SavedFile) -> bool:
    """
    Return True if a file is a sidecar of this result, from any date or version.
    """
    if not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8-sig") as opened:
            sidecar = json.loads(opened.read(MAX_CHARACTERS + 1))
        digest = sidecar["file"]["sha256"]
        return (sidecar["job_id"], digest) == (job.job_id, file.sha256)
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return False


def _content(record: Record, job: Job, file: SavedFile) -> dict[str, Any]:
    request, path = record.request, Path(file.path)
    return {
        "krea": __version__,
        "job_id": job.job_id,
        "service": record.service,
        "model": record.model,
        "path": request["path"],
        "body": request["body"],
        "inputs": [_input(each, path) for each in request.get("inputs", ())],
        "not_kept": request.get("not_kept", []),
        **{name: request.get(name, False) for name in SENDING_OPTIONS},
        "cost_usd": record.cost_usd,
        "created_at": job.created_at,
        "completed_at": job.completed_at,
        "file": {
            **asdict(file),
            "path": path.name,
            "url": without_secrets(file.url),
        },
    }


def _input(origin: Mapping[str, Any], result: Path) -> dict[str, Any]:
    """
    Return the origin of an input.

    If the file is inside the result's folder, its path is relative to that folder, so
    that the folder can be moved.
    """
    place = source_file(origin["path"], origin["sha256"])
    folder = result.absolute().parent
    if place is None or not place.is_relative_to(folder):
        return dict(origin)
    return {**origin, "path": place.relative_to(folder).as_posix()}
