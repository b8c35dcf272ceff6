"""
A real Secret Service: gnome-keyring on a D-Bus session of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass

import pytest
from config.processes import CANARY, Krea, tells_canary
from service import Service

JOB = "11111111-2222-4333-8444-555555555555"
PROGRAMS = ("dbus-run-session", "dbus-send", "gnome-keyring-daemon")
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}"
    ),
]

# The daemon leaves the foreground before it is on the bus, which knows its process.
SCRIPT = """
gnome-keyring-daemon "$1" --components=secrets > "$HOME/daemon" || exit 1
echo "$DBUS_SESSION_BUS_ADDRESS"
until dbus-send --print-reply=literal --dest=org.freedesktop.DBus / \
    org.freedesktop.DBus.GetConnectionUnixProcessID string:org.freedesktop.secrets
do sleep 0.05; done
exec sleep 60
"""


@dataclass
class Desktop:
    """
    The session of a user at work: its environment, and the process of the keyring.
    """

    env: dict
    daemon: int


@pytest.fixture
def desktop(tmp_path):
    """
    Starts such a session, its keyring unlocked with a password or locked.
    """
    home = tmp_path / "home"
    for name in (".cache", "data/keyrings", "run"):
        (home / name).mkdir(parents=True, mode=0o700)
    env = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data")}
    env |= {"XDG_RUNTIME_DIR": str(home / "run")}
    buses = []

    def start(mode):
        bus = subprocess.Popen(
            ["dbus-run-session", "--", "sh", "-c", SCRIPT, "sh", mode],
            env={"PATH": os.environ["PATH"]} | env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        buses.append(bus)
        bus.stdin.write("the password of the keyring")
        bus.stdin.close()
        address = bus.stdout.readline().strip()
        daemon = int(bus.stdout.readline().split()[-1])
        return Desktop(env | {"DBUS_SESSION_BUS_ADDRESS": address}, daemon)

    yield start
    for bus in buses:
        for number in (signal.SIGCONT, signal.SIGTERM):
            os.killpg(bus.pid, number)
        bus.wait(10)
        bus.stdout.close()


@pytest.fixture
def service(tmp_path):
    service = Service(tmp_path / "service", token=CANARY)
    service.start()
    yield service
    service.stop()


def test_login_use_status_logout(desktop, service, tmp_path):
    """
    The life of a token in the keyring that most Linux desktops have.
    """
    env = desktop("--unlock").env | {"KREA_API_URL": service.url}
    krea = Krea(tmp_path / "home", env)

    login = krea.run("auth", "login", stdin=f"{CANARY}\n")
    use = krea.run("status", JOB)
    status = krea.run("auth", "status", "--json")
    hidden = krea.run("auth", "status", "--json", KREA_API_TOKEN=CANARY)
    logout = krea.run("auth", "logout")
    after = krea.run("auth", "status", "--json")

    assert 0 == login.code, login.said
    assert 2 == use.code, use.said  # the token was taken: there is no such job
    assert 0 == status.code, status.said
    said = json.loads(status.stdout)
    assert ("keyring", "keyring.backends.SecretService.Keyring") == (
        said["source"],
        said["backend"],
    )
    assert ["keyring"] == json.loads(hidden.stdout)["shadows"]
    assert 0 == logout.code, logout.said
    assert 4 == after.code, after.said
    assert json.loads(after.stdout)["source"] is None
    for ran in (login, use, status, hidden, logout, after):
        assert not tells_canary(ran.said)
    assert [] == krea.leaks()


def test_locked_keyring_is_told(desktop, tmp_path):
    """
    Where nobody can unlock it, as over SSH, the error says so and names the way out.
    """
    krea = Krea(tmp_path / "home", desktop("--start").env)

    ran = krea.run("auth", "login", "--no-verify", stdin=CANARY)

    assert 4 == ran.code, ran.said
    assert "keyring.backends.SecretService.Keyring) is locked" in ran.stderr
    assert "KREA_API_KEY" in ran.stderr
    assert not tells_canary(ran.said)


def test_service_that_stopped_answering_is_given_up(desktop, tmp_path):
    """
    The bus takes the call, no answer ever comes: exit 4 after 3 s.
    """
    stopped = desktop("--unlock")
    os.kill(stopped.daemon, signal.SIGSTOP)
    krea = Krea(tmp_path / "home", stopped.env)

    ran = krea.run("status", JOB)

    assert 4 == ran.code, ran.said
    assert 3 <= ran.seconds <= 4.5
    assert "did not respond within 3 s" in ran.stderr
