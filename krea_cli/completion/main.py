"""
A completion: what a shell asks for when somebody presses TAB.

The scripts give the line up to the cursor in a variable.  The answer is a line that
says what kind of candidates follow, and a line for each, its description after a tab.
Whatever is wrong, the answer is empty and quick: there is nobody to be told.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence

from krea_cli.completion import candidates
from krea_cli.completion.candidates import Candidate
from krea_cli.completion.line import Line, parse
from krea_cli.output.terminal import one_line
from krea_cli.session import Session
from krea_cli.world import Flags

SHELL, LINE, WORD = "_KREA_COMPLETE", "_KREA_LINE", "_KREA_WORD"
_ABOUT = 60
# Beside these, bash reads what is inserted; the other shells quote it themselves.
_PLAIN = re.compile(r"[\w@%+=:,./-]")
_IN_QUOTES = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff\"'$`!\\\\]"
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def run() -> None:
    """
    Answer; the program ends well in any case.
    """
    try:
        answer = complete(os.environ)
        sys.stdout.buffer.write("".join(f"{line}\n" for line in answer).encode())
        sys.stdout.buffer.flush()
    except Exception:  # noqa: BLE001, S110
        pass
    # Nothing is left to be done, and to undo what was loaded takes time.
    os._exit(0)


def complete(env: Mapping[str, str]) -> Sequence[str]:
    """
    The lines of the answer.  Nothing in them acts on a shell or a terminal.
    """
    shell = env[SHELL]
    line = parse(env.get(LINE, ""), escapes=shell != "powershell")
    session = Session(env=env)
    session.configure(
        Flags(
            color="never",  # so that no setting is read which may not be needed
            sandbox="--sandbox" in line.given,
            api_url=[None, *line.given.get("--api-url", ())][-1],
        )
    )
    found = candidates.find(line, session)
    if found is None:
        return ["files"]
    unsafe = _IN_QUOTES if line.is_quoted else _CONTROL
    safe = [each for each in found if not unsafe.search(each.text)]
    lines = [_told(each, shell, line, env.get(WORD, "")) for each in safe]
    return ["words", *lines]


def _told(candidate: Candidate, shell: str, line: Line, typed: str) -> str:
    text = f"{line.before}{candidate.text}"
    if shell != "bash":
        about = one_line(candidate.about, _ABOUT)
        return f"{text}\t{about}" if about else text
    # What bash replaces begins after the last "=", ":" or "@".
    whole = f"{line.before}{line.word}"
    typed = re.sub(r"\\(.)", r"\1", typed).lstrip("\"'")
    rest = text[len(whole) - len(typed) if whole.endswith(typed) else len(whole) :]
    if line.is_quoted:
        return rest
    return "".join(c if _PLAIN.match(c) else f"\\{c}" for c in rest)
