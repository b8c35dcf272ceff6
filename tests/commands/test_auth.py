from __future__ import annotations

import json

import pytest
from config.backends import Failing, Forgetful, Memory
from config.contexts import FakeContext, Stdin
from keyring.backends.fail import Keyring as FailKeyring

from krea_cli.cli.next_steps import NextSteps
from krea_cli.commands.auth import login, logout, status
from krea_cli.errors import KeyringError, NoTokenError, TokenRejectedError, UsageError

CANARY = "5c1f2b7e:canary-T0ken-9d8c"
ITEM = ("krea-cli", "https://api.krea.ai")


@pytest.fixture
def context(tmp_path):
    return lambda **more: FakeContext.at(tmp_path, **more)


def told(context):
    """
    The one result as JSON; with it goes the check that nothing tells the token.
    """
    [result] = context.console.results
    assert CANARY not in json.dumps(
        [result.as_json(), result.plain, context.console.notes]
    )
    assert CANARY not in repr(result)
    return result.as_json()


def test_login_reads_standard_input_and_verifies_before_it_stores(context):
    """
    One token from a pipe, one free request with it, one item in the keyring.
    """
    run = context(stdin=Stdin(f"{CANARY}\n"))

    login(run)

    assert [CANARY, 1] == run.calls
    assert {ITEM: CANARY} == run.backend.items
    assert {
        "source": "keyring",
        "shadows": (),
        "origin": "https://api.krea.ai",
        "backend": "config.backends.Memory",
        "keyring_config": None,
        "problem": None,
    } == told(run)
    assert ["Token stored for https://api.krea.ai in the keyring."] == run.console.notes


def test_login_asks_a_person(context):
    """
    In a terminal the token is asked for, without echo, and standard input is left.
    """
    run = context(typed=CANARY, stdin=Stdin("other-token"))

    login(run, no_verify=True)

    assert ["Krea API token: "] == run.calls
    assert {ITEM: CANARY} == run.backend.items


def test_login_never_reads_a_terminal_that_would_echo(context):
    """
    Where nobody can be asked, but input is a terminal, the token has to be piped.
    """
    terminal = Stdin(CANARY)
    terminal.is_terminal = True

    with pytest.raises(UsageError, match="Cannot ask"):
        login(context(stdin=terminal))


@pytest.mark.parametrize("text", ["", "\n", "a b c d e f", "short"])
def test_login_refuses_what_is_no_token(context, text):
    """
    Nothing is sent and nothing stored.
    """
    run = context(stdin=Stdin(text))

    with pytest.raises(NoTokenError, match="standard input"):
        login(run)

    assert [] == run.calls + run.backend.calls


def test_login_does_not_store_a_rejected_token(context):
    """
    What the service does not accept does not replace what was stored.
    """
    run = context(stdin=Stdin(CANARY), rejects=TokenRejectedError("no"))

    with pytest.raises(TokenRejectedError):
        login(run)

    assert [] == run.backend.calls


def test_login_without_verifying_sends_nothing(context):
    """
    --no-verify is for a place without a network.
    """
    run = context(stdin=Stdin(CANARY), rejects=TokenRejectedError("no"))

    login(run, no_verify=True)

    assert [] == run.calls
    assert {ITEM: CANARY} == run.backend.items


def test_login_tells_the_variable_that_hides_the_stored_token(context):
    """
    A stored token that will not be used is told at once.
    """
    run = context(stdin=Stdin(CANARY), env={"KREA_API_KEY": "another-token"})

    login(run)

    assert [
        "KREA_API_KEY is set and overrides the stored token."
    ] == run.console.warnings
    assert ("KREA_API_KEY", ("keyring",)) == (
        told(run)["source"],
        told(run)["shadows"],
    )


def test_login_fails_when_the_keyring_forgets(context):
    """
    A login that did not last is no success.
    """
    run = context(stdin=Stdin(CANARY), backend=Forgetful())

    with pytest.raises(KeyringError, match="did not store"):
        login(run)

    assert [] == run.console.results


def test_logout_removes_the_token(context):
    """
    The item is gone, and the result says that no token is left.
    """
    run = context()
    run.backend.items[ITEM] = CANARY

    logout(run)

    assert {} == run.backend.items
    assert told(run)["source"] is None
    assert [
        "Token for https://api.krea.ai removed from the keyring."
    ] == run.console.notes


