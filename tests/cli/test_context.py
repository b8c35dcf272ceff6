from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Terminal, Typed

from krea_cli.cli.context import CliContext
from krea_cli.cli.invocation import Flags, Invocation
from krea_cli.output.streams import Stream

COLOUR = "\x1b[1;31m"


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch):
    """
    rich looks at the environment of the process.
    """
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def context(*, env=None, **options):
    """
    The context of a run at a terminal.
    """
    streams = Stream(Terminal(), "out"), Stream(Terminal(), "err")
    return CliContext(
        Invocation(env=env or {}, streams=streams, stdin=Typed(""), **options)
    )


def test_standard_input_is_claimed_once(krea):
    """
    It cannot be the prompt and an image; exit 2 before anything is read.
    """
    krea.stdin = b"an owl"

    result = krea("generate", "-", "-i", "-")

    assert 2 == result.code
    assert (
        "Standard input cannot be used for both the prompt and an image" in result.err
    )


def test_in_ci_nobody_is_asked():
    """
    Though a terminal is there: CI counts as nobody.
    """
    assert context().prompter.is_interactive
    assert not context(env={"CI": "true"}).prompter.is_interactive


def test_where_json_is_wanted_nobody_is_asked():
    """
    A question would stand among the objects of standard error.
    """
    assert not context(flags=Flags(json=True)).prompter.is_interactive


def test_closed_standard_input_is_exit_2(shell):
    """
    One line, no traceback.
    """
    result = subprocess.run(
        ["sh", "-c", 'exec "$0" -m krea_cli generate - <&-', sys.executable],
        env=shell.env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (2, "error: Standard input is closed.\n") == (
        result.returncode,
        result.stderr,
    )


@pytest.mark.parametrize(
    ("words", "variables", "has_colour"),
    [
        ((), {}, False),
        ((), {"KREA_COLOR": "always"}, True),
        (("--color", "always"), {}, True),
    ],
)
def test_colour_is_a_setting(krea, words, variables, has_colour):
    """
    Flag, then variable, then file: the last here says never.
    """
    file = Path(krea.env["KREA_CONFIG_DIR"], "config.toml")
    file.parent.mkdir()
    file.write_text("color = 'never'\n")
    krea.is_terminal = True

    result = krea("status", "x", *words, env=variables)

    assert has_colour == (COLOUR in result.err)


def test_a_broken_setting_does_not_hide_how_to_mend_it(krea):
    """
    What does not need the settings works without them.
    """
    file = Path(krea.env["KREA_CONFIG_DIR"], "config.toml")
    file.parent.mkdir()
    file.write_text("color = 'purple'\n")

    assert (0, f"{file}\n") == (krea("config", "path").code, krea("config", "path").out)
    assert 2 == krea("status").code
    assert 0 == krea("config", "set", "color", "auto").code
    assert "color = 'purple'" not in file.read_text()


def test_the_command_to_paste_goes_to_the_same_service():
    """
    What was said on the command line is said again; an environment is still there.
    """
    url = "https://krea.example"

    sandbox = context(flags=Flags(sandbox=True, color="never"))
    elsewhere = context(flags=Flags(api_url=url))

    assert "krea wait j1 -o . --sandbox --color never" == sandbox.next_steps.wait(
        ["j1"]
    )
    assert f"krea cancel j1 --api-url {url}" == elsewhere.next_steps.cancel(["j1"])


def broken_journal(krea, service):
    path = Path(krea.env["KREA_STATE_DIR"], "journal.db")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database" * 500)
    return "krea jobs list --remote --api-url {url}\n"


def unknown_job(krea, service):
    return "krea jobs list --remote --api-url {url}\n"


@pytest.mark.parametrize("trouble", [broken_journal, unknown_job])
def test_every_hint_goes_to_the_same_service(logged_in, service, trouble):
    """
    Also that of one who knows nothing of the command line; without --api-url there is
    nothing to add to it.
    """
    job_id = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"
    words = ("jobs", "show") if trouble is broken_journal else ("status",)
    hint = trouble(logged_in, service)

    named = logged_in(*words, job_id, "--api-url", service.url)
    usual = logged_in(*words, job_id)

    assert hint.format(url=service.url) in named.err
    assert hint.replace(" --api-url {url}", "") in usual.err


def test_a_command_that_reads_a_file_goes_there_too():
    """
    The options stand before what the shell reads.
    """
    said = context(flags=Flags(api_url="https://a.b")).next_steps.login(piped=True)

    assert "krea auth login --api-url https://a.b < FILE" == said
