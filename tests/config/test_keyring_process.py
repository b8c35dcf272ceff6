"""
The whole program with keyrings that do not work as they should.
"""

from __future__ import annotations

import json
import signal
import sys
import time

import pytest
from config.processes import CANARY, Krea, tells_canary
from service import Service

pytestmark = pytest.mark.long

JOB = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def items(tmp_path):
    """
    Where the backends of the tests store: outside the folders of krea.
    """
    return tmp_path / "items.json"


@pytest.fixture
def krea(tmp_path, items):
    def using(backend, *path, **env):
        env |= {"PYTHON_KEYRING_BACKEND": backend, "BACKEND_FILE": str(items)}
        return Krea(tmp_path / "home", env, path)

    return using


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("service"), token=CANARY)
    service.start()
    yield service
    service.stop()


def test_keyring_that_hangs_is_given_up_after_three_seconds(krea):
    """
    Every command that needs the keyring ends with exit 4, within a second
    beside what the same commands take with a keyring that answers at once.
    """
    lines = (
        ["auth", "status"],
        ["auth", "login", "--no-verify"],
        ["auth", "logout"],
        ["status", JOB],
    )

    usual = krea("keyring.backends.fail.Keyring").together(*lines, stdin=CANARY)

    for ran in krea("config.backends.Hanging").together(*lines, stdin=CANARY):
        assert 4 == ran.code, ran.said
        assert 3 <= ran.seconds <= 4 + usual[0].seconds
        assert "did not respond within 3 s" in ran.stderr
        assert "KREA_API_KEY" in ran.stderr
        assert not tells_canary(ran.said)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")
def test_interrupt_does_not_wait_for_the_keyring(krea, items):
    """
    Ctrl-C while the keyring hangs ends the program within a second.
    """
    process = krea("config.backends.Hanging").start("auth", "status")
    while not items.exists() and process.poll() is None:
        time.sleep(0.01)

    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=10)

    assert -signal.SIGINT == process.returncode, stderr
    assert time.monotonic() - began <= 1
    assert "" == stdout


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("keyring.backends.null.Keyring", "keyring.backends.null.Keyring"),
        ("keyring.backends.fail.Keyring", "keyring.backends.fail.Keyring"),
        ("keyring.backends.chainer.ChainerBackend", "no secure keyring"),
        ("keyrings.alt.file.PlaintextKeyring", "keyrings.alt.file.PlaintextKeyring"),
        ("config.backends.PlainText", "config.backends.PlainText"),
        ("config.backends.Forgetful", "did not store"),
        ("config.backends.Failing", "failed: OSError"),
        ("config.backends.Locked", "is locked"),
        ("no.such.Backend", "No module named 'no'"),
        ("config.backends.Missing", "no attribute 'Missing'"),
        ("", "ValueError"),
    ],
)
def test_login_into_a_bad_keyring_is_one_clear_error(krea, tmp_path, backend, said):
    """
    Exit 4, one line with the reason, both ways out, and no token anywhere (C2, C3, C4).
    """
    alt = tmp_path / "site" / "keyrings" / "alt"
    alt.mkdir(parents=True)
    (alt / "file.py").write_text(
        "from config.backends import InFile\nclass PlaintextKeyring(InFile): pass\n"
    )
    run = krea(backend, str(tmp_path / "site")).run

    ran = run("auth", "login", "--no-verify", stdin=CANARY)

    assert 4 == ran.code, ran.said
    error, *hints = ran.stderr.splitlines()
    assert error.startswith("error: ")
    assert said in error
    assert "KREA_API_KEY" in " ".join(hints)
    assert "krea config set token_command" in hints[-1]
    assert "" == ran.stdout
    for file in tmp_path.rglob("*"):
        assert not (file.is_file() and tells_canary(file.read_text("latin-1")))


