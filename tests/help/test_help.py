"""
What `--help` and `krea help` say is so.
"""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

import krea_cli
from krea_cli.cli.command_tree import COMMANDS, MAIN
from krea_cli.cli.help import topics
from krea_cli.cli.help.grouped import GROUPS
from krea_cli.config.settings import FILE_ONLY, KEYS
from krea_cli.doctor.settings import PROXIES
from krea_cli.errors import ExitCode

ROOT = Path(krea_cli.__file__).parent
# An example of these is not run here, as it would wait, or ask for a keyring: of them
# the options are compared alone.
NOT_RUN = ("auth login", "auth logout", "sandbox serve", "models refresh")


def commands():
    """
    The words of every command that does something.
    """
    for name in COMMANDS:
        module = import_module(f"krea_cli.commands.{name}")
        members = getattr(module, "COMMANDS", None)
        yield from ([name, member] for member in members) if members else [[name]]


ALL = [*commands()]
each_command = pytest.mark.parametrize("words", ALL, ids=" ".join)


def examples(text):
    return re.findall(r"^    (krea .*)$", text, re.MULTILINE)


@each_command
def test_the_examples_work_as_they_are(logged_in, photo, words):
    """
    Every command has one or two, of itself, and pasted they succeed, where there are
    such pictures, and a job if it takes jobs.
    """
    text = logged_in(*words, "--help").out
    shown = examples(text)
    for name in ("photo.jpg", "frame.png", "out.png"):
        Path(name).write_bytes(photo.read_bytes())
    if words == ["batch"]:
        Path("photos").mkdir()
        Path("photos/one.jpg").write_bytes(photo.read_bytes())
        Path("prompts.csv").write_text("name,prompt\nowl,an owl\n")
    if "JOB]..." in text:
        wait = "--no-wait" if words == ["cancel"] else "--wait"
        assert 0 == logged_in("generate", "an owl", wait).code
    if words == ["replay"]:
        made = logged_in("generate", "an owl", "-o", "out.png", "--sidecar", "-f")
        assert 0 == made.code
    logged_in.is_terminal = words == ["show"]

    assert len(shown) in (1, 2)
    for example in shown:
        _, *argv = shlex.split(example.partition(" <")[0])
        assert words == argv[: len(words)]
        if " ".join(words) in NOT_RUN:
            argv.append("--help")
        assert 0 == logged_in(*argv).code, example


@each_command
def test_options_stand_under_their_groups(krea, words):
    """
    Those that all commands have are never without; no option is left out or there
    twice.
    """
    text = krea(*words, "--help").out
    parts = re.split(r"^(\w+):\n", text, flags=re.MULTILINE)
    titles, bodies = parts[1::2], parts[2::2]
    grouped = [title for title in titles if title in GROUPS]

    assert sorted(grouped, key=GROUPS.index) == grouped
    assert {"Output", "Connection"} <= set(grouped)
    assert set(titles) <= {"Arguments", "Options", *GROUPS}
    options = re.findall(r"^  (?:-\w, )?(--[\w-]+)", "".join(bodies), re.MULTILINE)
    assert len(set(options)) == len(options)
    assert {"--json", "--sandbox", "--help"} <= set(options)
    if words == ["generate"]:
        assert list(GROUPS) == grouped
        assert "Options" not in titles


@each_command
def test_a_help_text_names_no_option_that_is_not_there(krea, words):
    """
    Each that a sentence or an example speaks of is one of its own.
    """
    text = krea(*words, "--help").out
    lines = re.findall(r"^  (-.*?)(?:  |$)", text, re.MULTILINE)
    declared = set(re.findall(r"--[a-z][\w-]+", " ".join(lines)))

    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]+", text)) <= declared


def test_the_main_commands_come_first(krea):
    """
    The four that a job needs from its beginning to its end, then the others.
    """
    text = krea().out
    main, others = re.split(r"\n\n(?:Main|Other) commands:\n", text)[1:]

    assert MAIN == tuple(re.findall(r"^  (\w+)", main, re.MULTILINE))
    assert set(COMMANDS) - set(MAIN) <= set(others.split())
    assert ", ".join(topics.NAMES) in " ".join(others.split())


def test_krea_help_is_the_help(krea):
    """
    Alone, of a command and of a member of a group.
    """
    assert krea("--help").out == krea("help").out
    for words in (["wait"], ["jobs"], ["jobs", "recover"], ["help"]):
        assert krea(*words, "--help").out == krea("help", *words).out
        assert 0 == krea("help", *words).code


