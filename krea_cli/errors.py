"""
Every failure a user can act on, and the exit code it ends the program with.

* KreaError
  x UsageError
    - ConfigError, UnknownModelError, InvalidRequestError, InputError,
      UnknownJobError, LastSubmissionUnconfirmedError, NotFoundError,
      RequestRejectedError
  x JobFailedError
    - EmptyResultError, JobDeletedError, JobAlreadyFinishedError
  x NoTokenError
    - TokenRejectedError, KeyringError
  x BalanceError
    - CostError
  x ServiceError
    - ConnectionFailedError, InvalidResponseError, ServerError, RateLimitError,
      JobNotVisibleYetError, ResponseLostError, ExhaustedError
  x StorageError
    - TargetError
      - TargetExistsError
    - DownloadError
      - TooLargeError, UnsupportedResultError
    - ConversionError, ExpectationFailedError, UnsavedResultsError, JournalError
  x WaitTimeoutError
  x JobCancelledError
  x UnconfirmedSubmissionError
    - DuplicateJobIdError
  x OutOfDateError
  x CombinedError
  x SignalError
  x BugError
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, IntEnum, auto
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

if TYPE_CHECKING:
    from krea_cli.api.models import SavedFile


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
    OUT_OF_DATE = 12
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class Action(Enum):
    """
    Next steps for the user that have a command.
    """

    KEEP_WAITING = auto()
    WAIT_FOR_FIRST = auto()
    SAVE_LATER = auto()
    SAVE_ALL_LATER = auto()
    FIND_SAVED = auto()
    FIND_ALL_SAVED = auto()
    STOP = auto()
    STOP_ALL = auto()
    COLLECT = auto()
    GET_FIRST = auto()
    COLLECT_UNRECORDED = auto()
    COLLECT_ELSEWHERE = auto()
    DOWNLOAD = auto()
    DOWNLOAD_ELSEWHERE = auto()
    DOWNLOAD_LARGER = auto()
    DOWNLOAD_COMPLETED = auto()
    DOWNLOAD_FOREIGN = auto()
    SHOW_URLS = auto()
    ASK_SERVICE = auto()
    CHECK_AGAIN = auto()
    CANCEL = auto()
    CANCEL_REST = auto()
    LIST_REMOTE = auto()
    LOG_IN = auto()
    PIPE_TOKEN = auto()
    SETTLE = auto()
    SETTLE_THERE = auto()
    FIND_LOST = auto()
    LIST_LOST = auto()
    LOOK_AGAIN = auto()
    LIST_UNCONFIRMED = auto()
    SETTLE_FIRST = auto()
    ADOPT = auto()
    ADOPT_ONE = auto()
    RESUBMIT = auto()
    CLOSE = auto()
    CLOSE_IF_NOT_YOURS = auto()
    CLOSE_IF_NONE_IS_YOURS = auto()
    FORGET_DAMAGED = auto()
    FORGET_ANYWAY = auto()
    LOOK_FOR_JOB = auto()
    REPLAY = auto()
    EDIT_FOLDER = auto()
    SHOW_FIELDS = auto()
    LIST_MODELS = auto()
    LIST_STYLES = auto()
    LIST_ASSETS = auto()

    REFRESH_MODELS = auto()
    UNSET = auto()
    CHECK_TOKEN_COMMAND = auto()
    SET_TOKEN_COMMAND = auto()
    LIST_CANDIDATES = auto()
    LIST_URLS = auto()


class Step(NamedTuple):
    """
    A next step as a fact: an action and its subject, such as job ids.

    `cli.next_steps` converts it to a line with a command.
    """

    action: Action
    about: tuple[str, ...] = ()


# A line of a hint: a sentence, or a step to be converted to one.
Hint = str | Step


class KreaError(Exception):
    """
    An expected failure, shown as one message instead of a traceback.

    `hint` says what to do next, one step per line. `job_id` is the job concerned,
    `record` the request whose response was lost. `details` are shown one per line.
    Errors are immutable: `but` returns a changed copy.
    """

    code: ClassVar[str]
    exit_code: ExitCode

    def __init__(
        self,
        message: str,
        *,
        hint: Hint | Sequence[Hint] | None = None,
        job_id: str | None = None,
        record: str | None = None,
        details: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = tuple(_lines(hint))
        self.job_id = job_id
        self.record = record
        self.details = details

    @property
    def hints(self) -> list[str]:
        """
        The hint lines that are sentences.
        """
        return [line for line in self.advice if isinstance(line, str)]

    @property
    def hint(self) -> str | None:
        return "\n".join(self.hints) or None

    def but(self, *hints: Hint, **facts: Any) -> Self:
        """
        Return a copy with other `facts`, and with `hints` added at the end.
        """
        error = type(self).__new__(type(self), *self.args)
        error.__dict__.update(self.__dict__, **facts)
        error.__dict__["advice"] = (*error.advice, *_lines(hints))
        error.__cause__, error.__context__ = self.__cause__, self.__context__
        error.__suppress_context__ = self.__suppress_context__
        return error.with_traceback(self.__traceback__)


def _lines(hint: Hint | Sequence[Hint] | None) -> Iterator[Hint]:
    given = [hint] if isinstance(hint, str | Step) else hint or ()
    for each in given:
        if isinstance(each, Step):
            yield each
        else:
            yield from each.splitlines()


class UsageError(KreaError):
    code = "usage"
    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    code = "config"


class UnknownModelError(UsageError):
    code = "unknown_model"


class InvalidRequestError(UsageError):
    """
    The request violates the model's schema. `details` lists every violation.
    """

    code = "invalid_request"


class InputError(UsageError):
    """
    An input file or URL cannot be used.
    """

    code = "input"


class UnknownJobError(UsageError):
    code = "unknown_job"


class NotFoundError(UsageError):
    code = "not_found"


class LastSubmissionUnconfirmedError(UnknownJobError):
    code = "last_in_doubt"


class RequestRejectedError(UsageError):
    """
    Krea rejected the request with `status` (400, 404, 410 or 422). Nothing was billed.
    """

    code = "refused"

    def __init__(self, message: str, *, status: int = 0, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.status = status


class JobFailedError(KreaError):
    code = "job_failed"
    exit_code = ExitCode.JOB_FAILED


class EmptyResultError(JobFailedError):
    """
    A job is completed, but has no results.
    """

    code = "no_result"


class JobDeletedError(JobFailedError):
    """
    Krea accepted a job, but no longer has it.
    """

    code = "gone"


class JobAlreadyFinishedError(JobFailedError):
    """
    A job cannot be cancelled, because it has completed or failed.
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
    The estimate exceeds the user's limit, or is unknown.
    """

    code = "cost"


class ServiceError(KreaError):
    """
    Krea cannot be used at the moment; trying again may help.

    The state of the request is known. `retry_after` is the wait in seconds that Krea
    asked for.
    """

    code = "service"
    exit_code = ExitCode.SERVICE

    def __init__(
        self, message: str, *, retry_after: float | None = None, **facts: Any
    ) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class ConnectionFailedError(ServiceError):
    """
    No connection could be made. Nothing was sent.
    """

    code = "unreachable"


class ResponseLostError(ServiceError):
    """
    The request was sent, but the connection broke or timed out before the response.
    """

    code = "lost_answer"


class ServerError(ServiceError):
    """
    Krea responded with an error of its own (5xx or 408).
    """

    code = "server_fault"


class InvalidResponseError(ServiceError):
    """
    Krea's response does not have the documented format.

    `is_lasting` means that the same request would get the same response.
    """

    code = "answer"

    def __init__(self, message: str, *, is_lasting: bool = False, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.is_lasting = is_lasting


class RateLimitError(ServiceError):
    code = "rate_limit"


class ExhaustedError(ServiceError):
    """
    This machine has run out of threads, open files or memory.

    The operation that failed for this reason has not sent anything.
    """

    code = "exhausted"


class JobNotVisibleYetError(ServiceError):
    """
    Krea accepted the job a moment ago, but does not show it yet.
    """

    code = "not_shown"


class StorageError(KreaError):
    code = "storage"
    exit_code = ExitCode.STORAGE


class ConversionError(StorageError):
    """
    A result could not be converted to the type in its name. It is saved as `kept`.
    """

    code = "conversion"

    def __init__(self, reason: str, *, kept: SavedFile) -> None:
        super().__init__(
            f"{reason} Saved unconverted: {kept.path}",
            hint=f"{kept.path} is the original file. Downloading it again is free.",
        )
        self.kept = kept


class ExpectationFailedError(StorageError):
    """
    A saved result does not meet the user's expectations (--expect).
    """

    code = "unexpected_result"


class UnsavedResultsError(StorageError):
    """
    A job has more results than krea saves. The saved ones are kept.
    """

    code = "unsaved_results"
    exit_code = ExitCode.PARTIAL


class TargetError(StorageError):
    """
    A result cannot be saved at the given location. Another one may work.
    """


class TargetExistsError(TargetError):
    code = "target_exists"


class DownloadError(StorageError):
    """
    A result cannot be downloaded, or the downloaded data is not a valid result.

    `is_lasting` means that another download would fail in the same way.
    """

    code = "download"

    def __init__(self, message: str, *, is_lasting: bool = False, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.is_lasting = is_lasting


class TooLargeError(DownloadError):
    """
    A result is larger than allowed. `size_bytes` is its size, if known.
    """

    def __init__(self, message: str, *, size_bytes: int | None, **facts: Any) -> None:
        super().__init__(message, is_lasting=True, **facts)
        self.size_bytes = size_bytes


class UnsupportedResultError(DownloadError):
    """
    This version cannot save the result, even with another download.

    `hint` contains its full URL.
    """

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message, is_lasting=True, **facts)


class JournalError(StorageError):
    code = "journal"


class WaitTimeoutError(KreaError):
    code = "still_running"
    exit_code = ExitCode.STILL_RUNNING


class JobCancelledError(KreaError):
    code = "cancelled"
    exit_code = ExitCode.CANCELLED


class UnconfirmedSubmissionError(KreaError):
    """
    The request was sent, but no response arrived: there may be a job, which is billed.

    `submitted` is when it was sent, by the monotonic clock.
    """

    code = "unknown_submission"
    exit_code = ExitCode.UNKNOWN

    def __init__(
        self, message: str, *, submitted: float | None = None, **facts: Any
    ) -> None:
        super().__init__(message, **facts)
        self.submitted = submitted


class DuplicateJobIdError(UnconfirmedSubmissionError):
    """
    Krea responded to a request with the id of another request's job, `taken_id`.
    """

    code = "job_taken"

    def __init__(self, message: str, *, taken_id: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.taken_id = taken_id


class OutOfDateError(KreaError):
    """
    `krea batch --check` found work to do.
    """

    code = "out_of_date"
    exit_code = ExitCode.OUT_OF_DATE


class CombinedError(KreaError):
    """
    Several jobs, at least one of which failed. `errors` has the error of each. `noun`
    says what they are, if not jobs.
    """

    code = "several"
    exit_code = ExitCode.PARTIAL

    def __init__(
        self, errors: Sequence[KreaError], *, succeeded: int, noun: str = "job"
    ) -> None:
        count = len(errors) + succeeded
        failed = all(isinstance(error, JobFailedError) for error in errors)
        have = "has an error" if len(errors) == 1 else "have errors"
        outcome = "failed." if failed else f"{have}, shown above."
        super().__init__(f"{len(errors)} of {count} {noun}s {outcome}")
        self.errors = errors
        self.exit_code = _together([error.exit_code for error in errors], succeeded)


def _together(codes: Sequence[ExitCode], succeeded: int) -> ExitCode:
    """
    Return one exit code for several outcomes. The one that most needs action wins.
    """
    for urgent in _URGENT:
        if urgent in codes:
            return urgent
    if succeeded or ExitCode.PARTIAL in codes:
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
    A signal ended the run. The exit code is 128 + `signum`.
    """

    code = "interrupted"

    def __init__(self, signum: int) -> None:
        name = Signals(signum).name
        super().__init__("Interrupted." if name == "SIGINT" else f"Stopped by {name}.")
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
