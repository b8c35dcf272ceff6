"""
The lines of a lock: what was paid for, and which files came of it.

Any union of locks is a lock.  The order of lines and repeated lines change nothing, so
`cat`, git's merge=union and a shard's artifact all merge locks as they should.
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
# Within a job or an unconfirmed record: a later one replaces an earlier one.
_PROGRESS = {
    "unconfirmed": 0,
    "closed": 1,
    "submitted": 2,
    "cancelled": 3,
    "failed": 4,
    "completed": 5,
}
# Among the jobs of one attempt: the best one counts.
_WORTH = {
    "completed": 4,
    "submitted": 3,
    "unconfirmed": 2,
    "failed": 1,
    "cancelled": 0,
}
# What may be on the bill.
BILLED = frozenset({"completed", "submitted", "unconfirmed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """
    A result on disk: *received_sha256* is of what the service gave, which a converted
    file is not any more.
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
        Raises:
            ValueError: it is not a file.
        """
        values = {name: value.get(name) for name in cls.__slots__}
        if not all(isinstance(values[name], str) for name in ("path", "sha256")):
            raise ValueError("a file has no path or no sha256")
        return cls(**{name: each for name, each in values.items() if each is not None})


@dataclass(frozen=True, kw_only=True)
class LockLine:
    """
    One item and one job of it, or one request of which it is not known whether it has a
    job.
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
        Return the key of the payment: one, however many outputs share it.
        """
        return (self.service, self.job or f"record {self.record}")

    @property
    def counts(self) -> bool:
        """
        Tell whether there is or may be a job.
        """
        return self.state != "closed"

    @cached_property
    def text(self) -> str:
        """
        The line as it stands in the file, without its end.
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
        Raises:
            ValueError: it is not a line of a lock, or of a newer krea.
        """
        version = value.get("v")
        if isinstance(version, int) and version > VERSION:
            raise NewerLockError
        for name in ("source", "output", "key", "state", "service", "at", "record"):
            if not isinstance(value.get(name), str):
                raise ValueError(f"{name} is missing")  # noqa: TRY004  (one kind)
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
        # It becomes a part of the address that is asked for the job.
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
        The line with hashes instead of prompts.
        """
        bare = Identity(
            request=self.identity.without_prompts(), inputs=self.identity.inputs
        )
        return replace(self, identity=bare)

    @property
    def rank(self) -> tuple[Any, ...]:
        """
        The higher one of two lines about the same output of the same job stays.
        """
        whole = canonical(self.as_json())
        return (_PROGRESS[self.state], self.at, len(self.files), whole)


class NewerLockError(ValueError):
    """
    A line was written by a newer krea.
    """


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    items = value.get(name)
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise ValueError(f"{name} is not a list")
    return items


def merged(lines: Iterable[LockLine]) -> list[LockLine]:
    """
    The lines that count, sorted: one for each output and job.

    Within one job completed, failed and cancelled beat submitted; a job, or that it was
    closed, beats that a request is unconfirmed.
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
    Return the lines that tell more of a payment than the *known* ones, as lines of
    *output* with its own files.
    """
    progress: dict[tuple[str, str], int] = {}
    for line in known:
        for payment in (line.payment, (line.service, f"record {line.record}")):
            progress[payment] = max(progress.get(payment, -1), _PROGRESS[line.state])
    found = []
    for line in lines:
        # Its process is still submitting it, and will say how that ends.
        is_in_flight = line.state == "submitted" and line.job is None
        if is_in_flight or progress.get(line.payment, -1) >= _PROGRESS[line.state]:
            continue
        is_here = any(file.path == output for file in line.files)
        files = line.files if is_here else ()
        found.append(replace(line, output=output, files=files))
    return found


def rebased(line: LockLine, prefix: str) -> LockLine:
    """
    The line of a lock in another folder, which is at *prefix* from here.
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
    The lines of one service, ready to be asked.

    *lines* are those of the lock itself, *others* those of the locks that it uses as a
    cache: results of these are known, and belong to somebody else.
    """

    lines: tuple[LockLine, ...] = ()
    others: tuple[LockLine, ...] = ()

    @classmethod
    def of(
        cls, lines: Iterable[LockLine], service: str, *, others: Iterable[LockLine] = ()
    ) -> Lock:
        """
        The lock of one service: lines of any other do not count.
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
        The state of each job: one of its outputs may have heard of its end earlier.
        """
        states: dict[tuple[str, str], str] = {}
        for line in (*self.lines, *self.others):
            known = states.get(line.payment, line.state)
            states[line.payment] = max(known, line.state, key=_PROGRESS.__getitem__)
        return states

    def has_completed(self, line: LockLine) -> bool:
        """
        Tell whether the lock itself knows that the job of the line has completed.
        """
        return self._job_states.get(line.payment) == "completed"

    def matching(
        self, identity: Identity, keys: Mapping[str, Collection[str]] | None = None
    ) -> list[LockLine]:
        """
        The lines of the same request that count, as `history` has them.
        """
        return [line for line in self.history(identity, keys) if line.counts]

    def history(
        self, identity: Identity, keys: Mapping[str, Collection[str]] | None = None
    ) -> list[LockLine]:
        """
        All lines of the same request, what counts first: the highest attempt, and
        within it the best; then the closed ones, which do not count.
        """
        found = [
            self._as_known(line)
            for line in self._by_shape.get(identity.shape, ())
            if identity.is_same(line.identity, keys)
        ]
        return sorted(found, key=_worth, reverse=True)

    def of_output(self, output: str) -> list[LockLine]:
        """
        The lines of an output, whatever was asked for, the newest first.
        """
        found = [self._as_known(line) for line in self._by_output.get(output, ())]
        return sorted(found, key=lambda line: (line.at, line.text), reverse=True)

    def _as_known(self, line: LockLine) -> LockLine:
        state = self._job_states[line.payment]
        return line if state == line.state else replace(line, state=state)

    def spent_usd(self) -> float:
        """
        Return the USD that the lock records as paid or about to be paid, each job once.
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
        The time of the last line, None without any.
        """
        return max((line.at for line in self.lines), default=None)


def _worth(line: LockLine) -> tuple[Any, ...]:
    worth = _WORTH.get(line.state, -1)
    return (line.counts, line.attempt, worth, line.at, line.text)


def parse_lines(text: str) -> Iterator[tuple[int, LockLine]]:
    """
    The lines of a file with their numbers.

    Raises:
        LockSyntaxError: a line is not one; it says which.
    """
    for number, each in enumerate(text.split("\n"), start=1):
        if not each.strip():
            continue
        try:
            value = json.loads(each)
            if not isinstance(value, dict):
                raise ValueError("it is not an object")  # noqa: TRY004, TRY301  (one kind)
            yield number, LockLine.from_json(value)
        except (ValueError, RecursionError) as exc:
            raise LockSyntaxError(number, exc, is_conflict=_is_conflict(each)) from exc


@dataclass
class LockSyntaxError(ValueError):
    number: int
    reason: Exception
    is_conflict: bool = field(default=False, kw_only=True)


def _is_conflict(line: str) -> bool:
    """
    Tell whether git left the line as a conflict marker.
    """
    return line.startswith(("<<<<<<<", "=======", ">>>>>>>", "|||||||"))
