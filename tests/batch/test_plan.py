"""
The plan of a run: each situation of an item has its sign and its price.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from batch.lines import SERVICE, file, identity, image, line, sha256, wanted

from krea_cli.batch.lock import Lock
from krea_cli.batch.plan import Planner, Sign, check_cost, check_free
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.errors import CostError, InputError, TargetExistsError, UsageError


@pytest.fixture
def write(tmp_path):
    def make(name, text="result"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return file(name, sha256(text), size_bytes=len(text))

    return make


@pytest.fixture
def plan(tmp_path):
    def make(items, lines=(), *, others=(), **options):
        planner = Planner(
            lock=Lock.of(lines, SERVICE, others=others),
            disk=ResultsOnDisk(tmp_path),
            source="pictures.toml",
            **options,
        )
        return planner.plan(items)

    return make


@pytest.fixture
def step(plan):
    """
    The only step of a plan.
    """

    def make(lines=(), item=None, **options):
        [found] = plan([item or wanted()], lines, **options).steps
        return found

    return make


def test_plan_new_request_is_made(step):
    found = step()

    assert (Sign.MAKE, 0.15, 1, True) == (
        found.sign,
        found.usd,
        found.attempt,
        found.is_paid,
    )


def test_plan_changed_request_replaces_the_unchanged_result(step, write):
    old = line(files=[write("owl.png")], prompt="a cat")

    found = step([old])

    assert (Sign.CHANGE, True, 0.15) == (found.sign, found.replaces, found.usd)
    assert found.is_paid


def test_plan_changed_request_leaves_an_edited_result(step, write):
    old = line(files=[file("owl.png", "saved")], prompt="a cat")
    write("owl.png", "by hand")

    found = step([old])

    assert (Sign.CHANGE, False, False) == (found.sign, found.replaces, found.is_paid)
    assert isinstance(found.error, TargetExistsError)
    assert step([old], force=True).is_paid


def test_plan_changed_request_without_a_file_is_made(step):
    assert Sign.MAKE == step([line(prompt="a cat")]).sign


@pytest.mark.parametrize("state", ["submitted", "unconfirmed", "failed", "cancelled"])
def test_plan_job_without_result_costs_nothing(step, state):
    signs = {
        "submitted": Sign.WAIT,
        "unconfirmed": Sign.UNCONFIRMED,
        "failed": Sign.ENDED,
        "cancelled": Sign.ENDED,
    }

    found = step([line(state=state)])

    assert (signs[state], 0.0, False) == (found.sign, found.usd, found.is_paid)


def test_plan_missing_result_is_fetched(step):
    found = step([line()])

    assert (Sign.FETCH, 0.0) == (found.sign, found.usd)
    assert "job-1" == found.line.job


def test_plan_result_that_is_there_is_up_to_date(step, write):
    assert Sign.SAME == step([line(files=[write("owl.png")])]).sign


def test_plan_result_of_several_files_needs_all_of_them(step, write):
    files = [write("owl.png"), file("owl-2.png")]

    assert Sign.FETCH == step([line(files=files)]).sign
    files[1] = write("owl-2.png")
    assert Sign.SAME == step([line(files=files)]).sign


@pytest.mark.parametrize("text", ["by hand", "RESULT"])
def test_plan_edited_result_is_never_touched(step, write, text):
    saved = write("owl.png")
    write("owl.png", text)

    found = step([line(files=[saved])])

    assert (Sign.EDITED, False) == (found.sign, found.replaces)
    forced = step([line(files=[saved])], force=True)
    assert (Sign.FETCH, True, 0.0) == (forced.sign, forced.replaces, forced.usd)


def test_plan_edited_file_stays_when_another_one_is_missing(step, write):
    saved = write("owl.png")
    write("owl.png", "by hand")

    found = step([line(files=[saved, file("owl-2.png")])])

    assert (Sign.FETCH, {"owl.png"}) == (found.sign, found.keeps)


def test_plan_reverted_request_fetches_its_first_result(step, write):
    lines = [
        line(files=[file("owl.png", "gone")], at="2026-11-28T09:00:00Z"),
        line(prompt="a cat", job="job-2", record="r2", files=[write("owl.png", "cat")]),
    ]

    found = step(lines)

    assert (Sign.FETCH, True, "job-1") == (found.sign, found.replaces, found.line.job)


def test_plan_renamed_output_is_copied_or_fetched(step, write):
    old = line("old.png", files=[write("old.png")])

    found = step([old])

    assert (Sign.SAME, "old.png", 0.0) == (found.sign, found.copy_of, found.usd)
    write("old.png", "by hand")
    assert Sign.FETCH == step([old]).sign


def test_plan_renamed_output_of_another_kind_is_fetched(step, write):
    found = step([line("old.jpg", files=[write("old.jpg")])])

    assert (Sign.FETCH, None) == (found.sign, found.copy_of)


def test_plan_renamed_by_hand_is_up_to_date(step, write):
    saved = write("owl.png")

    found = step([line("old.png", files=[replace(saved, path="old.png")])])

    assert (Sign.SAME, None) == (found.sign, found.copy_of)


def test_plan_renamed_photo_costs_nothing(step, write):
    old = identity(inputs=[image("1", path="old.jpg")])
    new = identity(inputs=[image("1", path="new.jpg")])

    found = step([line(identity=old, files=[write("owl.png")])], wanted(identity=new))

    assert Sign.SAME == found.sign


def test_plan_photo_with_other_metadata_costs_nothing(step, write):
    old = identity(inputs=[image("1", sent="s")])
    new = identity(inputs=[image("2", sent="s")])

    found = step([line(identity=old, files=[write("owl.png")])], wanted(identity=new))

    assert Sign.SAME == found.sign


def test_plan_file_that_nobody_knows_stops_the_run(plan, write):
    write("owl.png", "mine")
    write("cat.png", "mine")
    items = [wanted(), wanted("cat.png", "a cat")]

    with pytest.raises(TargetExistsError) as caught:
        check_free(plan(items))
    with pytest.raises(TargetExistsError, match=r"owl.png already exists and was"):
        check_free(plan(items[:1]))

    assert ["owl.png", "cat.png"] == [each.split()[0] for each in caught.value.details]
    check_free(plan(items, force=True))


def test_plan_file_whose_sidecar_fits_is_up_to_date(step, write):
    its = line(files=(write("owl.png", "mine"),))

    found = step(in_sidecar=lambda _: its)

    assert (Sign.SAME, its, 0.0) == (found.sign, found.found, found.usd)


def test_plan_request_of_a_file_with_a_sidecar_is_fetched_for_another_output(
    plan, write
):
    its = line(files=(write("owl.png", "mine"),))
    items = [wanted("again.png"), wanted("owl.png")]

    found = plan(items, in_sidecar=lambda each: each.key == its.key and its)

    assert [Sign.FETCH, Sign.SAME] == [each.sign for each in found.steps]
    assert 0 == found.cost_usd


def test_plan_result_of_the_sandbox_is_replaced(step, write):
    sandbox = {"owl.png": [write("owl.png", "sandbox")]}

    found = step(sandbox_files=sandbox)

    assert (Sign.CHANGE, True, None) == (found.sign, found.replaces, found.error)
    write("owl.png", "edited")
    assert step(sandbox_files=sandbox).error


def test_plan_file_of_a_running_job_does_not_stop_the_run(plan, write):
    write("owl.png", "saved before the lock was written")

    found = plan([wanted()], [line(state="submitted")])

    check_free(found)
    assert (Sign.WAIT, True) == (found.steps[0].sign, found.steps[0].compares)


@pytest.mark.parametrize("state", ["submitted", "completed"])
def test_plan_edited_file_in_place_of_a_paid_result_is_not_promised(step, write, state):
    """
    The file of the request before was edited since.
    """
    before = line(prompt="an old owl", job="job-0", record="r0")
    write("owl.png", "mine")

    found = step([before, line(state=state, files=())])

    assert (Sign.CHANGE, "has changed" in found.error.message) == (found.sign, True)
    assert not found.is_paid
    assert step([before, line(state=state, files=())], force=True).replaces


def test_plan_file_that_is_not_the_result_is_not_promised_again(step, write):
    """
    A run has compared it: the lock knows that the job has completed, without a file.
    """
    write("owl.png", "mine")

    found = step([line(files=())])

    assert (Sign.CHANGE, False) == (found.sign, found.is_paid)
    assert "was not made by this batch" in found.error.message


@pytest.mark.parametrize(
    ("again", "state", "sign"),
    [
        ("failed", "failed", Sign.MAKE),
        ("failed", "cancelled", Sign.ENDED),
        ("cancelled", "cancelled", Sign.MAKE),
        ("owl.png", "failed", Sign.MAKE),
        ("*.png", "completed", Sign.MAKE),
        ("failed", "completed", Sign.FETCH),
        ("owl.png", "submitted", Sign.WAIT),
        ("*.png", "unconfirmed", Sign.UNCONFIRMED),
        ("failed", "unconfirmed", Sign.UNCONFIRMED),
    ],
)
def test_plan_again_pays_only_for_what_has_ended(step, again, state, sign):
    found = step([line(state=state, attempt=3)], again=[again])

    assert sign == found.sign
    if sign == Sign.MAKE:
        assert (4, {"r1", "job-1"}, 0.15) == (found.attempt, found.known, found.usd)


@pytest.mark.parametrize("has_record", [False, True])
def test_plan_again_by_name_pays_for_an_unconfirmed_request_of_another_machine(
    step, has_record
):
    lost = line(state="unconfirmed", attempt=3)
    own = [lost] if has_record else []

    def planned(**options):
        return step([lost], journal_lines=lambda _, __: own, **options)

    found, without = planned(again=["./owl.png"]), planned()

    assert (Sign.UNCONFIRMED, not has_record) == (without.sign, without.is_elsewhere)
    assert (Sign.UNCONFIRMED if has_record else Sign.MAKE) == found.sign
    if not has_record:
        assert (4, {"r1"}, True) == (found.attempt, found.known, found.is_paid)


def test_plan_again_replaces_only_an_unchanged_result(step, write):
    saved = write("owl.png")

    assert step([line(files=[saved])], again=["owl.png"]).replaces
    write("owl.png", "by hand")
    assert step([line(files=[saved])], again=["owl.png"]).error


def test_plan_again_of_no_output_is_an_error(plan):
    with pytest.raises(UsageError, match="no output has this name") as caught:
        plan([wanted()], again=["owls.png"])

    assert "Did you mean 'owl.png'?" == caught.value.hint


def test_plan_closed_request_is_made_beside_its_record(step):
    found = step([line(state="closed")])

    assert (Sign.MAKE, {"r1"}, 2) == (found.sign, found.known, found.attempt)


def test_plan_equal_requests_share_a_job(plan):
    first, second = plan([wanted("a.png"), wanted("b.png")]).steps

    assert (None, "a.png") == (first.same_as, second.same_as)
    assert (True, False, 0.0) == (first.is_paid, second.is_paid, second.usd)


def test_plan_chain_is_found_by_the_key_that_the_lock_has(plan, write):
    first = wanted("a.png")
    old = line("a.png", key="key of an older krea", files=[write("a.png")])
    inputs = [image("", path="a.png")]
    inputs = [replace(inputs[0], sha256=None, sent_sha256=None, key=old.key)]
    second = line(
        "b.png",
        identity=identity("older", inputs=inputs),
        job="job-2",
        record="r2",
        files=[write("b.png")],
    )
    chained = wanted("b.png", "older", needs=[first])

    found = plan([chained, first], [old, second])

    assert [Sign.SAME, Sign.SAME] == [step.sign for step in found.steps]


@pytest.mark.parametrize("state", ["failed", "unconfirmed"])
def test_plan_chain_ends_like_its_first_item(plan, state):
    first = wanted("a.png")
    second = wanted("b.png", "older", needs=[first])
    third = wanted("c.png", "oldest", needs=[second])

    _, *blocked = plan([first, second, third], [line("a.png", state)]).steps

    assert ["a.png", "b.png"] == [step.blocked_by for step in blocked]
    assert not any(step.is_paid for step in blocked)


def test_plan_chain_that_is_there_does_not_care(plan, write):
    first = wanted("a.png")
    second = wanted("b.png", "older", needs=[first])
    lines = [
        line("a.png", "failed"),
        line(
            "b.png",
            identity=second.identity,
            job="job-2",
            record="r2",
            files=[write("b.png")],
        ),
    ]

    assert Sign.SAME == plan([first, second], lines).steps[1].sign


def test_plan_unusable_input_is_listed_and_not_paid(plan):
    unusable = wanted(identity=None, unusable=InputError("a.jpg is empty."))
    unusable = replace(unusable, identity=None)

    [found] = plan([unusable]).steps

    assert (Sign.UNUSABLE, False) == (found.sign, found.is_paid)
    assert "a.jpg is empty." == found.error.message


def test_plan_orphans_are_lines_of_this_source_alone(plan):
    lines = [
        line(prompt="a cat"),
        line("old.png", job="job-2", record="r2"),
        line("OWL.png", job="job-3", record="r3", prompt="a dog"),
        line("else.png", job="job-4", record="r4", source="other.toml"),
    ]
    elsewhere = [line("spring.png", job="job-5", record="r5")]

    found = plan([wanted()], lines, others=elsewhere)

    assert ["old.png"] == [each.output for each in found.orphans]
    assert not found.is_up_to_date


def test_plan_unused_output_of_several_requests_is_one(plan):
    lines = [
        line("old.png", at="2026-11-28T11:00:00Z", prompt="a red cat", job="job-3"),
        line("old.png", job="job-2", record="r2", prompt="a cat"),
    ]

    found = plan([wanted()], lines)

    assert 2 == len(found.orphans)
    assert ["job-3"] == [each.job for each in found.unused]


def test_plan_result_of_another_lock_is_fetched_for_free(step):
    found = step(others=[line("../spring/owl.png")])

    assert (Sign.FETCH, "job-1") == (found.sign, found.line.job)


def test_plan_journal_knows_what_the_lock_lost(step):
    asked = []

    def journal_lines(planned, known):
        asked.append((planned.item.output, list(known)))
        return [line(state="submitted")]

    found = step(journal_lines=journal_lines)

    assert Sign.WAIT == found.sign
    assert [("owl.png", [])] == asked


def test_plan_lists_what_the_lock_lacks_of_the_journal(plan):
    more = [
        line(state="completed", files=[file("elsewhere.png")]),
        line(job="job-2", record="r2", state="submitted"),
        line(job=None, record="r3", state="submitted"),
        line(job=None, record="r4", state="unconfirmed"),
    ]
    known = [line(job="job-2", record="r2", state="failed")]

    found = plan([wanted()], known, journal_lines=lambda _, __: more)

    assert [("job-1", "completed", ()), (None, "unconfirmed", ())] == [
        (each.job, each.state, each.files) for each in found.unlisted
    ]
    assert {"owl.png"} == {each.output for each in found.unlisted}


def test_plan_takes_a_file_that_may_be_the_result_of_a_killed_run(step, write):
    write("owl.png", "result")
    submitted = line(state="submitted", files=[])
    done = line(state="completed", files=[])

    found = step([submitted], journal_lines=lambda _, __: [done])

    assert (Sign.FETCH, None, False) == (found.sign, found.error, found.replaces)


def test_plan_finished_batch_is_up_to_date(plan, write):
    found = plan([wanted()], [line(files=[write("owl.png")])])

    assert found.is_up_to_date
    assert 0 == found.cost_usd


def test_cost_of_the_plan_counts_each_job_once(plan):
    items = [wanted("a.png"), wanted("b.png"), wanted("c.png", "a cat", usd=0.1)]

    assert pytest.approx(0.25) == plan(items).cost_usd
    assert plan([*items, wanted("d.png", "a dog", usd=None)]).cost_usd is None


def test_check_cost_limits_the_run_and_all_runs(plan):
    lines = [line("old.png", "submitted", prompt="a cat", usd=0.3)]
    found = plan([wanted("a.png"), wanted("b.png", "a dog")], lines)

    check_cost(found, max_cost=0.3, budget=0.6)
    with pytest.raises(CostError, match=r"\$0.30 is above the limit of \$0.29"):
        check_cost(found, max_cost=0.29, budget=None)
    with pytest.raises(CostError, match=r"\$0.30 .*\$0.59.*\$0.30"):
        check_cost(found, max_cost=None, budget=0.59)


def test_check_cost_of_a_plan_that_pays_for_nothing_is_within_every_limit(plan):
    found = plan([wanted()], [line(usd=0.3)])

    assert (0.0, 0.3) == (found.cost_usd, found.spent_usd)
    check_cost(found, max_cost=0, budget=0.01)


@pytest.mark.parametrize(
    ("limits", "is_helpful"),
    [
        ({"max_cost": 0.2, "budget": None}, True),
        ({"max_cost": 0.1, "budget": None}, False),
        ({"max_cost": None, "budget": 0.5}, True),
        ({"max_cost": None, "budget": 0.4}, False),
    ],
)
def test_check_cost_advises_limit_only_if_one_item_fits(plan, limits, is_helpful):
    lines = [line("old.png", "submitted", prompt="a cat", usd=0.3)]
    found = plan([wanted("a.png"), wanted("b.png", "a dog")], lines)

    with pytest.raises(CostError) as caught:
        check_cost(found, **limits)

    assert is_helpful == ("--limit" in caught.value.hints[0])


def test_check_cost_of_an_unknown_price(plan):
    found = plan([wanted(usd=None)])

    check_cost(found, max_cost=None, budget=None)
    check_cost(found, max_cost=1, budget=None, allows_unknown=True)
    with pytest.raises(CostError, match="unknown"):
        check_cost(found, max_cost=1, budget=None)
