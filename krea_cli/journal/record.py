"""
Build records of paid requests, without anything that must not be stored.
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
from krea_cli.api.request_body import encode_body
from krea_cli.journal.redaction import redacted, redacted_places, without_secrets
from krea_cli.journal.rows import check_columns
from krea_cli.runtime import processes

# A request counts as in flight for this long if it is not known whether its process is
# alive.
FLIGHT_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """
    A paid request.

    `record` is the id, unique for each request that a user intends to send. `run` is
    shared by the records of one command. `service` is an API origin, or the sandbox.

    `request` has the model's "path", the redacted "body" and "webhook", the `images` of
    `of`, and "not_kept": all other places in the body where a value was left out.
    `request_sha256` is the hash of the request as it was sent.

    Times are in seconds since the epoch, by the local clock. `created_at` is when the
    request was about to be sent first, `resent_at` when it was about to be sent again.
    `seconds` is the duration of the job that Krea reports.

    `holder` is the process that sends the request, as "host:pid:start". `token_digest`
    identifies the token that was used (see `token_digest`). `output` has the output
    options of the run (None if it saves no results), and `first_index` is the `{index}`
    of the first saved result.
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
    output: Mapping[str, Any] | None = None
    first_index: int | None = None

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
        output: Mapping[str, Any] | None = None,
    ) -> Record:
        """
        Build the record of a request that this process is about to submit.

        `body` has files as values. `images` has the origins of files as "inputs", and
        the options for sending them.

        Raises:
            InputError: a file in `body` has changed since it was checked.
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
            request_sha256=_sha256(encode_body(body), webhook),
            seed=seed,
            cost_usd=cost_usd,
            holder=this_process(),
            token_digest=token_digest,
            output=output,
        )

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Record:
        """
        Build a record from a database row.

        Raises:
            ValueError: the row was not made by `as_row`.
        """
        values = dict(zip(FIELDS, row, strict=True))
        check_columns(values)
        values["request"] = json.loads(values["request"])
        values["files"] = load_files(values["files"])
        if values["output"] is not None:
            values["output"] = json.loads(values["output"])
        return cls(**values)

    def as_row(self) -> tuple[Any, ...]:
        """
        Return the values for COLUMNS.
        """
        kept = {
            "request": json.dumps(self.request),
            "files": dump_files(self.files),
            "output": None if self.output is None else json.dumps(self.output),
        }
        return tuple(kept.get(name, getattr(self, name)) for name in FIELDS)

    @property
    def is_complete(self) -> bool:
        """
        Return True if the request was stored completely, so that it can be submitted
        again byte for byte.
        """
        kept = _sha256(encode_body(self.request["body"]), self.request["webhook"])
        return kept == self.request_sha256

    @property
    def prompt(self) -> str | None:
        prompt = self.request["body"].get("prompt")
        return prompt if isinstance(prompt, str) else None

    @property
    def source(self) -> str | None:
        """
        Return the name of the first input as it was given, without secrets in URLs.

        Return None if there is no input.
        """
        for origin in self.request.get("inputs", ()):
            path = origin["path"] or self._stored_text(origin["at"])
            return {"-": "standard input", "data:": "the data URI"}.get(path, path)
        return None

    def _stored_text(self, place: Sequence[str | int]) -> str:
        """
        Return the stored form of the text at this place of the body.
        """
        found: Any = self.request["body"]
        with suppress(LookupError, TypeError):
            for key in place:
                found = found[key]
        return found if isinstance(found, str) else ""

    @property
    def sent_at(self) -> float:
        """
        Time at which the request was last about to be sent.
        """
        return self.created_at if self.resent_at is None else self.resent_at

    def is_in_flight(self, now: float) -> bool:
        """
        Return whether the process may still be submitting the request.
        """
        if self.state != "intended":
            return False
        alive = is_process_alive(self.holder)
        return abs(now - self.sent_at) < FLIGHT_SECONDS if alive is None else alive

    def is_unconfirmed(self, now: float) -> bool:
        """
        Return whether it is unknown if Krea accepted the request.
        """
        is_open = self.state in ("unknown", "intended")
        return is_open and not self.is_in_flight(now)


# All texts that start with X sort between X and X + LAST_CHARACTER.
LAST_CHARACTER = "\U0010ffff"
FIELDS = tuple(field.name for field in fields(Record))
COLUMNS, PLACEHOLDERS = ", ".join(FIELDS), ", ".join("?" * len(FIELDS))


def this_process() -> str:
    return f"{_host()}:{os.getpid()}:{_started(os.getpid())}"


def dump_files(files: Iterable[SavedFile]) -> str:
    """
    Format saved files as JSON, with absolute paths because the working directory may
    change.
    """
    kept = [
        replace(file, path=_absolute(file.path), url=without_secrets(file.url))
        for file in files
    ]
    return json.dumps([asdict(file) for file in kept])


def load_files(text: str) -> tuple[SavedFile, ...]:
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


def is_process_alive(holder: str) -> bool | None:
    """
    Return True if the process is still running, or None if this computer cannot know.
    """
    host, pid, started = [*holder.rsplit(":", 2), "", ""][:3]
    if host != _host() or not pid.isdecimal():
        return None
    if not (running := processes.is_running(int(pid))):
        return running
    # The process id may have been reused by now.
    return started == _started(int(pid)) if started else None


def _host() -> str:
    """
    Return the name of this machine, made unique among containers with the same name.
    """
    try:
        return f"{platform.node()}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def _started(pid: int) -> str:
    """
    Return the start time of the process; empty if unknown.
    """
    return processes.started(pid)