def test_logout_without_a_token_is_no_error(context):
    """
    It says that there was none, and which variable still has one.
    """
    run = context(env={"KREA_API_TOKEN": "another-token"})

    logout(run)

    assert "KREA_API_TOKEN" == told(run)["source"]
    assert ["No token was stored for https://api.krea.ai."] == (run.console.notes)
    assert [
        "KREA_API_TOKEN is still set, so commands keep using that token."
    ] == run.console.warnings


def test_status_names_source_shadows_and_backend(context):
    """
    Where the token comes from, what that hides, and which class keeps it.
    """
    env = {"KREA_API_KEY": CANARY, "KREA_API_TOKEN": CANARY}
    run = context(env=env)
    run.backend.items[ITEM] = CANARY

    status(run)

    said = told(run)
    assert (
        "KREA_API_KEY",
        ("KREA_API_TOKEN", "keyring"),
        "config.backends.Memory",
    ) == (
        said["source"],
        said["shadows"],
        said["backend"],
    )
    assert ["get"] == run.backend.calls


def test_status_without_a_token_tells_it_and_fails(context):
    """
    The result is told all the same, then the command ends with the error.
    """
    run = context(env={"KREA_API_KEY": ""})

    with pytest.raises(NoTokenError, match="KREA_API_KEY is set but empty"):
        status(run)

    assert told(run)["source"] is None


@pytest.mark.parametrize(
    ("env", "ends"), [({}, True), ({"KREA_API_KEY": CANARY}, False)]
)
def test_status_tells_trouble_with_the_keyring(context, env, ends):
    """
    A keyring that fails is an error only when the token was to come from it.
    """
    run = context(env=env, backend=Failing())

    if ends:
        with pytest.raises(KeyringError):
            status(run)
    else:
        status(run)

    assert "(config.backends.Failing) failed: OSError" in told(run)["problem"]


def test_status_in_the_sandbox_needs_no_token(context):
    """
    The keyring is not asked.
    """
    run = context(env={"KREA_SANDBOX": "1"}, backend=Failing())

    status(run)

    assert ("sandbox", None) == (told(run)["source"], told(run)["backend"])
    assert ["The sandbox does not need a token."] == run.console.notes


@pytest.mark.parametrize("command", [login, logout])
def test_sandbox_keeps_no_token(context, command):
    """
    There is nothing to store or to remove for the sandbox.
    """
    run = context(env={"KREA_SANDBOX": "1"}, backend=Memory())

    with pytest.raises(UsageError, match="sandbox does not need a token"):
        command(run)

    assert [] == run.backend.calls


def test_login_asks_for_nothing_that_it_could_not_keep(context):
    """
    Without a keyring the token is not even read, and nothing is sent.
    """
    run = context(backend=FailKeyring(), stdin=Stdin(f"{CANARY}\n"))

    with pytest.raises(KeyringError):
        login(run)

    assert CANARY in run.stdin.read()
    assert [] == run.calls


@pytest.mark.posix  # for the quotes of its shells
def test_login_without_a_keyring_names_both_ways_out(context):
    """
    A variable, or a program that prints the token; each on a line of its own.
    """
    run = context(backend=FailKeyring(), stdin=Stdin(f"{CANARY}\n"))

    with pytest.raises(KeyringError) as caught:
        login(run)

    assert [
        "Set KREA_API_KEY to the token.",
        (
            "Or use a password manager, such as pass: "
            "krea config set token_command 'pass show krea'"
        ),
    ] == NextSteps().explain(caught.value).hints


@pytest.fixture
def with_command(context):
    """
    A session with a token_command in its file.
    """
    run = context(stdin=Stdin(f"{CANARY}\n"))
    run.folders.config_file.parent.mkdir(parents=True)
    run.folders.config_file.write_text('token_command = "pass show krea"\n')
    return run


def test_status_names_the_command(with_command):
    """
    By the name of the setting, with the keyring that it hides.
    """
    with_command.backend.items[ITEM] = CANARY

    status(with_command)

    said = told(with_command)
    assert ("token_command", ("keyring",)) == (said["source"], said["shadows"])


@pytest.mark.parametrize(
    ("command", "warning"),
    [
        (login, "token_command is set and overrides the stored token."),
        (logout, "token_command is still set, so commands keep using that token."),
    ],
)
def test_a_command_overrides_the_keyring(with_command, command, warning):
    """
    Which is told by whoever changes the keyring.
    """
    command(with_command)

    assert [warning] == with_command.console.warnings
    assert "token_command" == told(with_command)["source"]
