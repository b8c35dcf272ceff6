"""
Every failure a user can act on, and the exit code it ends the program with.

* KreaError
  x UsageError
    - ConfigError, UnknownModelError, InvalidRequestError, InputError,
      UnknownJobError, LastInDoubtError, RefusedError
  x JobFailedError
    - NoResultError, JobGoneError, AlreadyEndedError
  x NoTokenError
    - TokenRejectedError, KeyringError
  x BalanceError
    - CostError
  x ServiceError
    - UnreachableError, LostAnswerError, AnswerError, ServerFaultError, RateLimitError,
      NotShownError
  x StorageError
    - TargetExistsError, DownloadError, ConversionError, UnexpectedResultError,
      JournalError
  x StillRunningError
  x JobCancelledError
  x UnknownSubmissionError
    - JobTakenError
  x SeveralError
  x SignalError
  x BugError
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from krea_cli.api.resources import SavedFile


class ExitCode(IntEnum):
    """
    Part of the public interface: scripts rely on these numbers.
    """

    OK = 0
    BUG = 1
    USAGE = 2
    JOB_FAILED = 3
    TOKEN = 4
    BALANCE = 5
    SERVICE = 6
    STORAGE = 7
    STILL_RUNNING = 8
    PARTIAL = 9
    CANCELLED = 10
    UNKNOWN = 11
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class KreaError(Exception):
    """
    An expected failure: shown as one message, never as a traceback.

    *hint* is the next thing to do, best of all a command to paste at the end of a line;
    *job_id* is the
    job that the failure is about, when there is one, *record* the paid request of which
    it is not known whether it has one; *details* are told one a line.
    """

    code: ClassVar[str]
    exit_code: ExitCode
    record: str | None = None

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        job_id: str | None = None,
        details: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.job_id = job_id
        self.details = details

    @property
    def hints(self) -> list[str]:
        """
        The lines of the hint, at most one command in each.
        """
        return self.hint.splitlines() if self.hint else []

    def add_hint(self, hint: str) -> None:
        self.hint = "\n".join([*self.hints, hint])


class UsageError(KreaError):
    code = "usage"
    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    code = "config"


class UnknownModelError(UsageError):
    code = "unknown_model"


class InvalidRequestError(UsageError):
    """
    The model would refuse the request; *details* has every fault.
    """

    code = "invalid_request"


class InputError(UsageError):
    """
    A file or URL given as input cannot be used.
    """

    code = "input"


class UnknownJobError(UsageError):
    code = "unknown_job"


class LastInDoubtError(UnknownJobError):
    code = "last_in_doubt"


class RefusedError(UsageError):
    """
    The service did not accept the request (400, 404, 410, 422): nothing was billed.

    *status* is the HTTP status that said so.
    """

    code = "refused"
    status = 0


class JobFailedError(KreaError):
    code = "job_failed"
    exit_code = ExitCode.JOB_FAILED


class NoResultError(JobFailedError):
    """
    A job ended as completed without anything to download.
    """

    code = "no_result"


class JobGoneError(JobFailedError):
    """
    The service took a job, and knows it no more.
    """

    code = "gone"


class AlreadyEndedError(JobFailedError):
    """
    A job that was to be cancelled is completed or failed.
    """

    code = "already_ended"


class NoTokenError(KreaError):
    code = "no_token"
    exit_code = ExitCode.TOKEN


class TokenRejectedError(NoTokenError):
    code = "token_rejected"


class KeyringError(NoTokenError):
    code = "keyring"


class BalanceError(KreaError):
    code = "balance"
    exit_code = ExitCode.BALANCE


class CostError(BalanceError):
    """
    The estimate is above what the user allows, or there is none.
    """

    code = "cost"


class ServiceError(KreaError):
    """
    The service cannot be used just now; what happened is known: try again.

    *retry_after* is what it asked to wait, in seconds.
    """

    code = "service"
    exit_code = ExitCode.SERVICE
    retry_after: float | None = None


class UnreachableError(ServiceError):
    """
    No connection came about: nothing was sent.
    """

    code = "unreachable"


class LostAnswerError(ServiceError):
    """
    The request left, and the connection broke or was silent before the answer came.
    """

    code = "lost_answer"


class ServerFaultError(ServiceError):
    """
    The service answered with a fault of its own (5xx, 408).
    """

    code = "server_fault"


class AnswerError(ServiceError):
    """
    The service answered something that is not of its own documents.
    """

    code = "answer"


class RateLimitError(ServiceError):
    code = "rate_limit"


class NotShownError(ServiceError):
    """
    The service took a job a moment ago, and does not show it yet.
    """

    code = "not_shown"


class StorageError(KreaError):
    code = "storage"
    exit_code = ExitCode.STORAGE


class ConversionError(StorageError):
    """
    A result is on disk as *kept*, under another name: it cannot become what its name
    says.
    """

    code = "conversion"

    def __init__(self, reason: str, *, kept: SavedFile) -> None:
        super().__init__(
            f"{reason} It is there as it came: {kept.path}",
            hint="Nothing is paid again to save it under another name.",
        )
        self.kept = kept


class UnexpectedResultError(StorageError):
    """
    A result is on disk, and is not what the user said that it must be.
    """

    code = "unexpected_result"


class TargetExistsError(StorageError):
    code = "target_exists"


class DownloadError(StorageError):
    """
    With *is_final* the same download fails however often it is tried again.
    """

    code = "download"

    def __init__(
        self, message: str, *, hint: str | None = None, is_final: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.is_final = is_final


class JournalError(StorageError):
    code = "journal"


class StillRunningError(KreaError):
    code = "still_running"
    exit_code = ExitCode.STILL_RUNNING


class JobCancelledError(KreaError):
    code = "cancelled"
    exit_code = ExitCode.CANCELLED


class UnknownSubmissionError(KreaError):
    """
    The request left, its answer did not arrive: there may be a job, and a bill.
    """

    code = "unknown_submission"
    exit_code = ExitCode.UNKNOWN


class JobTakenError(UnknownSubmissionError):
    """
    The service answered a request with the job of another one, whose id is *taken_id*.
    """

    code = "job_taken"
    taken_id = ""


class SeveralError(KreaError):
    """
    More than one job, and not all went well: *errors* has what went wrong with each.
    """

    code = "several"
    exit_code = ExitCode.PARTIAL

    def __init__(self, errors: Sequence[KreaError], *, succeeded: int) -> None:
        count = len(errors) + succeeded
        super().__init__(f"{len(errors)} of {count} jobs did not end as asked for.")
        self.errors = errors
        self.exit_code = _together([error.exit_code for error in errors], succeeded)


def _together(codes: Sequence[ExitCode], succeeded: int) -> ExitCode:
    """
    One code for several endings: what the user must act on first wins.
    """
    for urgent in _URGENT:
        if urgent in codes:
            return urgent
    if succeeded:
        return ExitCode.PARTIAL
    return codes[0] if len(set(codes)) == 1 else ExitCode.JOB_FAILED


_URGENT = (
    ExitCode.UNKNOWN,
    ExitCode.TOKEN,
    ExitCode.BALANCE,
    ExitCode.BUG,
    ExitCode.STORAGE,
    ExitCode.SERVICE,
    ExitCode.STILL_RUNNING,
)


class SignalError(KreaError):
    """
    A signal ended the run; the exit code is 128 + its number.
    """

    code = "interrupted"

    def __init__(self, signum: int) -> None:
        super().__init__(f"Interrupted by {Signals(signum).name}.")
        self.exit_code = ExitCode(128 + signum)


class BugError(KreaError):
    code = "bug"
    exit_code = ExitCode.BUG

    def __init__(self, what: str, exc: Exception, *, hint: str) -> None:
        from traceback import extract_tb

        last = extract_tb(exc.__traceback__)[-1]
        place = f"{Path(last.filename).name}, line {last.lineno}"
        reason = " ".join(str(exc).split())[:300]
        super().__init__(
            f"{what}: {type(exc).__name__}: {reason} ({place}).", hint=hint
        )
