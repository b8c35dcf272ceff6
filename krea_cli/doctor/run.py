"""
Run all checks, one after the other, whatever becomes of each.

No check creates or changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from krea_cli.errors import BugError, KreaError, StorageError
from krea_cli.output.results.checks import CheckResult, fault, warning

Check = Callable[[], Iterator[CheckResult]]


def run_checks(checks: Mapping[str, Check]) -> Iterator[CheckResult]:
    """
    Yield the results of each check as soon as they are known.

    A check that fails becomes a result, and the others go on; a failure that stops
    several checks is reported once.
    """
    reported = set()
    for name, check in checks.items():
        try:
            yield from check()
        except KreaError as exc:
            if exc.message in reported:
                yield warning(name, "not checked (see above)")
            else:
                yield fault(name, exc)
            reported.add(exc.message)
        except OSError as exc:
            yield fault(name, StorageError(f"Cannot check: {exc}."))
        except Exception as exc:  # noqa: BLE001  (the others must go on)
            hint = "This is a bug in krea. Report it with this line."
            yield fault(name, BugError("This check crashed", exc, hint=hint))
