"""
All checks, one after the other, whatever becomes of each.

Nothing is created and nothing changed by looking (P9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from krea_cli.cli.context import CliContext
from krea_cli.doctor import credentials, network, program, settings, storage, terminal
from krea_cli.errors import BugError, KreaError, StorageError
from krea_cli.output.results.checks import CheckResult, fault, warning

# What comes first is what others hang on.
CHECKS: tuple[Callable[[CliContext], Iterator[CheckResult]], ...] = (
    program.krea,
    program.path,
    program.codecs,
    settings.settings,
    settings.proxy,
    settings.certificates,
    credentials.token,
    credentials.keyring,
    network.service,
    storage.models,
    storage.journal,
    storage.doubt,
    terminal.terminal,
)


def run_checks(session: CliContext) -> Iterator[CheckResult]:
    """
    What each check finds, as soon as it is found.  A check that fails is a finding, and
    the others go on; what is in the way of several is told once.
    """
    told = set()
    for check in CHECKS:
        name = check.__name__
        try:
            yield from check(session)
        except KreaError as exc:
            if exc.message in told:
                yield warning(name, "not checked, for the reason above")
            else:
                yield fault(name, exc)
            told.add(exc.message)
        except OSError as exc:
            yield fault(name, StorageError(f"It cannot be checked: {exc}."))
        except Exception as exc:  # noqa: BLE001  (the others must go on)
            hint = "This is a bug in krea: report it, with this line."
            yield fault(name, BugError("The check broke", exc, hint=hint))
