"""
Print completions when the user presses TAB.

The shell scripts pass the line up to the cursor in a variable. The first line of the
output is the kind of candidates, "words" or "files". Each following line is a
candidate, with its description after a tab. After an error, the output is empty: the
user could not read a message.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence

from krea_cli.cli.completion import candidates
from krea_cli.cli.completion.candidates import Candidate
from krea_cli.cli.completion.line import Line, parse, read_word
from krea_cli.cli.context import CliContext
from krea_cli.cli.invocation import Flags, Invocation
from krea_cli.output.escape import collapse_whitespace

SHELL, LINE, WORD = "_KREA_COMPLETE", "_KREA_LINE", "_KREA_WORD"
_MAX_ABOUT_CHARS = 60
# bash needs other characters escaped. The other shells do so themselves.
_SAFE_IN_BASH = re.compile(r"[\w@%+=:,./-]")
# Characters that control a terminal or reverse the direction of text.
_UNSAFE = (
    "\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff"
    "\\u061c\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ufeff"
)
_IN_QUOTES = re.compile(f"[{_UNSAFE}\"'$`!\\\\]")
_CONTROL = re.compile(f"[{_UNSAFE}]")


def run() -> None:
    """
    Print the completions, and exit with code 0 in any case.
    """
    try:
        lines = complete(os.environ)
        sys.stdout.buffer.write("".join(f"{line}\n" for line in lines).encode())
        sys.stdout.buffer.flush()
    # An error must not appear in the line that the user is typing.
    except Exception:  # noqa: BLE001, S110
        pass
    # Skip the cleanup at the end of Python, which takes time.
    os._exit(0)


def complete(env: Mapping[str, str]) -> Sequence[str]:
    """
    Return the lines to print, without characters that affect a shell or terminal.
    """
    shell = env[SHELL]
    line = parse(env.get(LINE, ""), shell)
    context = CliContext(
        Invocation(
            env=env,
            flags=Flags(
                color="never",  # so that the settings are not read for it
                sandbox="--sandbox" in line.given,
                api_url=[None, *line.given.get("--api-url", ())][-1],
            ),
        )
    )
    found = candidates.find(line, context)
    if found is None:
        return ["files"]
    unsafe = _IN_QUOTES if shell == "bash" and line.is_quoted else _CONTROL
    safe = [each for each in found if not unsafe.search(each.text)]
    if shell == "bash":
        return ["words", *_for_bash(safe, line, env.get(WORD, ""))]
    return ["words", *(_described(each, line) for each in safe)]


def _described(candidate: Candidate, line: Line) -> str:
    text = f"{line.before}{candidate.text}"
    about = collapse_whitespace(candidate.about, _MAX_ABOUT_CHARS)
    return f"{text}\t{about}" if about else text


def _for_bash(found: Sequence[Candidate], line: Line, typed: str) -> Iterator[str]:
    """
    Yield replacements for `typed`, which bash gives as the word, or as its end after
    the last "=", ":", "@" or open quote. Yield nothing if `typed` is neither, because
    bash would delete it.
    """
    whole = f"{line.before}{line.word}"
    replaced = _replaced(whole, typed, is_quoted=line.is_quoted)
    if replaced is None:
        return
    for candidate in found:
        rest = f"{line.before}{candidate.text}"[len(whole) - len(replaced) :]
        if line.is_quoted:
            yield rest
        else:
            yield "".join(c if _SAFE_IN_BASH.match(c) else f"\\{c}" for c in rest)


def _replaced(whole: str, typed: str, *, is_quoted: bool) -> str | None:
    """
    Return the end of the `whole` word that `typed` stands for, or None if it is not
    one.
    """
    if not is_quoted:
        word = read_word(typed, "bash")
        return word if word is not None and whole.endswith(word) else None
    bare = re.sub(r"\\(.)", r"\1", typed)
    readings = (typed, bare, bare.lstrip("\"'"))
    return next((each for each in readings if whole.endswith(each)), None)
