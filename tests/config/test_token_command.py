from __future__ import annotations

import json
import os
import shlex
import stat
import time
from pathlib import Path

import pytest
from service import TOKEN

from krea_cli.cli.next_steps import NextSteps
from krea_cli.config import settings, token_command
from krea_cli.config.token import Token, find_all_tokens, find_token
from krea_cli.errors import ConfigError, NoTokenError

CANARY = "5c1f2b7e:canary-T0ken-9d8c"
ORIGIN = "https://api.krea.ai"

pytestmark = pytest.mark.posix  # needs a shell


@pytest.fixture
def run(tmp_path):
    """
    Run a line of shell as the token_command.
    """

    def run(script, **more):
        env = {"PATH": os.defpath, **more.pop("env", {})}
        command = shlex.join(["sh", "-c", script])
        return token_command.run(command, folder=tmp_path, env=env, **more)

    return run


def refused(run, script, **more):
    with pytest.raises(NoTokenError) as caught:
        run(script, **more)
    said = f"{caught.value.message} {NextSteps().explain(caught.value).hint}"
    assert CANARY[:8] not in said
    assert "krea config get token_command" in said
    assert len(said) < 500
    return caught.value.message


def test_the_token_is_what_the_program_prints(run):
    """
    Without the line break at its end, and with its source.
    """
    token = run(f"echo {CANARY}; echo a warning >&2")

    assert (CANARY, "token_command") == (token.reveal(), token.source)


def test_no_shell_reads_the_command(tmp_path):
    """
    Neither $ nor ; nor > means anything.
    """
    command = f"echo {CANARY}$HOME;>x"

    token = token_command.run(command, folder=tmp_path, env={"PATH": os.defpath})

    assert f"{CANARY}$HOME;>x" == token.reveal()


@pytest.fixture
def typed():
    """
    Words on standard input.
    """
    ours, theirs = os.pipe()
    kept = os.dup(0)
    os.write(theirs, b"typed")
    os.close(theirs)
    os.dup2(ours, 0)
    yield
    os.dup2(kept, 0)
    os.close(kept)
    os.close(ours)


@pytest.mark.usefixtures("typed")
def test_on_a_terminal_the_program_may_ask(run):
    """
    It has the standard input of krea.
    """
    assert (
        "typed-by-somebody"
        == run("echo $(cat)-by-somebody", uses_terminal=True).reveal()
    )


@pytest.mark.usefixtures("typed")
def test_the_program_has_no_token_and_nothing_to_read(run):
    """
    Its environment is that of krea but for the tokens, and standard input is empty.
    """
    env = {"KREA_API_KEY": CANARY, "KREA_API_TOKEN": CANARY, "OP": "other-token"}

    token = run('echo "<$(cat)$KREA_API_KEY$KREA_API_TOKEN>$OP"', env=env)

    assert "<>other-token" == token.reveal()


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("true", "is empty"),
        (f"echo {CANARY}; echo {CANARY}", "spaces"),
        (f"echo \\'{CANARY}\\'", "quotation marks"),
        (f"echo KREA_API_KEY={CANARY}", "begins with KREA_API_KEY="),
        (f"printf '{CANARY}\\377'", "non-ASCII"),
        (f"while :; do printf {CANARY}; done", "too long"),
    ],
)
def test_what_is_no_token_is_refused(run, script, fault):
    """
    It is looked at as any other, and an endless one is not read to its end.
    """
    assert fault in refused(run, script)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "token_command failed (exit code 3)."),
        ("echo vault is locked. >&2; exit 1", "(exit code 1): vault is locked."),
        (f"echo {CANARY}; echo no {CANARY[:-2]} >&2; exit 1", "1): no ***."),
        ("yes 'not found' | head -c 200000 >&2; exit 1", "…."),
        ("kill -9 $$", "was stopped by signal 9."),
    ],
)
def test_why_the_program_failed_is_told(run, script, said):
    """
    In its own words, cut, and without what it printed as a token.
    """
    assert refused(run, script).endswith(said)


@pytest.mark.posix
def test_a_program_that_hangs_is_given_up(run, tmp_path):
    """
    It is ended with all that it started.
    """
    began = time.monotonic()

    said = refused(run, "sleep 60 & echo $! > pid; wait", seconds=0.2)

    assert "token_command" in said
    assert "0.2 s" in said
    assert time.monotonic() - began < 5
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        state = _state(child)
        if state in (None, "Z"):
            break
        time.sleep(0.01)
    assert state in (None, "Z")


