"""
Write results and messages in the format that suits their reader.

Commands report what happened; only this package knows the format. Results go to
standard output, everything else to standard error. Readers are people at a terminal,
pipes and logs, or programs that parse JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from krea_cli.output.escape import escape_control_chars, single_line
from krea_cli.output.github_actions import neutralize_json
from krea_cli.output.progress import HEARTBEAT_SECONDS, LineProgress, Progress

if TYPE_CHECKING:
    from krea_cli.errors import KreaError
    from krea_cli.output.batch_progress import BatchProgress, BatchWork
    from krea_cli.output.human.batch_bar import BatchBar
    from krea_cli.output.human.rich_console import RichConsole
    from krea_cli.output.human.spinner import Spinner
    from krea_cli.output.results.jobs import Result
    from krea_cli.output.streams import Stream

_LONE_SURROGATE = "[\ud800-\udfff]"


class ResultWriter(Protocol):
    """
    Writes results.
    """

    def result(self, results: Sequence[Result]) -> None: ...


class PlainResultWriter:
    """
    Writes one line for each path, id or row.
    """

    def __init__(self, stdout: Stream) -> None:
        self._stdout = stdout

    def result(self, results: Sequence[Result]) -> None:
        for result in results:
            for line in result.plain:
                self._stdout.write_line(escape_control_chars(line))


class JsonResultWriter:
    """
    Writes one ASCII JSON object per line.
    """

    def __init__(self, stdout: Stream) -> None:
        self._stdout = stdout

    def result(self, results: Sequence[Result]) -> None:
        for result in results:
            self._stdout.write_line(_dumped(result.as_json()))


class HumanResultWriter:
    """
    Writes a table or summary, drawn by rich.
    """

    def __init__(self, stdout: Stream, *, color: bool | None) -> None:
        self._stdout = stdout
        self._color = color

    def result(self, results: Sequence[Result]) -> None:
        from krea_cli.output.human.rich_console import RichConsole

        if results:
            RichConsole(self._stdout, color=self._color).draw(results)


class MessageWriter:
    """
    Writes messages as plain lines, for logs.
    """

    def __init__(self, stderr: Stream, now: Callable[[], float]) -> None:
        self._stderr = stderr
        self._now = now
        self._delayed_at: float | None = None

    def note(self, text: str) -> None:
        self._stderr.write_line(single_line(text))

    def delayed(self, text: str) -> None:
        now = self._now()
        if self._delayed_at is None or now - self._delayed_at >= HEARTBEAT_SECONDS:
            self._delayed_at = now
            self.note(text)

    def log(self, text: str) -> None:
        self._stderr.write_line(single_line(text))

    def warn(self, text: str) -> None:
        self._stderr.write_line(f"warning: {single_line(text)}")

    def error(self, error: KreaError) -> None:
        self._stderr.write_line(f"error: {single_line(error.message)}")
        for detail in error.details:
            self._stderr.write_line(f"  {single_line(detail)}")
        for hint in error.hints:
            self._stderr.write_line(f"hint: {single_line(hint)}")

    def ask(self, question: str) -> None:
        self._stderr.write(escape_control_chars(question))

    def progress(self) -> Progress:
        return LineProgress(self._stderr.write_line, self._now)

    def batch_progress(self, work: BatchWork) -> BatchProgress:
        from krea_cli.output.batch_progress import BatchCounts, BatchLines

        return BatchLines(BatchCounts(work, self._now), self.note)


class QuietMessages(MessageWriter):
    """
    Writes only warnings and errors.
    """

    def note(self, text: str) -> None:
        pass

    def progress(self) -> Progress:
        return Progress()

    def batch_progress(self, _: BatchWork) -> BatchProgress:
        from krea_cli.output.batch_progress import BatchProgress

        return BatchProgress()


class JsonMessages(QuietMessages):
    """
    Writes warnings and errors as JSON, one object per line.
    """

    def log(self, text: str) -> None:
        self._say({"log": {"message": text}})

    def warn(self, text: str) -> None:
        self._say({"warning": {"message": text}})

    def error(self, error: KreaError) -> None:
        self._say(
            {
                "error": {
                    "code": error.code,
                    "message": error.message,
                    "details": list(error.details),
                    "hint": error.hint,
                    "exit_code": int(error.exit_code),
                    "job_id": error.job_id,
                    "record": error.record,
                }
            }
        )

    def _say(self, data: Mapping[str, Any]) -> None:
        self._stderr.write_line(_dumped(data))


def _dumped(data: Mapping[str, Any]) -> str:
    import json

    text = json.dumps(data)
    if "\\ud" in text:
        # Many JSON parsers reject lone surrogates, which come from file names that are
        # not UTF-8.
        bare = json.dumps(data, ensure_ascii=False)
        whole = re.sub(_LONE_SURROGATE, "\ufffd", bare)
        text = json.dumps(json.loads(whole))
    return neutralize_json(text)


class TerminalMessages(MessageWriter):
    """
    Writes in color and, if `animates` is set, with a spinner while waiting.
    """

    def __init__(
        self,
        stderr: Stream,
        now: Callable[[], float],
        *,
        color: bool | None,
        animates: bool,
    ) -> None:
        super().__init__(stderr, now)
        self._color = color
        self._animates = animates
        self._spinner: Spinner | BatchBar | None = None

    @cached_property
    def _screen(self) -> RichConsole:
        from krea_cli.output.human.rich_console import RichConsole

        # All messages share one console, because it must know whether a spinner is
        # active.
        return RichConsole(self._stderr, color=self._color)

    def note(self, text: str) -> None:
        self._screen.say("", text, "dim")

    def delayed(self, text: str) -> None:
        if self._spinner and self._delayed_at is not None:
            self._spinner.delayed(text)
        else:
            super().delayed(text)

    def log(self, text: str) -> None:
        self._screen.say("", text, "dim")

    def warn(self, text: str) -> None:
        self._screen.say("warning: ", text, "yellow")

    def error(self, error: KreaError) -> None:
        self._screen.say("error: ", error.message, "bold red")
        for detail in error.details:
            self._screen.say("  ", detail, "")
        for hint in error.hints:
            self._screen.say("hint: ", hint, "cyan")

    def ask(self, question: str) -> None:
        self._screen.ask(question)

    def progress(self) -> Progress:
        if self._animates:
            self._spinner = spinner = self._screen.spinner(self._now)
            return spinner
        return super().progress()

    def batch_progress(self, work: BatchWork) -> BatchProgress:
        from krea_cli.output.batch_progress import BatchCounts

        if self._animates:
            counts = BatchCounts(work, self._now)
            self._spinner = bar = self._screen.batch_bar(counts, self.note)
            return bar
        return super().batch_progress(work)