def test_topics_in_a_pipe_are_markdown(krea):
    """
    As they are, so that other programs can draw them.
    """
    for name in topics.NAMES:
        result = krea("help", name)

        assert (0, f"{topics.text(name)}\n", "") == (
            result.code,
            result.out,
            result.err,
        )


# On narrower screens long words are broken.
WHOLE_WORDS = 120


@pytest.mark.parametrize(
    "columns",
    [
        *(pytest.param(width, marks=pytest.mark.long) for width in (120, 60)),
        80,
        40,
    ],
)
def test_topics_at_a_terminal_fit_its_width(krea, columns, monkeypatch):
    """
    Tables and paragraphs are drawn, and no word is lost.
    """
    monkeypatch.setenv("COLUMNS", str(columns))
    krea.is_terminal = True

    for name in topics.NAMES:
        shown = krea("help", name, "--color", "never").out

        assert max(map(len, shown.splitlines())) <= columns
        assert "|---" not in shown
        assert "```" not in shown
        if columns >= WHOLE_WORDS:
            written = re.sub("^```.*$", "", topics.text(name), flags=re.MULTILINE)
            words = set(re.findall(r"\w{4,}", written))
            assert words <= set(re.findall(r"\w{4,}", shown))


MEANT = {
    "exit-code": "krea help exit-codes",
    "generat": "krea help generate",
    "zzz": ", ".join(topics.NAMES),
}


@pytest.mark.parametrize(("word", "meant"), MEANT.items())
def test_what_is_meant_is_suggested(krea, word, meant):
    """
    Exit 2 with the nearest topic or command.
    """
    result = krea("help", word)

    assert (2, "") == (result.code, result.out)
    assert meant in result.err


SUGGESTED = {
    "krea wiat": "krea wait",
    "krea jobs lst": "krea jobs list",
    "krea jobs list --limt 2": "--limit",
    "krea generate owls -m nano-bannana-pro": "google/nano-banana-pro",
    "krea generate owls -p resolutoin=2K": "resolution",
    "krea generate owls --resolution 8K": '"4K"',
    "krea generate owls --quality high": "--quality",
    "krea models show nano-bannana-pro": "google/nano-banana-pro",
    "krea models list --kind imag": "'image'",
    "krea config get modle": "model",
    "krea jobs list --status complete": "completed",
    "krea sandbox serve --port 0 --fault submit:rset": "reset",
    "krea status --color purple": "never",
}


@pytest.mark.parametrize(("line", "meant"), SUGGESTED.items(), ids=SUGGESTED)
def test_a_slip_is_told_with_what_was_meant(krea, line, meant):
    """
    Commands, options, models, fields, their values, settings: exit 2 with the nearest,
    or with all there are.
    """
    result = krea(*shlex.split(line)[1:])

    assert (2, "") == (result.code, result.out)
    assert meant in result.err


def test_every_exit_code_is_told():
    """
    The table has exactly the codes that the program ends with.
    """
    text = topics.text("exit-codes")

    told = re.findall(r"^\| (\d+) ", text, re.MULTILINE)

    assert [code.value for code in ExitCode] == list(map(int, told))


def test_every_variable_is_told():
    """
    No variable that the source names, or asks for, is missing, and none is told that
    nobody reads.
    """
    sources = [path.read_text("utf-8") for path in ROOT.rglob("*.py")]
    source = "\n".join(sources)
    asked = set(re.findall(r"env\.get\(\"([A-Z_]+)\"", source))
    read = asked | set(re.findall(r"\bKREA_[A-Z_]+[A-Z]\b", source))
    read |= {f"KREA_{key.upper()}" for key in set(KEYS) - FILE_ONLY}

    text = topics.text("environment")
    told = set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", text))

    assert read <= set(re.findall(r"\b[A-Z_]{2,}\b", text))
    assert told - read <= set(PROXIES) | {"SSL_CERT_FILE", "SSL_CERT_DIR"}


def test_examples_keep_clear_of_variables_of_the_shell():
    """
    In zsh, $path is where programs are looked for, and $status cannot be set.
    """
    texts = "\n".join(map(topics.text, topics.NAMES))

    taken = set(re.findall(r"(\w+)=\$\(", texts))

    assert taken
    assert not taken & {"argv", "cdpath", "fpath", "path", "pipestatus", "status"}
