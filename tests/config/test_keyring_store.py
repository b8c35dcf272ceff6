from __future__ import annotations

import time

import pytest
from config.backends import (
    Altering,
    Chain,
    Failing,
    Forgetful,
    Hanging,
    Locked,
    Memory,
    PlainText,
    Stubborn,
)
from keyring.backends import fail, null

from krea_cli.config.keyring_store import KeyringStore
from krea_cli.config.token import Token
from krea_cli.errors import KeyringError, NoTokenError

CANARY = "5c1f2b7e:canary-T0ken-9d8c"
ORIGIN = "https://api.krea.ai"
ITEM = ("krea-cli", ORIGIN)
TOKEN = Token(CANARY, "x")


def credentials(backend, **more):
    return KeyringStore(ORIGIN, load=lambda: backend, **more)


def test_stored_token_is_found_and_removed():
    """
    One item, named after program and origin; one read for each command.
    """
    backend = Memory()

    credentials(backend).store(TOKEN)
    assert {ITEM: CANARY} == backend.items
    assert ["set", "get"] == backend.calls

    backend.calls.clear()
    found = credentials(backend).find()
    assert (CANARY, "the keyring") == (found.reveal(), found.source)
    assert ["get"] == backend.calls

    backend.calls.clear()
    assert credentials(backend).remove()
    assert {} == backend.items
    assert ["delete", "get"] == backend.calls


def test_nothing_stored():
    """
    No token is None, and removing it says that there was none.
    """
    keyring = credentials(Memory())

    assert keyring.find() is None
    assert not keyring.remove()


def test_token_of_another_origin_is_not_found():
    """
    A token is only ever given to the origin that it was stored for.
    """
    backend = Memory()
    credentials(backend).store(TOKEN)

    other = KeyringStore(f"{ORIGIN}.evil.test", load=lambda: backend)

    assert other.find() is None


def test_stored_text_that_is_no_token_is_refused():
    """
    What another program left there never becomes a header.
    """
    backend = Memory()
    backend.items[ITEM] = f"{CANARY}\nX: y"

    with pytest.raises(NoTokenError, match="keyring: it contains spaces") as caught:
        credentials(backend).find()

    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [KeyringStore.find, lambda keyring: keyring.store(TOKEN), KeyringStore.remove],
    ids=["find", "store", "remove"],
)
def test_call_that_hangs_is_given_up(call):
    """
    Each method ends with an error when the keyring does not answer.
    """
    began = time.monotonic()
    with pytest.raises(KeyringError, match=r"0\.05 s") as caught:
        call(credentials(Hanging(), limit=0.05))

    assert time.monotonic() - began < 1
    assert "KREA_API_KEY" in caught.value.hint


@pytest.mark.parametrize(
    "backend",
    [
        null.Keyring(),
        fail.Keyring(),
        Chain(Memory(), null.Keyring()),
        type("PlaintextKeyring", (Memory,), {"__module__": "keyrings.alt.file"})(),
        type("Low", (Memory,), {"priority": 0.9})(),
    ],
    ids=lambda backend: type(backend).__name__,
)
def test_unsafe_keyring_is_refused(backend):
    """
    One that forgets or stores plain text is never used; its class is named (C3, C4).
    """
    for call in (
        lambda keyring: keyring.find(),
        lambda keyring: keyring.store(TOKEN),
        lambda keyring: keyring.remove(),
    ):
        keyring = credentials(backend)
        with pytest.raises(KeyringError, match="no secure keyring") as caught:
            call(keyring)
        assert keyring.backend in caught.value.message
        assert "KREA_API_KEY" in caught.value.hint
    assert not getattr(backend, "calls", None)


@pytest.mark.parametrize("backend", [Forgetful(), Altering()])
def test_token_is_read_back(backend):
    """
    A keyring that did not keep the token is an error at login.
    """
    with pytest.raises(KeyringError, match="did not store"):
        credentials(backend).store(TOKEN)


def test_logout_empties_every_part_of_a_chain():
    """
    The chain itself deletes in its first part only; here no part keeps it.
    """
    first, second = Memory(), Memory()
    second.items[ITEM] = CANARY
    keyring = credentials(Chain(first, second))

    assert CANARY == keyring.find().reveal()
    assert keyring.remove()

    assert ({}, {}) == (first.items, second.items)
    assert keyring.find() is None


def test_token_that_stays_is_an_error():
    """
    Logout does not claim what did not happen, and does not try for ever.
    """
    backend = Stubborn()
    backend.items[ITEM] = CANARY

    with pytest.raises(KeyringError, match="remove the token"):
        credentials(backend).remove()

    assert ["delete", "get"] * 5 == backend.calls


class CredentialError(Exception):
    """
    As pywintypes.error.
    """

    winerror = 1783


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (OSError(CANARY), r"\(config.backends.Failing\) failed: OSError"),
        (RuntimeError(CANARY), "failed: RuntimeError"),
        (Exception("(-25308, 'Unknown Error')", CANARY), "is locked"),
        (CredentialError(1783, "CredWrite", CANARY), "1280 characters"),
        (SystemExit(CANARY), "failed: SystemExit"),
        (KeyboardInterrupt(CANARY), "failed: KeyboardInterrupt"),
    ],
)
def test_failure_is_explained_without_what_the_backend_said(failure, said):
    """
    Any exception is one clear error; its text, which may hold the token, is not shown.
    """
    with pytest.raises(KeyringError, match=said) as caught:
        credentials(Failing(failure)).store(TOKEN)

    assert CANARY not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_keyring_that_gives_no_text_is_told():
    """
    What it gives is neither used nor shown.
    """
    backend = Memory()
    backend.items["krea-cli", ORIGIN] = CANARY.encode()

    with pytest.raises(KeyringError, match="failed: TypeError") as caught:
        credentials(backend).find()

    assert CANARY not in caught.value.message + caught.value.hint


def test_locked_keyring_is_told():
    """
    The way out of a locked keyring is to unlock it.
    """
    with pytest.raises(KeyringError, match="is locked") as caught:
        credentials(Locked()).find()

    assert "Unlock it" in caught.value.hint


def test_keyring_that_does_not_open():
    """
    A backend class that cannot be loaded is one line with the reason.
    """

    def load():
        raise ModuleNotFoundError("No module\nnamed 'no'")

    keyring = KeyringStore(ORIGIN, load=load)
    with pytest.raises(KeyringError) as caught:
        keyring.find()

    assert "ModuleNotFoundError: No module named 'no'" in caught.value.message
    assert keyring.backend is None


def test_backend_and_its_config_file_are_known(tmp_path, monkeypatch):
    """
    The class, and the file that may choose it, can be shown after a call.
    """
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    keyring = credentials(Memory())

    keyring.find()
    assert ("config.backends.Memory", None) == (keyring.backend, keyring.config_file)

    file = tmp_path / "python_keyring" / "keyringrc.cfg"
    file.parent.mkdir()
    file.touch()
    keyring.find()
    assert str(file) == keyring.config_file


def test_plain_text_backend_is_unsafe_by_its_priority(tmp_path, monkeypatch):
    """
    Nothing is written by a backend that says of itself that it is not recommended.
    """
    monkeypatch.setenv("BACKEND_FILE", str(tmp_path / "items"))

    with pytest.raises(KeyringError):
        credentials(PlainText()).store(TOKEN)

    assert [] == list(tmp_path.iterdir())
