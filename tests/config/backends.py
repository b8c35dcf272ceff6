"""
Keyrings that behave as real ones do on a bad day; selected in a child process with
PYTHON_KEYRING_BACKEND=config.backends.NAME, in-process given to Credentials.

Those that store do it in the file that BACKEND_FILE names, so that a test can look.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.backends.chainer import ChainerBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class Memory(KeyringBackend):
    """
    Keeps what it is given; counts the calls.
    """

    priority = 5

    def __init__(self):
        super().__init__()
        self.items = {}
        self.calls = []

    def get_password(self, service, username):
        self.calls.append("get")
        return self.items.get((service, username))

    def set_password(self, service, username, password):
        self.calls.append("set")
        self.items[service, username] = password

    def delete_password(self, service, username):
        self.calls.append("delete")
        if self.items.pop((service, username), None) is None:
            raise PasswordDeleteError("No such password!")


class InFile(Memory):
    """
    As Memory, from one process to the next; logs its calls.
    """

    @property
    def file(self):
        return Path(os.environ["BACKEND_FILE"])

    def __init__(self):
        super().__init__()
        if self.file.exists():
            self.calls, items = json.loads(self.file.read_text())
            self.items = {tuple(key): value for key, value in items}

    def _kept(self, answer):
        state = [self.calls, [[list(k), v] for k, v in self.items.items()]]
        self.file.write_text(json.dumps(state))
        return answer

    def get_password(self, service, username):
        return self._kept(super().get_password(service, username))

    def set_password(self, service, username, password):
        return self._kept(super().set_password(service, username, password))

    def delete_password(self, service, username):
        return self._kept(super().delete_password(service, username))


class PlainText(InFile):
    """
    Stores, but not safely: a priority below 1 says so.
    """

    priority = 0.5


class Forgetful(Memory):
    """
    Takes a token and loses it, as over SSH on macOS.
    """

    def set_password(self, service, username, password):
        pass


class Altering(Memory):
    """
    Gives back something else than it took.
    """

    def get_password(self, service, username):
        password = super().get_password(service, username)
        return password and password[:-1]


class Stubborn(Memory):
    """
    Says that it deleted, and did not.
    """

    def delete_password(self, service, username):
        self.calls.append("delete")


class Hanging(Memory):
    """
    Never answers within the time of a test; BACKEND_FILE appears when it is called.
    """

    def _hang(self):
        if "BACKEND_FILE" in os.environ:
            Path(os.environ["BACKEND_FILE"]).touch()
        time.sleep(60)

    def get_password(self, *arguments):
        self._hang()

    def set_password(self, *arguments):
        self._hang()

    def delete_password(self, *arguments):
        self._hang()


class Failing(Memory):
    """
    Raises *failure* in every call.
    """

    def __init__(self, failure=None):
        super().__init__()
        self.failure = failure or OSError("dbus is gone")

    def get_password(self, *arguments):
        raise self.failure

    def set_password(self, *arguments):
        raise self.failure

    def delete_password(self, *arguments):
        raise self.failure


class Locked(Failing):
    """
    Cannot be unlocked without a person.
    """

    def __init__(self):
        super().__init__(KeyringLocked("Failed to unlock the collection!"))


class Chain(ChainerBackend):
    """
    A chain of given backends.
    """

    priority = 10
    backends = ()

    def __init__(self, *backends):
        super().__init__()
        self.backends = backends
