from __future__ import annotations

import pytest

from krea_cli.doctor.run import run_checks
from krea_cli.errors import ConfigError
from krea_cli.output.results.checks import ok


def fine():
    yield ok("fine", "all is well")


def failing(error):
    def check():
        yield ok("begun", "so far")
        raise error

    return check


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError("Broken."), "config", "Broken."),
        (PermissionError(13, "No"), "storage", "Cannot check: "),
        (ZeroDivisionError("zero"), "bug", "This check crashed"),
    ],
)
def test_run_checks_failing_check_is_a_result_and_the_others_run(error, code, message):
    results = list(run_checks({"bad": failing(error), "fine": fine}))

    assert ["begun", "bad", "fine"] == [each.check for each in results]
    assert ["ok", "fault", "ok"] == [each.state for each in results]
    assert code == results[1].error.code
    assert message in results[1].message


def test_run_checks_same_failure_twice_is_reported_once():
    checks = {name: failing(ConfigError("Broken.")) for name in ("one", "two")}

    _, first, _, second = run_checks(checks)

    assert ("fault", "Broken.") == (first.state, first.message)
    assert ("warning", "two") == (second.state, second.check)
    assert "see above" in second.message