def _state(pid):
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def test_a_program_is_found_where_nobody_else_can_put_one(tmp_path, monkeypatch):
    """
    On the absolute part of PATH, or at its place; never in the current folder.
    """
    here, config = tmp_path / "here", tmp_path / "config"
    for folder in (here, config):
        folder.mkdir()
        program = folder / "get-token"
        program.write_text(f"#!/bin/sh\necho {folder.name}-{CANARY}\n")
        program.chmod(stat.S_IRWXU)
    monkeypatch.chdir(here)
    env = {"PATH": f".::{os.defpath}"}

    for command in ("./get-token", str(config / "get-token")):
        token = token_command.run(command, folder=config, env=env)
        assert f"config-{CANARY}" == token.reveal()
    with pytest.raises(NoTokenError, match=r"get-token: .*PATH"):
        token_command.run("get-token", folder=config, env=env)


def test_only_the_file_sets_it():
    """
    No variable can name a program to run.
    """
    assert {} == settings.from_env({"KREA_TOKEN_COMMAND": "evil"})
    given = {"token_command": settings.GivenValue("pass show krea", "f.toml")}
    assert "pass show krea" == settings.resolve([given]).settings.token_command
    with pytest.raises(ConfigError, match="not a command"):
        settings.resolve([{"token_command": settings.GivenValue("pass 'x", "f.toml")}])


def never():
    pytest.fail("it was asked for a token")


def test_it_comes_between_the_variables_and_the_keyring():
    """
    And a command that fails does not give way to the keyring.
    """
    made = Token(CANARY, "token_command")

    assert made is find_token({}, ORIGIN, never, lambda: made)
    assert "KREA_API_KEY" == find_token({"KREA_API_KEY": CANARY}, ORIGIN, never).source
    with pytest.raises(NoTokenError, match="locked"):
        find_token({}, ORIGIN, never, _fails)


def _fails():
    raise NoTokenError("locked")


class Keyring:
    def find(self):
        return Token("another-token", "keyring")


def test_survey_names_it():
    """
    With what it hides; it is not run where a variable has a token.
    """
    made = Token(CANARY, "token_command")
    env = {"KREA_API_KEY": CANARY}

    state = find_all_tokens({}, ORIGIN, Keyring, lambda: made)
    hidden = find_all_tokens(env, ORIGIN, Keyring, never)
    failed = find_all_tokens({}, ORIGIN, Keyring, _fails)

    assert (("token_command", "keyring"), made) == (state.sources, state.token)
    assert ("KREA_API_KEY", "token_command", "keyring") == hidden.sources
    assert ("locked", None) == (failed.error.message, failed.token)


@pytest.fixture
def with_command(krea, service):
    """
    The program, without a variable or a keyring, whose token_command is known.
    """
    krea.env |= {"KREA_API_URL": service.url, "PATH": os.defpath}
    assert 0 == krea("config", "set", "token_command", f"echo {TOKEN}").code
    return krea


def test_every_command_uses_it(with_command, service):
    """
    The request has the token, and those that tell where it is from name the setting,
    never what it is.
    """
    listed = with_command("jobs", "list", "--remote")
    status = with_command("auth", "status", "--json")
    doctor = with_command("doctor")

    assert (0, 0) == (listed.code, status.code)
    assert service.requests("GET /jobs")
    assert "token_command" == json.loads(status.out)["source"]
    assert "from token_command" in doctor.out
    assert "token accepted" in doctor.out
    assert TOKEN not in f"{listed}{status}{doctor}"


def test_a_rejected_token_leads_to_the_command(with_command):
    """
    To log in would change nothing.
    """
    with_command("config", "set", "token_command", "echo another-token")

    ran = with_command("jobs", "list", "--remote")

    assert 4 == ran.code
    assert "krea config get token_command" in ran.err
    assert "auth login" not in ran.err


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (f'"{TOKEN}"', "is in quotation marks"),
        (f"KREA_API_KEY={TOKEN}", "begins with KREA_API_KEY="),
    ],
)
def test_what_an_env_file_left_in_a_variable_is_named(krea, service, value, said):
    """
    Nothing is sent, and nothing of the token is told.
    """
    krea.env |= {"KREA_API_URL": service.url, "KREA_API_KEY": value}

    ran = krea("jobs", "list", "--remote")

    assert 4 == ran.code
    assert said in ran.err
    assert TOKEN[:8] not in ran.err
    assert [] == service.requests("GET /jobs")


def test_a_line_ending_of_windows_is_no_part_of_the_token(krea, service):
    """
    As from a file that was edited there.
    """
    krea.env |= {"KREA_API_URL": service.url, "KREA_API_KEY": f"{TOKEN}\r"}

    assert 0 == krea("jobs", "list", "--remote").code


def test_shell_syntax_without_a_shell_is_explained(tmp_path):
    with pytest.raises(NoTokenError) as caught:
        token_command.run("echo $HOME | cat", folder=tmp_path, env={"PATH": os.defpath})

    assert "without a shell" in caught.value.hint
