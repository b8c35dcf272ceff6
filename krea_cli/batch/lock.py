"""
The lines of a lock: which requests were paid for, and which files they produced.

Any union of locks is a lock. The order and the repetition of lines do not matter, so
`cat` and git's merge=union merge locks, for example the locks of parallel CI jobs.
"""

from __future__ import annotations

import json
import posixpath
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from krea_cli.api.models import is_job_id
from krea_cli.batch.identity import Identity, Input, canonical

VERSION = 1
SANDBOX = "sandbox"
# Of the lines about one job or one record, the state with the highest number counts.
_PROGRESS = {
    "unconfirmed": 0,
    "closed": 1,
    "submitted": 2,
    "cancelled": 3,
    "failed": 4,
    "completed": 5,
}
# Of the jobs of one attempt, the state with the highest number counts.
_WORTH = {
    "completed": 4,
    "submitted": 3,
    "unconfirmed": 2,
    "failed": 1,
    "cancelled": 0,
}
# States of jobs that may be billed.
BILLED = frozenset({"completed", "submitted", "unconfirmed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """
    A result on disk.

    `sha256` is the hash of the saved file. `received_sha256` is the hash of the file
    that the service sent. It differs for a converted file, and may then be unknown.
    """

    path: str
    sha256: str
    received_sha256: str | None = None
    size_bytes: int = 0
    media_type: str = ""
    width: int | None = None
    height: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LockedFile:
        """
        Return the file that `as_json` described.

        Raises:
            ValueError: the path or the hash is missing.
        """
        values = {name: value.get(name) for name in cls.__slots__}
        if not all(isinstance(values[name], str) for name in ("path", "sha256")):
            raise ValueError("a file has no path or no sha256")
        return cls(**{name: each for name, each in values.items() if each is not None})


@dataclass(frozen=True, kw_only=True)
class LockLine:
    """
    A line about one output and one of its jobs, or one unconfirmed request.

    `record` is the id of the request's record in the journal, and `usd` its estimated
    cost. `at` is a time as returned by `time_text`.
    """

    source: str
    output: str
    key: str
    attempt: int = 1
    state: str
    record: str = ""
    job: str | None = None
    service: str
    usd: float | None = None
    at: str = ""
    identity: Identity
    files: tuple[LockedFile, ...] = ()

    @property
    def payment(self) -> tuple[str, str]:
        """
        Return the service with the job id or, without a job, the record. Outputs that
        share a job have the same payment.
        """
        return (self.service, self.job or f"record {self.record}")

    @property
    def counts(self) -> bool:
        """
        Return whether the request has a job, or may have one.
        """
        return self.state != "closed"

    @cached_property
    def text(self) -> str:
        """
        Return the line as it is written to the file, without a line break.
        """
        return json.dumps(self.as_json(), ensure_ascii=False, separators=(",", ":"))

    def as_json(self) -> dict[str, Any]:
        return {
            "v": VERSION,
            "source": self.source,
            "output": self.output,
            "key": self.key,
            "attempt": self.attempt,
            "state": self.state,
            "record": self.record,
            "job": self.job,
            "service": self.service,
            "usd": self.usd,
            "at": self.at,
            "request": self.identity.request,
            "inputs": [each.as_json() for each in self.identity.inputs],
            "files": [each.as_json() for each in self.files],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LockLine:
        """
        Return the line that `as_json` described.

        Raises:
            NewerLockError: a newer krea wrote the line.
            ValueError: the object does not describe a line.
        """
        version = value.get("v")
        if isinstance(version, int) and version > VERSION:
            raise NewerLockError
        for name in ("source", "output", "key", "state", "service", "at", "record"):
            if not isinstance(value.get(name), str):
                raise ValueError(f"{name} is missing")  # noqa: TRY004  (as documented)
        if version != VERSION or value["state"] not in _PROGRESS:
            raise ValueError(f"unknown state '{value['state']}'")
        request, attempt = value.get("request"), value.get("attempt")
        usd, job = value.get("usd"), value.get("job")
        has_request = isinstance(request, dict) and type(attempt) is int
        has_payment = isinstance(usd, int | float | None) and isinstance(
            job, str | None
        )
        if not (has_request and has_payment):
            raise ValueError("its request, attempt, usd or job cannot be used")
        # The job id becomes part of a URL, so it must not contain anything else.
        if job is not None and not is_job_id(job):
            raise ValueError("its job is not a job id")
        return cls(
            source=value["source"],
            output=value["output"],
            key=value["key"],
            attempt=value["attempt"],
            state=value["state"],
            record=value["record"],
            job=job,
            service=value["service"],
            usd=usd,
            at=value["at"],
            identity=Identity(
                request=value["request"],
                inputs=tuple(Input.from_json(each) for each in _list(value, "inputs")),
            ),
            files=tuple(LockedFile.from_json(each) for each in _list(value, "files")),
        )

    def without_prompts(self) -> LockLine:
        """
        Return the line with prompts replaced by their hashes.
        """
        bare = Identity(
            request=self.identity.without_prompts(), inputs=self.identity.inputs
        )
        return replace(self, identity=bare)

    @property
    def rank(self) -> tuple[Any, ...]:
        """
        Return a sort key: of two lines about one output and job, the higher is kept.
        """
        whole = canonical(self.as_json())
        return (_PROGRESS[self.state], self.at, len(self.files), whole)


class NewerLockError(ValueError):
    """
    A line from a newer krea.
    """


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    items = value.get(name)
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise ValueError(f"{name} is not a list")
    return items


def merged(lines: Iterable[LockLine]) -> list[LockLine]:
    """
    Return the latest line of each output and job, sorted.

    A final state replaces "submitted". Unconfirmed lines are left out if another line
    says that their request has a job, or was closed.
    """
    best: dict[tuple[str, ...], LockLine] = {}
    settled = set[tuple[str, str]]()
    for line in lines:
        place = (*line.payment, line.source, line.output)
        other = best.get(place)
        if other is None or line.rank > other.rank:
            best[place] = line
        if line.record and (line.job or line.state == "closed"):
            settled.add((line.service, line.record))
    return sorted(
        (
            line
            for line in best.values()
            if line.state != "unconfirmed" or (line.service, line.record) not in settled
        ),
        key=_order,
    )


def news_of(
    lines: Iterable[LockLine], known: Iterable[LockLine], output: str
) -> list[LockLine]:
    """
    Return the lines with a later state of a payment than the `known` lines, as lines of
    `output`.

    A line keeps its files only if `output` is one of them.
    """
    progress: dict[tuple[str, str], int] = {}
    for line in known:
        for payment in (line.payment, (line.service, f"record {line.record}")):
            progress[payment] = max(progress.get(payment, -1), _PROGRESS[line.state])
    found = []
    for line in lines:
        # The process that is submitting the request will add the line itself.
        is_in_flight = line.state == "submitted" and line.job is None
        if is_in_flight or progress.get(line.payment, -1) >= _PROGRESS[line.state]:
            continue
        is_here = any(file.path == output for file in line.files)
        files = line.files if is_here else ()
        found.append(replace(line, output=output, files=files))
    return found


def rebased(line: LockLine, prefix: str) -> LockLine:
    """
    Return a line from a lock in another folder, with paths relative to this folder.

    `prefix` is the path from this folder to the other one.
    """

    def moved(path: str) -> str:
        return posixpath.normpath(posixpath.join(prefix, path))

    files = tuple(replace(file, path=moved(file.path)) for file in line.files)
    return replace(line, output=moved(line.output), files=files)


def _order(line: LockLine) -> tuple[Any, ...]:
    return (line.output, line.service, line.source, line.attempt, line.text)


@dataclass(frozen=True, kw_only=True)
class Lock:
    """
    The lines of one service, indexed for queries.

    `lines` come from the lock itself. `others` come from the locks that it uses as a
    cache: their results can be copied, but were not paid for by this batch.
    """

    lines: tuple[LockLine, ...] = ()
    others: tuple[LockLine, ...] = ()

    @classmethod
    def of(
        cls, lines: Iterable[LockLine], service: str, *, others: Iterable[LockLine] = ()
    ) -> Lock:
        """
        Return a lock with the lines of one service. Other lines are left out.
        """
        return cls(
            lines=tuple(each for each in merged(lines) if each.service == service),
            others=tuple(each for each in merged(others) if each.service == service),
        )

    @cached_property
    def _by_shape(self) -> Mapping[str, list[LockLine]]:
        found = defaultdict(list)
        for line in (*self.lines, *self.others):
            found[line.identity.shape].append(line)
        return found

    @cached_property
    def _by_output(self) -> Mapping[str, list[LockLine]]:
        found = defaultdict(list)
        for line in self.lines:
            found[line.output].append(line)
        return found

    @cached_property
    def _job_states(self) -> Mapping[tuple[str, str], str]:
        """
        Return the latest state of each payment. Outputs that share a job may have lines
        with different states.
        """
        states: dict[tuple[str, str], str] = {}
        for line in (*self.lines, *self.others):
            known = states.get(line.payment, line.state)
            states[line.payment] = max(known, line.state, key=_PROGRESS.__getitem__)
        return states

    def has_completed(self, line: LockLine) -> bool:
        """
        Return whether any line of the lock says that the job of `line` has completed.
        """
        return self._job_states.get(line.payment) == "completed"

    def matching(
        self, identity: Identity, keys: Mapping[str, Collection[str]] | None = None
    ) -> list[LockLine]:
        """
        Return the lines of `history` that are not closed.
        """
        return [line for line in self.history(identity, keys) if line.counts]

    def history(
        self, identity: Identity, keys: Mapping[str, Collection[str]] | None = None
    ) -> list[LockLine]:
        """
        Return all lines of the same request, the most relevant first.

        Closed lines come last. The others are ordered by attempt, the highest first,
        and then by state, "completed" first. `keys` is passed to `Identity.is_same`.
        """
        found = [
            self._as_known(line)
            for line in self._by_shape.get(identity.shape, ())
            if identity.is_same(line.identity, keys)
        ]
        return sorted(found, key=_worth, reverse=True)

    def of_output(self, output: str) -> list[LockLine]:
        """
        Return the lines of an output for any request, newest first.
        """
        found = [self._as_known(line) for line in self._by_output.get(output, ())]
        return sorted(found, key=lambda line: (line.at, line.text), reverse=True)

    def _as_known(self, line: LockLine) -> LockLine:
        state = self._job_states[line.payment]
        return line if state == line.state else replace(line, state=state)

    def spent_usd(self) -> float:
        """
        Return the estimated USD of all jobs that may be billed. Each job counts once.
        """
        amounts: dict[tuple[str, str], float] = {}
        for line in self.lines:
            if self._job_states[line.payment] in BILLED:
                known = amounts.get(line.payment, 0.0)
                amounts[line.payment] = max(known, line.usd or 0.0)
        return sum(amounts.values())

    def is_known(self, job_id: str) -> bool:
        return job_id in self._jobs

    @cached_property
    def _jobs(self) -> frozenset[str]:
        return frozenset(line.job for line in (*self.lines, *self.others) if line.job)

    @property
    def newest(self) -> str | None:
        """
        Return the time of the newest line, or None if there are no lines.
        """
        return max((line.at for line in self.lines), default=None)


def _worth(line: LockLine) -> tuple[Any, ...]:
    worth = _WORTH.get(line.state, -1)
    return (line.counts, line.attempt, worth, line.at, line.text)


def parse_lines(text: str) -> Iterator[tuple[int, LockLine]]:
    """
    Yield each line of a lock with its number, which starts at 1. Skip empty lines.

    Raises:
        LockSyntaxError: a line is invalid, or a newer krea wrote it.
    """
    for number, each in enumerate(text.split("\n"), start=1):
        if not each.strip():
            continue
        try:
            value = json.loads(each)
            if not isinstance(value, dict):
                raise ValueError("it is not an object")  # noqa: TRY004, TRY301  (caught)
            yield number, LockLine.from_json(value)
        except (ValueError, RecursionError) as exc:
            raise LockSyntaxError(number, exc, is_conflict=_is_conflict(each)) from exc


@dataclass
class LockSyntaxError(ValueError):
    """
    An invalid line of a lock, with its number and the error that describes it.
    """

    number: int
    reason: Exception
    is_conflict: bool = field(default=False, kw_only=True)


def _is_conflict(line: str) -> bool:
    """
    Return whether the line is a conflict marker of git.
    """
    return line.startswith(("<<<<<<<", "=======", ">>>>>>>", "|||||||"))
