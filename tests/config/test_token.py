from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krea_cli.config.token import (
    NoKeyringError,
    Token,
    find_all_tokens,
    find_in_env,
    find_token,
    read_stream,
    read_token,
    set_variables,
)
from krea_cli.errors import KeyringError, NoTokenError

CANARY = "5c1f2b7e:canary-T0ken-9d8c"
ORIGIN = "https://api.krea.ai"
NO_VARIABLE = "No API token found. KREA_API_KEY is not set. "


class Keyring:
    """
    Stands for Credentials: holds a token or fails.
    """

    backend = "some.Keyring"
    config_file = None

    def __init__(self, held=None):
        self.held = held
        self.reads = 0

    def find(self):
        self.reads += 1
        if isinstance(self.held, Exception):
            raise self.held
        return self.held


def never():
    pytest.fail("the keyring was asked for")


def test_token_is_shown_as_stars():
    """
    Only reveal() gives the text; no form of printing does.
    """
    token = Token(CANARY, "x")

    shown = f"{token} {token!r} {token!s:>20} {[token]} {{}} %s".format(token) % token
    shown += json.dumps({"t": token}, default=str)

    assert CANARY not in shown
    assert "***" in shown
    assert CANARY == token.reveal()
    assert not hasattr(token, "__dict__")


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r", "\n\n"])
def test_line_breaks_at_the_end_are_cut(end):
    """
    What `echo` and editors add does not spoil the token.
    """
    assert CANARY == read_token(CANARY + end, "x").reveal()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        (f" {CANARY}", "spaces"),
        (f"{CANARY}\r\nX-Evil: y", "spaces"),
        (f"{CANARY}\r{CANARY}", "spaces"),
        (f'"{CANARY}"', "quotation marks"),
        (f"'{CANARY}'\r\n", "quotation marks"),
        (f'"{CANARY}', "quotation marks"),
        (f"KREA_API_KEY={CANARY}", "begins with KREA_API_KEY="),
        (f"KREA_API_TOKEN='{CANARY}'", "begins with KREA_API_TOKEN="),
        (f"{CANARY}\N{NO-BREAK SPACE}", "spaces"),
        (f"{CANARY}\t", "spaces"),
        (f"\N{ZERO WIDTH NO-BREAK SPACE}{CANARY}", "non-ASCII"),
        (f"{CANARY}…", "non-ASCII"),
        (f"{CANARY}\udcff", "non-ASCII"),
        (f"{CANARY}\x7f", "control character"),
        (f"{CANARY}\x00", "control character"),
        (CANARY[:7], "too short"),
        (CANARY * 200, "too long"),
    ],
)
def test_fault_is_named_without_the_token(text, fault):
    """
    Source and kind of fault are told, no part of the value is.
    """
    with pytest.raises(NoTokenError) as caught:
        read_token(text, "KREA_API_KEY")

    said = caught.value.message + (caught.value.hint or "")
    assert fault in said
    assert "KREA_API_KEY" in caught.value.message
    assert CANARY[:6] not in said


@pytest.mark.parametrize("length", [8, 4096])
def test_shortest_and_longest_token(length):
    """
    Both ends of the range are tokens.
    """
    assert "!" * length == read_token("!" * length, "x").reveal()


@given(st.text(st.characters(exclude_characters="\r\n"), max_size=20))
def test_what_passes_is_safe_in_a_header(text):
    """
    A token that is accepted has only visible ASCII characters.
    """
    try:
        token = read_token(text, "x")
    except NoTokenError:
        return

    assert text == token.reveal()
    assert all("\x21" <= char <= "\x7e" for char in text)
    assert 8 <= len(text)


def test_standard_input_is_read_as_one_token():
    """
    The whole stream is the token; more than one line is a fault.
    """
    assert CANARY == read_stream(io.StringIO(f"{CANARY}\n")).reveal()
    with pytest.raises(NoTokenError, match=r"standard input: .*spaces"):
        read_stream(io.StringIO(f"{CANARY}\n{CANARY}\n"))
    with pytest.raises(NoTokenError, match="too long"):
        read_stream(io.StringIO("x" * 1_000_000))


def test_standard_input_that_is_no_text_leaks_nothing():
    """
    Bytes that cannot be decoded are a fault, and no error in the chain holds them.
    """
    stream = io.TextIOWrapper(io.BytesIO(CANARY.encode() + b"\xff"), "utf-8")

    with pytest.raises(NoTokenError, match="non-ASCII") as caught:
        read_stream(stream)

    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("env", "source"),
    [
        ({"KREA_API_KEY": CANARY}, "KREA_API_KEY"),
        ({"KREA_API_TOKEN": CANARY}, "KREA_API_TOKEN"),
        ({"KREA_API_KEY": CANARY, "KREA_API_TOKEN": "other-token"}, "KREA_API_KEY"),
        ({"KREA_API_KEY": "", "KREA_API_TOKEN": CANARY}, "KREA_API_TOKEN"),
    ],
)
def test_variable_wins_without_the_keyring(env, source):
    """
    KREA_API_KEY, then KREA_API_TOKEN; the keyring is not even built (C1, C8).
    """
    token = find_token(env, ORIGIN, never)

    assert (CANARY, source) == (token.reveal(), token.source)