PLUGINS = """
import os, pathlib
from keyring.backend import KeyringBackend

class Good(KeyringBackend):
    priority = 5
    file = pathlib.Path(os.environ["BACKEND_FILE"])

    def get_password(self, service, username):
        return self.file.read_text() if self.file.exists() else None

    def set_password(self, service, username, password):
        self.file.write_text(password)

class Plain(Good):
    priority = 0.5
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere it would reach the user's own keyring"
)
def test_good_keyring_is_chosen_beside_bad_ones(krea, tmp_path):
    """
    A plain-text backend that is installed, too, and a plugin that does not load change
    nothing: the good one is used alone, and no traceback is shown.
    """
    info = tmp_path / "plugins-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugins\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[keyring.backends]\ngood = plugins\nbroken = no.such.module\n"
    )
    (tmp_path / "plugins.py").write_text(PLUGINS)
    one = krea("", str(tmp_path))
    del one.env["PYTHON_KEYRING_BACKEND"]

    ran = one.run("auth", "login", "--no-verify", "--json", stdin=CANARY)

    assert 0 == ran.code, ran.said
    assert "plugins.Good" == json.loads(ran.stdout)["backend"]
    assert "" == ran.stderr


def test_broken_keyring_library_is_one_clear_error(krea, tmp_path):
    """
    A library that does not load is no bug of krea's.
    """
    (tmp_path / "keyring.py").write_text("raise ImportError('no cffi')")

    ran = krea("x", str(tmp_path)).run("auth", "status", "--json")

    assert 4 == ran.code, ran.said
    assert "keyring" == json.loads(ran.stderr)["error"]["code"]
    assert json.loads(ran.stdout)["backend"] is None


def test_empty_variable_and_no_keyring_are_told_together(krea):
    """
    A secret that CI does not have leaves an empty variable: that is named.
    """
    ran = krea("keyring.backends.fail.Keyring", KREA_API_KEY="").run("status", JOB)

    assert 4 == ran.code
    assert "KREA_API_KEY is set but empty" in ran.stderr


def test_one_token_from_login_to_logout(krea, items, service):
    """
    Stored once, read at most once by each command, gone in the end.
    """
    one = krea("config.backends.InFile", KREA_API_URL=service.url)

    def calls():
        return json.loads(items.read_text())[0]

    login = one.run("auth", "login", stdin=f"{CANARY}\n")
    assert 0 == login.code, login.said
    assert ["set", "get"] == calls()

    use = one.run("status", JOB)
    assert 2 == use.code, use.said  # the service knows no such job: the token was taken
    assert ["get"] == calls()[2:]

    status = one.run("auth", "status", "--json")
    assert 0 == status.code, status.said
    assert {
        "source": "keyring",
        "shadows": [],
        "origin": service.url,
        "backend": "config.backends.InFile",
        "keyring_config": None,
        "problem": None,
    } == json.loads(status.stdout)
    assert ["get"] == calls()[3:]

    logout = one.run("auth", "logout")
    assert 0 == logout.code, logout.said
    assert ["delete", "get"] == calls()[4:]
    assert CANARY not in items.read_text()

    again = one.run("auth", "status", "--json")
    assert 4 == again.code
    assert json.loads(again.stdout)["source"] is None

    for ran in (login, use, status, logout, again):
        assert not tells_canary(ran.said)
    assert [] == one.leaks()


def test_variable_leaves_the_keyring_alone(krea, items, service):
    """
    With a token in the environment no command that uses it asks the keyring (C1, C8).
    """
    one = krea("config.backends.Hanging", KREA_API_URL=service.url, KREA_API_KEY=CANARY)

    ran = one.run("status", JOB)

    assert 2 == ran.code, ran.said
    assert ran.seconds < 3
    assert not items.exists()
    assert not tells_canary(ran.said)


def test_rejected_token_is_not_stored(krea, items, service):
    """
    Login asks the service first, and exit 4 says that it said no.
    """
    one = krea("config.backends.InFile", KREA_API_URL=service.url)

    ran = one.run("auth", "login", "--json", stdin="not-the-right-token")

    assert 4 == ran.code, ran.said
    assert "token_rejected" == json.loads(ran.stderr)["error"]["code"]
    assert not items.exists()


def test_stored_token_is_not_sent_to_another_origin(krea, service, tmp_path):
    """
    A changed API URL does not get the token of the usual one.
    """
    one = krea("config.backends.InFile")
    assert 0 == one.run("auth", "login", "--no-verify", stdin=CANARY).code

    ran = one.run("status", JOB, KREA_API_URL=service.url)

    assert 4 == ran.code, ran.said
    assert f"none for {service.url}" in ran.stderr


def test_token_cannot_be_given_on_the_command_line(krea):
    """
    There is no option for it: the list of processes would show it.
    """
    ran = krea("config.backends.InFile").run("auth", "login", "--token", "x")

    assert 2 == ran.code
    assert "--token" in ran.stderr
