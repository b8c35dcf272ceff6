"""
Answer a shell when somebody presses TAB.

The scripts give the line up to the cursor in a variable. The answer is a line that says
what kind of candidates follow, and a line for each, its description after a tab. On any
error the answer is empty and quick: no message could be read.
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
_ABOUT = 60
# Beside these, bash reads what is inserted; the other shells quote it themselves.
_PLAIN = re.compile(r"[\w@%+=:,./-]")
# What acts on a terminal, or turns the words after it around.
_ACTING = (
    "\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff"
    "\\u061c\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ufeff"
)
_IN_QUOTES = re.compile(f"[{_ACTING}\"'$`!\\\\]")
_CONTROL = re.compile(f"[{_ACTING}]")


def run() -> None:
    """
    Write the answer; the program succeeds in any case.
    """
    try:
        answer = complete(os.environ)
        sys.stdout.buffer.write("".join(f"{line}\n" for line in answer).encode())
        sys.stdout.buffer.flush()
    # An error must not show up in the line that the user types.
    except Exception:  # noqa: BLE001, S110
        pass
    # Nothing is left to be done, and to undo what was loaded takes time.
    os._exit(0)


def complete(env: Mapping[str, str]) -> Sequence[str]:
    """
    Return the lines of the answer. Nothing in them acts on a shell or a terminal.
    """
    shell = env[SHELL]
    line = parse(env.get(LINE, ""), shell)
    context = CliContext(
        Invocation(
            env=env,
            flags=Flags(
                color="never",  # so that no setting is read which may not be needed
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
    about = collapse_whitespace(candidate.about, _ABOUT)
    return f"{text}\t{about}" if about else text


def _for_bash(found: Sequence[Candidate], line: Line, typed: str) -> Iterator[str]:
    """
    Return what bash puts in place of *typed*: the word, or its end after the last "=",
    ":" or "@" or an open quote. Return nothing if *typed* is neither, as it would be
    lost.
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
            yield "".join(c if _PLAIN.match(c) else f"\\{c}" for c in rest)


def _replaced(whole: str, typed: str, *, is_quoted: bool) -> str | None:
    """
    Return the end of the *whole* word that *typed* stands for.
    """
    if not is_quoted:
        word = read_word(typed, "bash")
        return word if word is not None and whole.endswith(word) else None
    bare = re.sub(r"\\(.)", r"\1", typed)
    readings = (typed, bare, bare.lstrip("\"'"))
    return next((each for each in readings if whole.endswith(each)), None)
