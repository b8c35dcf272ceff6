"""
Choose how a run writes its output, based on options, streams and environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from krea_cli.output import github_actions, writers

if TYPE_CHECKING:
    from krea_cli.errors import KreaError
    from krea_cli.output.batch_progress import BatchProgress, BatchWork
    from krea_cli.output.progress import Progress
    from krea_cli.output.results.jobs import Result
    from krea_cli.output.streams import Stream


class Console(NamedTuple):
    """
    Writes results to standard output, and messages to standard error.
    """

    results: writers.ResultWriter
    messages: writers.MessageWriter
    stdout: Stream
    stderr: Stream
    # True if images may be shown next to the results.
    may_preview: bool
    # True if errors are written as annotations for GitHub Actions.
    annotates: bool = False

    @property
    def is_one_terminal(self) -> bool:
        """
        Return True if results and messages both go to a terminal.
        """
        return self.stdout.is_terminal and self.stderr.is_terminal

    def result(self, results: Sequence[Result]) -> None:
        """
        Write results to standard output.
        """
        self.results.result(results)

    def note(self, text: str) -> None:
        """
        Report a decision or a fact that is not a result.
        """
        self.messages.note(text)

    def delayed(self, text: str) -> None:
        """
        Report why requests have to wait.

        This may be called often: the first text becomes a note. Later ones appear in
        the spinner, or at most every thirty seconds.
        """
        self.messages.delayed(text)

    def log(self, text: str) -> None:
        """
        Write a line for --verbose.
        """
        self.messages.log(text)

    def warn(self, text: str) -> None:
        """
        Warn about something that the user should change. The command continues.
        """
        self.messages.warn(text)

    def error(self, error: KreaError) -> None:
        """
        Show an error with its hints.
        """
        if not self.annotates or isinstance(self.messages, writers.JsonMessages):
            self.messages.error(error)
        if self.annotates:
            self.stderr.write_command(github_actions.annotation(error))

    def progress(self) -> Progress:
        """
        Return a context manager that shows the progress of jobs.
        """
        return self.messages.progress()

    def batch_progress(self, work: BatchWork) -> BatchProgress:
        """
        Return a context manager that shows the progress of a batch.
        """
        return self.messages.batch_progress(work)

    def ask(self, question: str) -> None:
        """
        Ask a question. The answer is typed on the same line.
        """
        self.messages.ask(question)

    def hide(self, secret: str) -> None:
        """
        Replace the secret with *** in all further output.
        """
        self.stdout.hide(secret)
        self.stderr.hide(secret)

    def holds_secret(self, text: str) -> bool:
        """
        Return True if part of the text would be shown as ***.
        """
        return self.stderr.without_secrets(text) != text


def build_console(
    streams: tuple[Stream, Stream],
    env: Mapping[str, str],
    now: Callable[[], float],
    *,
    json: bool = False,
    quiet: bool = False,
    color: str = "auto",
) -> Console:
    """
    Build the console. `color` is auto, always or never.

    Color and animation are separate decisions: a log may have color, but never
    animation.
    """
    stdout, stderr = streams
    is_colored = {"always": True, "never": False}.get(color)
    if is_colored is None and env.get("NO_COLOR"):
        is_colored = False
    elif is_colored is None and env.get("FORCE_COLOR"):
        is_colored = True
    is_dumb = env.get("TERM") == "dumb"
    is_plain = bool(env.get("CI")) or is_dumb
    is_watched = stderr.is_terminal and not env.get("CI")
    animates = is_watched and not is_dumb
    shows = stdout.is_terminal and not quiet and not json
    results: writers.ResultWriter
    messages: writers.MessageWriter
    if json:
        results = writers.JsonResultWriter(stdout)
        messages = writers.JsonMessages(stderr, now)
    else:
        results = (
            writers.HumanResultWriter(stdout, color=is_colored)
            if shows
            else writers.PlainResultWriter(stdout)
        )
        if quiet:
            messages = writers.QuietMessages(stderr, now)
        elif is_watched or is_colored:
            messages = writers.TerminalMessages(
                stderr, now, color=is_colored, animates=animates
            )
        else:
            messages = writers.MessageWriter(stderr, now)
    may_preview = shows and not is_plain and not env.get("NO_PREVIEW")
    return Console(results, messages, stdout, stderr, may_preview)
