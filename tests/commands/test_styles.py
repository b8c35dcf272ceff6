"""
The whole program: `krea styles`, and `generate --style`.
"""

from __future__ import annotations

import json

import pytest
from service import answer, reset, reset_after

PUBLIC = "a816d79d-55c9-43ee-81c3-8330ffe79e6c"
FLUX = ("-m", "flux-1-dev")


@pytest.fixture
def train(logged_in, photo):
    def train(*words):
        return logged_in("styles", "train", "My ink", photo, "--model", "k2", *words)

    return train


def style_of(result):
    return json.loads(result.out)["style_id"]


def test_train_prints_a_style_that_generate_takes(logged_in, service, train):
    trained = train("--trigger", "ink")
    style = trained.out.strip()
    body = logged_in("jobs", "show", "--json").out
    made = logged_in("generate", "an owl", *FLUX, "--style", f"{style}:0.5", "-q")
    [job, _] = service.store.jobs()

    assert (0, 0) == (trained.code, made.code)
    assert [{"id": style, "strength": 0.5}] == job.fields["styles"]
    assert {"model": "k2", "name": "My ink", "trigger_word": "ink"}.items() <= (
        json.loads(body)["request"]["body"].items()
    )


def test_train_without_waiting_leaves_the_style_to_wait(logged_in, train):
    submitted = train("--no-wait")
    waited = logged_in("wait")
    saved = logged_in("wait", "-o", ".")
    style = style_of(logged_in("status", "--json"))

    assert (0, 0) == (submitted.code, waited.code)
    assert f"{submitted.out.strip()}\tcompleted\t{style}\n" == waited.out
    assert f"{style}\n" == saved.out


def test_train_with_a_limit_needs_consent_to_an_unknown_price(service, train):
    refused = train("--max-cost", "5")
    bills = service.bills
    allowed = train("--max-cost", "5", "--allow-unknown-cost")

    assert (5, 0, 0) == (refused.code, bills, allowed.code)
    assert [] == [each for each in service.seen[:1] if each.path == "/styles/train"]


@pytest.mark.parametrize(
    ("fault", "code", "bills"),
    [
        (reset, 11, 0),
        (answer(402, {"error": "no"}), 5, 0),
        (answer(401, {"error": "no"}), 4, 0),
        (answer(422, {"error": "no"}), 2, 0),
    ],
)
def test_train_ends_with_the_code_of_a_fault(service, train, fault, code, bills):
    service.faults["POST /styles/train"] = [fault]

    assert (code, bills) == (train("-q").code, service.bills)
    assert 1 == len(service.requests("POST /styles/train"))


def test_train_finds_its_job_after_a_lost_response(logged_in, service, train):
    service.faults["POST /styles/train"] = [reset_after]
    lost = train("-q")
    [job] = service.store.jobs()
    adopted = logged_in("jobs", "recover", "--adopt", job.job_id)
    waited = logged_in("wait", job.job_id, "-q")

    assert (11, 0, 0) == (lost.code, adopted.code, waited.code)
    assert job.style_id in waited.out
    assert 1 == service.bills


def test_train_waits_where_the_service_is_busy(service, train):
    service.faults["POST /styles/train"] = [answer(429, {"error": "later"})]

    assert (0, 1) == (train("-q").code, service.bills)


def test_train_dry_run_sends_nothing(service, train):
    shown = json.loads(train("--dry-run", "--json").out)

    assert f"{service.url}/styles/train" == shown["url"]
    assert [] == service.seen


@pytest.mark.parametrize(
    "words",
    [
        ("--type", "Default"),
        ("--steps", "2001"),
        ("--model", "k9"),
        ("--webhook", "nope"),
        ("clip.mp3",),
    ],
)
def test_train_refuses_what_the_service_would(service, train, words):
    assert 2 == train(*words).code
    assert [] == service.seen


def test_list_has_own_and_public_styles(logged_in, train):
    style = train("-q").out.strip()

    def listed(*words):
        lines = logged_in("styles", "list", *words).out.splitlines()
        return [line.split("\t")[0] for line in lines]

    assert [style, PUBLIC] == listed()
    assert [style] == listed("--mine")
    assert [PUBLIC] == listed("--public")
    assert [style] == listed("MY INK")
    assert [PUBLIC] == listed("--model", "flux_dev")
    assert [style] == listed("--limit", "1")
    assert 2 == logged_in("styles", "list", "--mine", "--public").code


def test_show_has_the_facts_of_a_style(logged_in):
    shown = json.loads(logged_in("styles", "show", PUBLIC, "--json").out)
    missing = logged_in("styles", "show", "nope")

    assert (PUBLIC, True) == (shown["id"], shown["public"])
    assert (2, True) == (missing.code, "Style nope not found." in missing.err)


@pytest.mark.parametrize("width", [40, 100])
def test_styles_are_drawn_on_a_terminal(logged_in, train, width):
    logged_in.is_terminal, logged_in.width = True, width
    trained = train()
    listed = logged_in("styles", "list")
    shown = logged_in("styles", "show", PUBLIC)

    assert (0, 0, 0) == (trained.code, listed.code, shown.code)
    assert "My ink" in listed.out
    assert "Sandbox watercolor" in shown.out


def test_style_is_refused_where_the_model_has_no_field_for_it(logged_in, service):
    result = logged_in("generate", "an owl", "--style", PUBLIC)

    assert 2 == result.code
    assert "takes no trained styles" in result.err
    assert [] == service.seen


@pytest.mark.parametrize("style", ["", ":1", "a b", f"{PUBLIC}:x", f"{PUBLIC}:3"])
def test_style_that_cannot_be_sent_is_refused(logged_in, service, style):
    assert 2 == logged_in("generate", "an owl", *FLUX, "--style", style).code
    assert [] == service.seen
