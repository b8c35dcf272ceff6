"""
Keyring backends with the faults of real ones.

Child processes select one with PYTHON_KEYRING_BACKEND=config.backends.NAME. In-process
tests pass one to KeyringStore. Some store tokens in the file BACKEND_FILE, so that
tests can read it.
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
    Store tokens in memory, and count the calls.
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
    Store tokens in a file, and log the calls.
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
    Store tokens in plain text, as its priority below 1 says.
    """

    priority = 0.5


class Forgetful(Memory):
    """
    Accept a token and lose it, as macOS does over SSH.
    """

    def set_password(self, service, username, password):
        pass


class Altering(Memory):
    """
    Return another text than the stored one.
    """

    def get_password(self, service, username):
        password = super().get_password(service, username)
        return password and password[:-1]


class Stubborn(Memory):
    """
    Report a deletion without deleting.
    """

    def delete_password(self, service, username):
        self.calls.append("delete")


class Hanging(Memory):
    """
    Hang in every call. Create BACKEND_FILE first.
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
    Raise `failure` in every call.
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
    Raise the error of a keyring that only a person can unlock.
    """

    def __init__(self):
        super().__init__(KeyringLocked("Failed to unlock the collection!"))


class Chain(ChainerBackend):
    """
    Try several backends in order.
    """

    priority = 10
    backends = ()

    def __init__(self, *backends):
        super().__init__()
        self.backends = backends
