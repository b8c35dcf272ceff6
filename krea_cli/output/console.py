"""
Which form a run speaks in: by its flags, its streams and its environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from krea_cli.output import github_actions, writers

if TYPE_CHECKING:
    from krea_cli.errors import KreaError
    from krea_cli.output.progress import Progress
    from krea_cli.output.results.jobs import Result
    from krea_cli.output.streams import Stream


class Console(NamedTuple):
    """
    All that a command needs to tell something.
    """

    results: writers.ResultWriter
    talk: writers.MessageWriter
    stdout: Stream
    stderr: Stream
    # Whether pictures may be shown beside the results.
    may_preview: bool
    # Whether errors are annotations of GitHub Actions.
    annotates: bool = False

    def result(self, results: Sequence[Result]) -> None:
        """
        What the command has to tell, on standard output.
        """
        self.results.result(results)

    def note(self, text: str) -> None:
        """
        What a person may want to know beside it.
        """
        self.talk.note(text)

    def delayed(self, text: str) -> None:
        """
        Why requests have to wait, which may be told again and again: once as `note`,
        then where a spinner has room for it, or every thirty seconds.
        """
        self.talk.delayed(text)

    def log(self, text: str) -> None:
        """
        What was asked for with --verbose.
        """
        self.talk.log(text)

    def warn(self, text: str) -> None:
        """
        What the user should change, though the work goes on.
        """
        self.talk.warn(text)

    def error(self, error: KreaError) -> None:
        """
        What did not work, and what to do next.
        """
        if not self.annotates or isinstance(self.talk, writers.JsonMessages):
            self.talk.error(error)
        if self.annotates:
            self.stderr.write_command(github_actions.annotation(error))

    def progress(self) -> Progress:
        """
        Where jobs are while they are waited for; a context manager.
        """
        return self.talk.progress()

    def ask(self, question: str) -> None:
        """
        What a person is to answer on the same line.
        """
        self.talk.ask(question)

    def hide(self, secret: str) -> None:
        """
        From now on the secret is shown as ***, whoever says it.
        """
        self.stdout.hide(secret)
        self.stderr.hide(secret)

    def holds_secret(self, text: str) -> bool:
        """
        Whether something in it would be shown as ***.
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
    *color* is auto, always or never.  Colour and animation are two decisions: a log
    may have the first, never the second (hazard T6).
    """
    stdout, stderr = streams
    colour = {"always": True, "never": False}.get(color)
    if colour is None and env.get("NO_COLOR"):
        colour = False
    elif colour is None and env.get("FORCE_COLOR"):
        colour = True
    is_dumb = env.get("TERM") == "dumb"
    is_plain = bool(env.get("CI")) or is_dumb
    is_watched = stderr.is_terminal and not env.get("CI")
    animates = is_watched and not is_dumb
    shows = stdout.is_terminal and not quiet and not json
    results: writers.ResultWriter
    talk: writers.MessageWriter
    if json:
        results = writers.JsonResultWriter(stdout)
        talk = writers.JsonMessages(stderr, now)
    else:
        results = (
            writers.HumanResultWriter(stdout, colour=colour)
            if shows
            else writers.PlainResultWriter(stdout)
        )
        if quiet:
            talk = writers.QuietMessages(stderr, now)
        elif is_watched or colour:
            talk = writers.TerminalMessages(
                stderr, now, colour=colour, animates=animates
            )
        else:
            talk = writers.MessageWriter(stderr, now)
    may_preview = shows and not is_plain and not env.get("NO_PREVIEW")
    return Console(results, talk, stdout, stderr, may_preview)
