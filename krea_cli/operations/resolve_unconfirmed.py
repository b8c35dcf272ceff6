"""
Resolve submissions whose response was lost.

Search for the job, suggest what to do, and ask the user at a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from krea_cli.errors import (
    Action,
    JournalError,
    KreaError,
    Step,
    UnconfirmedSubmissionError,
)
from krea_cli.jobs.job_refs import (
    other_service_hint,
    service_name,
    service_option_hint,
)

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.cli.next_steps import NextSteps
    from krea_cli.cli.prompter import Prompter
    from krea_cli.jobs.recovery import Recovery
    from krea_cli.jobs.run_tracker import RunTracker
    from krea_cli.journal.queries import JournalQueries
    from krea_cli.journal.record import Record
    from krea_cli.output.console import Console
    from krea_cli.runtime.clock import Clock

SEARCH_SECONDS = 30.0
# Even close to the deadline, allow time for one search of the job list.
MIN_SECONDS = 3.0
# Show at most this many candidates.
MAX_SHOWN = 10
_LEFT_OPEN = (
    "The request is still unconfirmed. If Krea accepted it, you will be billed."
)


def warn_unconfirmed(
    history: JournalQueries, console: Console, next_steps: NextSteps
) -> None:
    """
    Warn about earlier submissions that are still unconfirmed.
    """
    records = history.unconfirmed()
    if records:
        count = len(records)
        are, them = ("requests are", "them") if count > 1 else ("request is", "it")
        console.warn(
            f"{count} earlier {are} unconfirmed and may be billed. Check {them}: "
            f"{next_steps.recover()}"
        )


def note_other_service(history: JournalQueries, console: Console) -> None:
    """
    Where there are no jobs, say how to see those of another service.
    """
    if hint := other_service_hint(history):
        console.note(hint)


def warn_unconfirmed_elsewhere(history: JournalQueries, console: Console) -> None:
    """
    Warn about unconfirmed submissions to other services.
    """
    for other in history.unconfirmed_elsewhere():
        way = service_option_hint(other, current=history.service)
        console.warn(
            f"Requests to {service_name(other)} are unconfirmed, and not listed "
            f"here. To list them, {way}."
        )


class UnconfirmedResolver(NamedTuple):
    """
    Finds out what happened to unconfirmed submissions of this run and earlier ones.

    `report` shows an error with its hints. If `keeps_journal` is false, submissions
    cannot be resolved later. With `may_ask`, a user at a terminal is asked which job is
    theirs.
    """

    recovery: Recovery
    tracker: RunTracker
    console: Console
    prompter: Prompter
    clock: Clock
    report: Callable[[KreaError], object]
    keeps_journal: bool = True
    may_ask: bool = True

    def submit(self, submit: Callable[[], Job], *, deadline: float) -> Job:
        """
        Make a paid submission, and return its job.

        If it is unconfirmed, return the job that the user chooses.

        Raises:
            UnconfirmedSubmissionError: it stays unconfirmed. The error lists the
                candidates, and a command for each way to resolve it.
            KreaError: as in `jobs.submitter`.
        """
        try:
            with self.console.progress() as progress:
                progress.doing("Submitting")
                return submit()
        except UnconfirmedSubmissionError as exc:
            return self.resolve(exc, deadline)

    def resolve(self, error: UnconfirmedSubmissionError, deadline: float) -> Job:
        """
        Return the job of an unconfirmed submission.

        Raises:
            KreaError: as in `submit`.
        """
        records = self.tracker.summary().unconfirmed
        record = next((each for each in records if each.record == error.record), None)
        if record is None:
            # Another process submitted the same request, and its error says how to
            # resolve it.
            raise error
        found: list[Job] | None = None
        if isinstance(reason := error.__cause__, KreaError):
            self.console.note(
                f"{reason.message} Checking Krea's job list for this request."
            )
        try:
            found = self._search(record, deadline, error.submitted)
            details = describe_candidates(found)
        except KreaError as exc:
            details = [f"The search for its job failed: {exc.message}"]
        error = error.but(
            details=details,
            advice=self.recovery_steps(record, found),
            record=record.record if self.keeps_journal else None,
        )
        if not self._can_ask(record, found):
            raise error
        # Details shown with the question are not repeated.
        left_open = error.but(message=_LEFT_OPEN, details=())
        try:
            job = self._ask(error, record, found or (), deadline)
        except UnconfirmedSubmissionError as exc:
            # It was submitted again, so the earlier candidates are out of date.
            self.tracker.resolved(record)
            return self.resolve(exc, deadline)
        except JournalError:
            raise
        except KreaError as exc:
            self.report(exc)
            raise left_open from error.__cause__
        if job is None:
            raise left_open
        self.tracker.resolved(record)
        return job

    def recovery_steps(
        self, record: Record, candidates: Sequence[Job] | None
    ) -> tuple[Step, ...]:
        """
        Return every way to resolve a record. `candidates` is None if they are unknown.
        """
        if not self.keeps_journal:
            return (Step(Action.LIST_LOST),)
        if candidates:
            return _ways_to_link(record.record, candidates)
        look = Step(Action.LOOK_AGAIN)
        if candidates is None:
            # Nothing is known yet, and the record is the only trace of the request.
            return (look,)
        again = Step(Action.RESUBMIT, (record.record,))
        ways = [again] * self._may_resubmit(record)
        return (look, *ways, Step(Action.CLOSE, (record.record,)))

    def warn_of_other_token(self, record: Record) -> None:
        """
        Warn that the job list may belong to another account.
        """
        if self.recovery.has_other_token(record):
            self.console.warn(
                f"Request {record.record[:8]} was submitted with another API token. If "
                "that token belongs to another account, its job is not listed here."
            )

    def _search(
        self, record: Record, deadline: float, submitted: float | None
    ) -> list[Job]:
        now = self.clock.now()
        until = min(now + SEARCH_SECONDS, max(deadline, now + MIN_SECONDS))
        with self.console.progress() as progress:
            progress.doing("Checking Krea's job list (up to 30 s)")
            return self.recovery.search(record, until=until, submitted=submitted)

    def _may_resubmit(self, record: Record) -> bool:
        return record.is_complete and not self.recovery.has_other_token(record)

    def _can_ask(self, record: Record, candidates: Sequence[Job] | None) -> bool:
        """
        Return whether there is a user to ask and something to decide.
        """
        if not self.may_ask or not self.prompter.is_interactive or candidates is None:
            return False
        return bool(candidates) or self._may_resubmit(record)

    def _ask(
        self,
        error: UnconfirmedSubmissionError,
        record: Record,
        candidates: Sequence[Job],
        deadline: float,
    ) -> Job | None:
        """
        Return the job that the user chooses, or None to leave the record unconfirmed.
        """
        # The note about the search has named the reason.
        reason = getattr(error.__cause__, "message", "")
        self.console.warn(error.message.removeprefix(reason).lstrip())
        later = "Enter: decide later. The request stays unconfirmed."
        if not candidates:
            self.console.note(error.details[0])
            again = "yes: submit the request again. If Krea accepted the first one, "
            self.console.note(f"{again}both will be billed.")
            self.console.note(later)
            question = "Submit it again? It may be billed twice."
            if not self._choose(question, ["yes"]):
                return None
            return self.recovery.resubmit(record, deadline=deadline)
        for number, job in enumerate(candidates[:MAX_SHOWN], start=1):
            self.console.note(
                f"{number}: use job {_described(job, is_local=True)}. "
                "This costs nothing more."
            )
        self.console.note(later)
        shown = min(len(candidates), MAX_SHOWN)
        numbers = [str(n + 1) for n in range(shown)]
        answer = self._choose("Which job belongs to this request?", numbers)
        if not answer:
            return None
        return self.recovery.adopt(record, candidates[int(answer) - 1].job_id)

    def _choose(self, question: str, allowed: Sequence[str]) -> str:
        """
        Return one of the allowed answers.

        Return "" for Enter, and after three other answers.
        """
        for _ in range(3):
            answer = self.prompter.ask(
                f"{question} Type {' or '.join(allowed)}, or press Enter to decide "
                "later: "
            )
            if answer in ("", *allowed):
                return answer
            self.console.note(f"{answer!r} is not an answer to this question.")
        return ""


def _ways_to_link(record: str, candidates: Sequence[Job]) -> tuple[Step, ...]:
    """
    Return the steps for a request that has candidates.
    """
    if len(candidates) == 1:
        return (
            Step(Action.ADOPT, (record, candidates[0].job_id)),
            Step(Action.CLOSE_IF_NOT_YOURS, (record,)),
        )
    return (
        *[Step(Action.LIST_CANDIDATES)] * (len(candidates) > MAX_SHOWN),
        Step(Action.ADOPT_ONE, (record,)),
        Step(Action.CLOSE_IF_NONE_IS_YOURS, (record,)),
    )


def describe_candidates(candidates: Sequence[Job]) -> list[str]:
    """
    Return a line for each of the most likely candidates, or one that says that there
    are no candidates.
    """
    if not candidates:
        none = "Krea's job list shows no job that could belong to this request."
        return [f"{none} Krea probably did not accept it."]
    return [f"Possible match: {_described(job)}" for job in candidates[:MAX_SHOWN]]


def _described(job: Job, *, is_local: bool = False) -> str:
    """
    Describe a job by id, status and creation time.

    The time is as Krea reports it, or in the local time zone if `is_local` is set.
    """
    created = job.created_at or "at an unknown time"
    if is_local and job.created is not None:
        local = datetime.fromtimestamp(job.created).astimezone()
        created = f"{local:%Y-%m-%d %H:%M:%S}"
    return f"{job.job_id} ({job.status}, created {created})"
