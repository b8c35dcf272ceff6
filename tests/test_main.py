from __future__ import annotations

import io
import json
from importlib import import_module
from itertools import combinations

import pytest
from conftest import Pipe
from service import TOKEN

from krea_cli import __version__, errors
from krea_cli.cli.command_tree import COMMANDS
from krea_cli.cli.invocation import Invocation
from krea_cli.cli.main import main
from krea_cli.errors import CombinedError, ExitCode, KreaError
from krea_cli.output.streams import Stream
from krea_cli.runtime.clock import Clock

ID = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"
GROUPS = {
    name: module.COMMANDS
    for name in COMMANDS
    if hasattr(module := import_module(f"krea_cli.commands.{name}"), "COMMANDS")
}


def commands():
    """
    The words of every command.
    """
    for name in COMMANDS:
        yield (name,)
        yield from ((name, member) for member in GROUPS.get(name, ()))


def test_a_command_of_a_group_is_found_by_its_name(krea):
    """
    Who leaves the group out is told of it.
    """
    assert "krea auth login" in krea("login").err
    there = ("Did you mean: krea jobs list\n", "Did you mean: krea models list\n")
    assert [] == [line for line in there if line not in krea("list").err]


def test_krea_alone_prints_the_help(krea):
    """
    Exit 0, on standard output, as does --help and a group alone.
    """
    result = krea()

    assert (0, "") == (result.code, result.err)
    assert result.out == krea("--help").out == krea("-h").out
    assert krea("auth").out == krea("auth", "--help").out
    assert [name for name in COMMANDS if f"\n  {name} " not in result.out] == []


def test_an_option_before_the_command_is_shown_its_place(krea):
    """
    A common slip, of which the hint says more than of others; only where it is one.
    """
    others = [("status", "--frob"), ("-V",), ("--show-completion", "tcsh")]

    for before, after in (
        (("--sandbox", "status"), "krea status --sandbox"),
        (("-m", "x", "generate", "owl"), "krea generate owl -m x"),
    ):
        result = krea(*before)
        assert 2 == result.code
        assert f"hint: Put options after the command: {after}\n" in result.err
    for other in (*others, ("--versio", "status")):
        assert (2, False) == ((told := krea(*other)).code, "Put options" in told.err)


@pytest.mark.posix  # for the quotes of its shells
@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("generate", "an", "owl"), 'of several words: krea generate "an owl"'),
        (("an owl", "-o", "x.png"), "Did you mean: krea generate 'an owl' -o x.png"),
    ],
)
def test_a_prompt_in_the_wrong_place_is_shown_its_own(krea, words, hint):
    """
    Without quotes, or without the command.
    """
    result = krea(*words)

    assert 2 == result.code
    assert result.err.endswith(f"{hint}\n")


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("jobs", "list", "--limit"), "krea jobs list"),
        (("status", "--sandbox=1"), "krea status"),
        (("--show-completion",), "krea"),
    ],
)
def test_an_option_with_a_value_too_few_or_many_names_its_command(krea, words, command):
    """
    Typer does not say to which command it belongs.
    """
    result = krea(*words)

    assert 2 == result.code
    assert result.err.endswith(f"Show the options: {command} --help\n")


def test_version(krea):
    """
    One line.
    """
    assert (0, f"krea {__version__}\n") == (
        krea("--version").code,
        krea("--version").out,
    )


@pytest.mark.parametrize("words", [(), *commands()], ids=" ".join)
def test_help_fits(krea, monkeypatch, words):
    """
    The first line of each command is a short sentence, the whole fits 100 columns, and
    every command has the options that all have.
    """
    monkeypatch.setenv("COLUMNS", "100")

    result = krea(*words, "--help")
    usage, _, summary, *lines = result.out.splitlines()

    assert (0, "") == (result.code, result.err)
    assert usage.startswith(" ".join(("Usage: krea", *words)))
    assert len(summary.strip()) <= (60 if words else 71)
    assert summary.endswith(".")
    assert max(map(len, lines)) <= 100
    if words and words not in [(group,) for group in GROUPS]:
        for option in ("--json", "--quiet", "--verbose", "--color", "--api-url"):
            assert f"{option} " in result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_tree_says_what_the_command_says(krea, name):
    """
    `krea --help` does not load the commands; its words are theirs all the same.
    """
    assert f"\n\n  {COMMANDS[name]}\n" in krea(name, "--help").out


USAGE = {
    "unknown command": (("generat",), "Did you mean: krea generate"),
    "unknown member": (("auth", "statsu"), "Did you mean: krea auth status"),
    "unknown option": (("status", "--jsn"), "Did you mean --json?"),
    "unknown option of krea": (("--versoin",), "Did you mean --version?"),
    "no argument": (("config", "get"), "KEY"),
    "too many arguments": (("config", "path", "x"), "x"),
    "no duration": (("wait", "--timeout", "abc"), "'abc' is not a duration"),
    "no number": (("generate", "x", "-n", "two"), "'two'"),
    "out of range": (("generate", "x", "-n", "0"), "0"),
    "unknown colour": (("status", "--color", "purple"), "purple"),
    "two services": (("status", "--sandbox", "--api-url", "https://a.b"), "--api-url"),
    "token as option": (("status", "--token", "x"), "--token"),
}


@pytest.mark.parametrize(("words", "says"), USAGE.values(), ids=USAGE)
def test_a_usage_error_is_exit_2(krea, words, says):
    """
    As text: one line that names what is wrong, and hints; with --json: one object.
    """
    text = krea(*words)
    lines = text.err.splitlines()
    told = krea(*words, "--json")
    error = json.loads(told.err)["error"]

    assert (2, "") == (text.code, text.out)
    assert lines[0].startswith("error: ")
    assert all(line.startswith("hint: ") for line in lines[1:3])
    assert [] == lines[3:]
    assert says in text.err
    assert (2, "", 1) == (told.code, told.out, len(told.err.splitlines()))
    assert (2, "usage") == (error["exit_code"], error["code"])
    assert says in f"{error['message']}\n{error['hint']}"