def test_broken_variable_is_an_error_and_not_skipped():
    """
    A token with a fault does not silently give way to another one.
    """
    with pytest.raises(NoTokenError, match=r"KREA_API_KEY: .*spaces"):
        find_token({"KREA_API_KEY": "a b", "KREA_API_TOKEN": CANARY}, ORIGIN, never)


def test_keyring_is_asked_once_when_no_variable_is_set():
    """
    One read, and its token is the one to use.
    """
    keyring = Keyring(Token(CANARY, "keyring"))

    assert CANARY == find_token({}, ORIGIN, lambda: keyring).reveal()
    assert 1 == keyring.reads


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "KREA_API_KEY is not set"),
        ({"KREA_API_KEY": ""}, "KREA_API_KEY is set but empty"),
        (
            {"KREA_API_KEY": "", "KREA_API_TOKEN": ""},
            "KREA_API_KEY and KREA_API_TOKEN are set but empty",
        ),
    ],
)
@pytest.mark.parametrize(
    ("held", "message"),
    [
        (None, f"the keyring has none for {ORIGIN}."),
        (
            KeyringError("The keyring is locked.", hint="h"),
            "The keyring is locked.",
        ),
    ],
)
def test_no_token_names_the_empty_variable(env, said, held, message):
    """
    A variable that is there and empty, as a missing CI secret is, is told.
    """
    with pytest.raises(NoTokenError) as caught:
        find_token(env, ORIGIN, lambda: Keyring(held))

    assert f" {said}" in caught.value.message
    assert caught.value.message.endswith(message)
    assert caught.value.hint
    assert ("keyring" if held else "no_token") == caught.value.code


def test_no_token_where_there_is_no_keyring():
    """
    There is no place to look for one, so that it is missing is all that is wrong.
    """
    trouble = NoKeyringError("There is no keyring.", hint="Set KREA_API_KEY.")

    with pytest.raises(NoTokenError) as caught:
        find_token({}, ORIGIN, lambda: Keyring(trouble))

    assert f"{NO_VARIABLE}There is no keyring." == caught.value.message
    assert "no_token" == caught.value.code


STORED = Token(CANARY, "keyring")
TROUBLE = KeyringError("The keyring is locked.")


@pytest.mark.parametrize(
    ("env", "held", "sources", "problem", "error"),
    [
        ({}, STORED, ("keyring",), None, None),
        ({"KREA_API_KEY": CANARY}, None, ("KREA_API_KEY",), None, None),
        (
            {"KREA_API_KEY": CANARY, "KREA_API_TOKEN": CANARY},
            STORED,
            ("KREA_API_KEY", "KREA_API_TOKEN", "keyring"),
            None,
            None,
        ),
        ({"KREA_API_KEY": CANARY}, TROUBLE, ("KREA_API_KEY",), TROUBLE, None),
        ({}, None, (), None, "No API token found"),
        ({"KREA_API_KEY": ""}, None, (), None, "KREA_API_KEY is set but empty"),
        ({}, TROUBLE, (), TROUBLE, "locked"),
        ({"KREA_API_KEY": "a b"}, STORED, ("KREA_API_KEY", "keyring"), None, "spaces"),
    ],
)
def test_survey_tells_every_place(env, held, sources, problem, error):
    """
    The source in use comes first, what it hides follows; trouble with the keyring is an
    error only when no variable has a token.
    """
    keyring = Keyring(held)

    state = find_all_tokens(env, ORIGIN, lambda: keyring)

    assert sources == state.sources
    assert problem is state.problem
    assert (error or "None") in str(state.error)
    assert 1 == keyring.reads
    assert keyring is state.keyring


def test_survey_without_a_keyring_library():
    """
    A library that does not load is told as trouble, too.
    """

    def broken():
        raise TROUBLE

    state = find_all_tokens({"KREA_API_KEY": CANARY}, ORIGIN, broken)

    assert (None, TROUBLE, None) == (state.keyring, state.problem, state.error)


def test_variables_in_use():
    """
    Those that hold something, the one in use first.
    """
    env = {"KREA_API_TOKEN": "b", "KREA_API_KEY": "a"}

    assert ["KREA_API_KEY", "KREA_API_TOKEN"] == set_variables(env)
    assert find_in_env({"KREA_API_KEY": ""}) is None
