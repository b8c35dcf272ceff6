"""
What is kept of a paid request: values, and what must not be kept of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from krea_cli.api.http_types import RequestBody
from krea_cli.api.models import SavedFile
from krea_cli.api.request_body import content
from krea_cli.journal.redaction import redacted, redacted_places, without_secrets
from krea_cli.journal.rows import check

# No request is on its way for longer, where nobody can tell whether its process lives
# (hazard J10).
FLIGHT_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """
    One paid request.

    *record* is made once for an intent; *run* ties the records of one call; *service*
    is an origin, or the sandbox.  *request* has the model's "path", the "body" and the
    "webhook" as they may be kept, what `of` was told of its images, and as "not_kept"
    where else in the body something was left out; *request_sha256* is of what was sent.
    Times are seconds since the epoch by the local clock: *created_at* when it was first
    about to be sent, *resent_at* when it was so once more.  *seconds* is how long the
    service says that the job took, *holder* the process that sends it, as
    "host:pid:start"; *token_digest* tells which token sent it (see `token_digest`).
    """

    record: str
    run: str
    service: str
    created_at: float
    model: str
    request: Mapping[str, Any]
    request_sha256: str
    seed: int | None
    cost_usd: float | None
    state: str = "intended"
    job_id: str | None = None
    files: tuple[SavedFile, ...] = ()
    seconds: float | None = None
    holder: str = ""
    resent_at: float | None = None
    token_digest: str | None = None

    @classmethod
    def of(
        cls,
        *,
        run: str,
        service: str,
        model: str,
        path: str,
        body: Mapping[str, Any],
        webhook: str | None,
        seed: int | None,
        cost_usd: float | None,
        now: float,
        images: Mapping[str, Any] | None = None,
        token_digest: str | None = None,
    ) -> Record:
        """
        The record of a request that this process is about to send, with *body* as
        `content` takes it.  *images* says as "inputs" where the images came from (see
        `origins`), and how they are sent.

        Raises:
            InputError: a file in *body* is not what it was when it was checked.
        """
        images = images or {"inputs": []}
        places = [each["at"] for each in images["inputs"]]
        stored = redacted(body)
        changed = redacted_places(body, stored)
        not_kept = [place for place in changed if place not in places]
        request = {"path": path, "body": stored, "webhook": redacted(webhook)}
        return cls(
            record=str(uuid.uuid4()),
            run=run,
            service=service,
            created_at=now,
            model=model,
            request={**request, **images, "not_kept": not_kept},
            request_sha256=_sha256(content(body), webhook),
            seed=seed,
            cost_usd=cost_usd,
            holder=this_process(),
            token_digest=token_digest,
        )

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Record:
        """
        Raises:
            ValueError: the row is not one that `as_row` made.
        """
        values = dict(zip(FIELDS, row, strict=True))
        check(values)
        values["request"] = json.loads(values["request"])
        values["files"] = files_from_text(values["files"])
        return cls(**values)

    def as_row(self) -> tuple[Any, ...]:
        """
        The values of COLUMNS.
        """
        kept = {
            "request": json.dumps(self.request),
            "files": files_as_text(self.files),
        }
        return tuple(kept.get(name, getattr(self, name)) for name in FIELDS)

    @property
    def is_whole(self) -> bool:
        """
        Whether the kept request is the one that was sent, so that it can be sent again
        byte by byte (hazard B5).
        """
        kept = _sha256(content(self.request["body"]), self.request["webhook"])
        return kept == self.request_sha256

    @property
    def prompt(self) -> str | None:
        prompt = self.request["body"].get("prompt")
        return prompt if isinstance(prompt, str) else None

    @property
    def source(self) -> str | None:
        """
        The first image, by the name that it had in the run that sent it, a URL without
        what is not kept of it; None when there is none.
        """
        for origin in self.request.get("inputs", ()):
            path = origin["path"] or self._stays(origin["at"])
            return {"-": "standard input", "data:": "the data URI"}.get(path, path)
        return None

    def _stays(self, place: Sequence[str | int]) -> str:
        """
        What is kept of the text that stood there in the body.
        """
        found: Any = self.request["body"]
        with suppress(LookupError, TypeError):
            for key in place:
                found = found[key]
        return found if isinstance(found, str) else ""

    @property
    def sent_at(self) -> float:
        """
        When the request was about to be sent, the last time.
        """
        return self.created_at if self.resent_at is None else self.resent_at

    def is_in_flight(self, now: float) -> bool:
        """
        Whether its process may still be sending it.
        """
        if self.state != "intended":
            return False
        alive = lives(self.holder)
        return abs(now - self.sent_at) < FLIGHT_SECONDS if alive is None else alive

    def is_in_doubt(self, now: float) -> bool:
        """
        Whether nobody knows if the service took it (hazard J10).
        """
        is_open = self.state in ("unknown", "intended")
        return is_open and not self.is_in_flight(now)


# Texts that begin with X lie between X and X followed by it.
LAST_CHARACTER = "\U0010ffff"
FIELDS = tuple(field.name for field in fields(Record))
COLUMNS, PLACES = ", ".join(FIELDS), ", ".join("?" * len(FIELDS))


def this_process() -> str:
    return f"{_host()}:{os.getpid()}:{_started('self')}"


def files_as_text(files: Iterable[SavedFile]) -> str:
    """
    With absolute paths, as seen from the current folder: another run may have another.
    """
    kept = [
        replace(file, path=_absolute(file.path), url=without_secrets(file.url))
        for file in files
    ]
    return json.dumps([asdict(file) for file in kept])


def files_from_text(text: str) -> tuple[SavedFile, ...]:
    names = {field.name for field in fields(SavedFile)}
    return tuple(
        SavedFile(**{name: file[name] for name in names & file.keys()})
        for file in json.loads(text)
    )


def _absolute(path: str) -> str:
    return path if path == "-" else str(Path(path).absolute())


def _sha256(body: RequestBody, webhook: str | None) -> str:
    digest = hashlib.sha256()
    for chunk in body.chunks():
        digest.update(chunk)
    if webhook:
        digest.update(b"\n" + webhook.encode())
    return digest.hexdigest()


def lives(holder: str) -> bool | None:
    """
    Whether that very process still runs; None where this machine cannot tell.
    """
    host, pid, started = [*holder.rsplit(":", 2), "", ""][:3]
    # Elsewhere than on POSIX, to ask so would be to end it.
    if os.name != "posix" or host != _host() or not pid.isdecimal():
        return None
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return None
    # The number may be another's by now.
    return started == _started(pid) if started else None


def _host() -> str:
    """
    This machine; of containers that share its name, this one.
    """
    try:
        return f"{platform.node()}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def _started(pid: str) -> str:
    """
    When the process began, as Linux counts it; empty where that is not told.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
