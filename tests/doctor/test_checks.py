from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from krea_cli.api.client import HealthCheck
from krea_cli.config.token import TokenSources
from krea_cli.doctor.credentials import check_keyring, check_token
from krea_cli.doctor.network import check_service
from krea_cli.doctor.storage import check_journal, check_models, check_unconfirmed
from krea_cli.errors import (
    Action,
    NoTokenError,
    ResponseLostError,
    ServerError,
    Step,
    TokenRejectedError,
)


class StubJournal:
    """
    The read-only journal, with these answers.
    """

    def __init__(self, *, count=None, unconfirmed=(), elsewhere=()):
        self.count = lambda: count
        self.unconfirmed = lambda _: list(unconfirmed)
        self.unconfirmed_elsewhere = lambda _: list(elsewhere)


def asked(rejection=None, clock_skew=None, *, has_token=True):
    times = iter([10.0, 10.25])
    return [
        (each.check, each.state, each.message)
        for each in check_service(
            lambda: HealthCheck(rejection=rejection, clock_skew=clock_skew),
            service_name="https://api.example",
            has_token=has_token,
            now=lambda: next(times),
        )
    ]


def test_check_service_accepted_token_is_two_results():
    assert [
        ("service", "ok", "https://api.example responds in 250 ms"),
        ("access", "ok", "token accepted"),
    ] == asked()


def test_check_service_rejected_token_leaves_the_service_ok():
    service, access = asked(TokenRejectedError("No."))

    assert ("service", "ok") == service[:2]
    assert ("access", "fault", "No.") == access


def test_check_service_broken_service_says_nothing_of_the_token():
    assert [("service", "fault", "Down.")] == asked(ServerError("Down."))


def test_check_service_without_token_reports_no_access():
    assert ["service"] == [check for check, *_ in asked(has_token=False)]


@pytest.mark.parametrize(
    ("clock_skew", "state", "said"),
    [
        (60.0, "ok", "correct"),
        (61.0, "warning", "61 seconds behind"),
        (-7200.0, "warning", "2 hours ahead"),
        (3 * 86_400.0, "warning", "3 days behind"),
    ],
)
def test_check_service_compares_the_clocks(clock_skew, state, said):
    *_, clock = asked(clock_skew=clock_skew)

    assert ("clock", state) == clock[:2]
    assert said in clock[2]


def test_check_service_lost_response_hints_at_a_proxy():
    def lost():
        raise ResponseLostError("Lost.")

    with pytest.raises(ResponseLostError, match="Lost") as caught:
        list(check_service(lost, service_name="", has_token=True, now=lambda: 0.0))

    assert "proxy and firewall" in caught.value.hint


def sources(*names, problem=None, error=None):
    return TokenSources(
        sources=names, token=None, keyring=None, problem=problem, error=error
    )


@pytest.mark.parametrize("check", [check_token, check_keyring])
def test_check_credentials_of_the_sandbox_are_ok(check):
    assert ["ok"] == [each.state for each in check(None)]


def test_check_token_names_its_source_and_hidden_ones():
    [result] = check_token(sources("KREA_API_TOKEN", "the keyring"))

    assert "from KREA_API_TOKEN, overrides the keyring" == result.message


def test_check_keyring_problem_hints_only_without_a_token():
    locked = NoTokenError("Locked.", hint="Unlock it.")

    [harmless] = check_keyring(sources("KREA_API_TOKEN", problem=locked))
    [missing] = check_keyring(sources(problem=locked, error=NoTokenError("None.")))
    [twice] = check_keyring(sources(problem=locked, error=NoTokenError("Locked. No.")))

    assert ("Locked.", None) == (harmless.message, harmless.hint)
    assert ("Locked.", "Unlock it.") == (missing.message, missing.hint)
    assert "see above" in twice.message


@pytest.mark.parametrize(
    ("days", "may_be_refreshed", "state"),
    [(30, True, "ok"), (31, True, "warning"), (31, False, "ok")],
)
def test_check_models_old_list_is_a_warning(days, may_be_refreshed, state):
    catalogue = SimpleNamespace(date="1970-01-01", models=[])
    now = days * 86_400.0

    [result] = check_models(catalogue, now=now, may_be_refreshed=may_be_refreshed)

    assert state == result.state
    expected = (Step(Action.REFRESH_MODELS),) if state == "warning" else ()
    assert expected == result.advice


def test_check_journal_counts_records(tmp_path):
    [missing] = check_journal(tmp_path, StubJournal())
    [found] = check_journal(tmp_path, StubJournal(count=3))

    assert f"not created yet, will be in {tmp_path}" == missing.message
    assert f"intact, 3 records in {tmp_path}" == found.message


def test_check_journal_file_in_place_of_the_folder_is_a_fault(tmp_path):
    path = Path(tmp_path, "state")
    path.touch()

    [result] = check_journal(path, StubJournal())

    assert ("fault", True) == (
        result.state,
        f"{path} is not a folder" in result.message,
    )


def test_check_unconfirmed_counts_requests_here_before_elsewhere():
    [nothing] = check_unconfirmed(StubJournal(), "here")
    [here] = check_unconfirmed(StubJournal(unconfirmed=[1, 2], elsewhere=["x"]), "here")
    [elsewhere] = check_unconfirmed(StubJournal(elsewhere=["x", "y"]), "here")

    assert ["ok", "warning", "warning"] == [
        each.state for each in (nothing, here, elsewhere)
    ]
    assert "2 unconfirmed requests" in here.message
    assert here.advice == (Step(Action.FIND_LOST),)
    assert "none here, but x and y have some" == elsewhere.message
    assert ("To check them, add --api-url x.",) == elsewhere.advice