MISPLACED = [
    (TOKEN,),
    ("status", TOKEN),
    ("generate", "x", "-m", TOKEN),
    ("generate", "x", "--max-cost", TOKEN),
    ("auth", "logout", TOKEN),
]


@pytest.mark.parametrize("words", MISPLACED, ids=" ".join)
@pytest.mark.parametrize("value", [TOKEN, f"Bearer {TOKEN}\n"])
def test_a_token_in_the_wrong_place_is_not_repeated(krea, words, value):
    """
    What a variable has as the token is hidden before any word is understood, though
    nothing is sent.
    """
    env = {"KREA_API_TOKEN": value}

    text, told = krea(*words, env=env), krea(*words, "--json", env=env)

    assert (2, 2) == (text.code, told.code)
    assert "***" in text.err
    assert TOKEN[-8:] not in text.err + told.err


def test_a_login_with_a_token_on_the_command_line_does_not_repeat_it(krea):
    """
    No variable has it yet, so only this command can know what the word is.
    """
    text, told = (krea("auth", "login", *flags, TOKEN) for flags in ((), ("--json",)))

    assert (2, 2) == (text.code, told.code)
    assert "krea auth login < FILE" in text.err
    assert TOKEN[-8:] not in text.err + told.err


def broken(*_):
    raise RuntimeError(f"no\n{TOKEN} \x1b[31m" + "line\n" * 500 + f"Bearer {TOKEN}")


class BrokenStdin(io.StringIO):
    read = broken


BREAKS = {
    "now": {"clock": Clock(now=broken)},
    "wall": {"clock": Clock(wall=broken)},
    "sleep": {"clock": Clock(sleep=broken)},
    "stdin": {"stdin": BrokenStdin()},
}
REACHED = [
    ("now", ("generate", "an owl")),
    ("now", ("status", ID)),
    ("now", ("wait", ID)),
    ("now", ("download", ID)),
    ("wall", ("generate", "an owl")),
    ("wall", ("status", ID)),
    ("sleep", ("generate", "an owl")),
    ("stdin", ("generate", "-")),
]


@pytest.mark.parametrize(("layer", "words"), REACHED)
@pytest.mark.parametrize("flag", ["--quiet", "--json", "--verbose"])
def test_a_bug_is_exit_1_and_shows_no_token(logged_in, layer, words, flag):
    """
    A few lines that ask for a report; the traceback only with -v; the token and raw
    control characters never, though the error has them.
    """
    out, err = Pipe(), Pipe()
    streams = Stream(out, "Standard output"), Stream(err, "Standard error")
    invocation = Invocation(
        **{"env": logged_in.env, "clock": logged_in.clock, "streams": streams}
        | BREAKS[layer]
    )

    code = main([*words, flag], invocation)
    said = err.getvalue()

    assert (1, "") == (code, out.getvalue())
    assert TOKEN not in said
    assert "\x1b" not in said
    if flag != "--verbose":
        assert len(said) < 900
    if flag == "--json":
        assert "bug" == json.loads(said)["error"]["code"]
    elif flag == "--quiet":
        assert len(said.splitlines()) <= 5
        assert "Bug in krea: RuntimeError: no ***" in said
        assert "Traceback" not in said
    else:
        assert "Traceback" in said


URGENT = (11, 4, 5, 1, 7, 6, 8)


def several(*codes, succeeded=0):
    made = []
    for code in codes:
        error = KreaError("x")
        error.exit_code = ExitCode(code)
        made.append(error)
    return CombinedError(made, succeeded=succeeded).exit_code


@pytest.mark.parametrize(("first", "second"), [*combinations((*URGENT, 3), 2)])
def test_the_most_urgent_of_several_wins(first, second):
    """
    In any order, and whether or not others succeeded.
    """
    wanted = {first}

    assert wanted == {several(first, second), several(second, first)}
    assert wanted == {several(10, second, first, 2, succeeded=3)}


def test_some_of_several_is_exit_9():
    """
    Only what is not urgent; none is 3, all cancelled is 10, all refused is 2.
    """
    assert {9} == {several(code, succeeded=1) for code in (2, 3, 10)}
    assert [3, 3, 3, 10, 2] == [
        several(3, 3),
        several(3, 10),
        several(10, 2),
        several(10, 10),
        several(2, 2),
    ]


def kinds_of_errors(of=KreaError):
    for kind in of.__subclasses__():
        yield kind
        yield from kinds_of_errors(kind)


def test_every_error_has_a_code_of_its_own():
    """
    Scripts tell errors apart by `code`; each has an exit code of the table.
    """
    kinds = [kind for kind in kinds_of_errors() if kind.__module__ == errors.__name__]
    # What is told apart inside alone is the same to a script.
    inner = {
        errors.TargetError,
        errors.TooLargeError,
        errors.UnsupportedResultError,
    }
    codes = [kind.__dict__.get("code") for kind in kinds if kind not in inner]

    assert len(kinds) > 20
    assert len(set(codes)) == len(codes)
    assert not [code for code in codes if not code or not code.isidentifier()]
    signalled = {errors.SignalError(number).exit_code for number in (1, 2, 15)}
    assert {129, 130, 143} == signalled
    assert not [
        kind
        for kind in kinds
        if kind is not errors.SignalError and not isinstance(kind.exit_code, ExitCode)
    ]
    assert not [kind for kind in kinds if kind.__name__ not in errors.__doc__]
