"""
`krea batch` as users run it, against the sandbox over real sockets: every test counts
the bills.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from batch import test_manifest, test_tables
from conftest import png
from help.test_scripting import SECTIONS, difference, shape
from service import named, reset_after

POST = "POST /generate/"
ROWS = [
    {"name": "owl", "prompt": "an owl, at night"},
    {"name": "cat", "prompt": 'a "cat"\nasleep'},
    {"name": "fox", "prompt": "a fox"},
]
TABLE = ("-o", "out/{name}.png")
MANIFEST = """
[[pictures]]
prompt = "an owl"
output = "out/owl.png"

[[pictures]]
prompt = "a cat"
output = "out/cat.png"
"""


def csv(rows, separator=","):
    def cell(text):
        return '"' + text.replace('"', '""') + '"'

    lines = [separator.join(rows[0])]
    lines += [separator.join(map(cell, row.values())) for row in rows]
    return "\r\n".join(lines) + "\r\n"


@pytest.fixture
def table(krea):
    """
    A table of three prompts, as a spreadsheet writes it.
    """
    path = Path("prompts.csv")
    path.write_text("\ufeff" + csv(ROWS), "utf-8", newline="")
    return path


@pytest.fixture
def manifest(krea):
    path = Path("pictures.toml")
    path.write_text(MANIFEST)
    return path


def items(result):
    return [json.loads(line) for line in result.out.splitlines()]


def test_batch_of_a_folder_reports_unusable_photos_and_makes_the_others(
    logged_in, service, photo
):
    Path("photos").mkdir()
    shutil.copy(photo, "photos/one.jpg")
    content = Path(photo).read_bytes()
    Path("photos/zwei äö.JPG").write_bytes(content + b"\0")
    Path("photos/empty.png").write_bytes(b"")
    Path("photos/broken.png").write_bytes(b"junk")

    result = logged_in("batch", "photos", "a watercolour", "-o", "out/{stem}.png")

    assert 9 == result.code
    assert result.err.index("broken.png") < result.err.index("saved out/one.png")
    assert {"out/one.png", "out/zwei äö.png"} == set(result.out.splitlines())


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_dry_run_of_a_table_has_the_same_items_in_each_format(
    logged_in, service, table, kind
):
    wanted = items(logged_in("batch", table, *TABLE, "--dry-run", "--json"))
    other = Path(f"prompts.{kind}")
    text = csv(ROWS, "\t") if kind == "tsv" else csv(ROWS)
    if kind == "jsonl":
        text = "".join(json.dumps(row) + "\n" for row in ROWS)
    other.write_text(text, newline="")

    found = items(logged_in("batch", other, *TABLE, "--dry-run", "--json"))

    assert 3 == len(wanted)
    assert wanted == found
    assert 0 == len(service.seen)


def test_batch_after_a_changed_prompt_submits_one_job(logged_in, service, table):
    first = logged_in("batch", table, *TABLE)
    table.write_text(table.read_text("utf-8").replace("a fox", "a red fox"), "utf-8")

    again = logged_in("batch", table, *TABLE)

    assert (0, 0, 4) == (first.code, again.code, service.bills)
    assert "out/fox.png\n" == again.out


def test_batch_that_is_finished_sends_no_request(logged_in, service, manifest):
    logged_in("batch", manifest)
    sent = len(service.seen)

    result = logged_in("batch", manifest)
    check = logged_in("batch", manifest, "--check")

    assert (0, "", 0) == (result.code, result.out, check.code)
    assert sent == len(service.seen)


def test_batch_after_deleted_results_fetches_them_without_paying(
    logged_in, service, manifest
):
    logged_in("batch", manifest)
    shutil.rmtree("out")
    check = logged_in("batch", manifest, "--check")

    result = logged_in("batch", manifest)

    assert (12, 0, 2) == (check.code, result.code, service.bills)
    assert {"out/cat.png", "out/owl.png"} == set(result.out.splitlines())


def test_batch_after_a_renamed_photo_pays_for_nothing(logged_in, service, photo):
    Path("photos").mkdir()
    shutil.copy(photo, "photos/one.jpg")
    batch = ("batch", "photos", "a watercolour", "-o", "out/{stem}.png")
    logged_in(*batch)
    Path("photos/one.jpg").rename("photos/two.jpg")

    result = logged_in(*batch)

    assert (0, 1) == (result.code, service.bills)
    assert Path("out/one.png").read_bytes() == Path("out/two.png").read_bytes()


def test_batch_leaves_an_edited_result_alone(logged_in, service, manifest):
    logged_in("batch", manifest)
    Path("out/owl.png").write_bytes(b"mine")

    result = logged_in("batch", manifest)

    assert (0, 2, b"mine") == (
        result.code,
        service.bills,
        Path("out/owl.png").read_bytes(),
    )


def test_batch_on_another_machine_knows_what_the_lock_lists(
    logged_in, service, manifest, tmp_path
):
    logged_in("batch", manifest)
    shutil.rmtree("out")

    result = logged_in("batch", manifest, env={"KREA_STATE_DIR": str(tmp_path / "b")})

    assert (0, 2) == (result.code, service.bills)
    assert Path("out/owl.png").is_file()


def test_batch_without_its_lock_knows_what_the_journal_has(
    logged_in, service, manifest
):
    logged_in("batch", manifest)
    Path("pictures.toml.lock").unlink()

    result = logged_in("batch", manifest)

    assert (0, 2) == (result.code, service.bills)


def test_batch_with_a_lost_response_pays_once(logged_in, service, manifest):
    service.faults[POST] = [reset_after]

    ended = [logged_in("batch", manifest).code for _ in range(3)]

    assert ([11, 11, 11], 2) == (ended, service.bills)


def test_batch_with_a_lost_response_is_not_paid_again_on_another_machine(
    logged_in, service, manifest, tmp_path
):
    service.faults[POST] = [reset_after]
    logged_in("batch", manifest)

    ended = logged_in("batch", manifest, env={"KREA_STATE_DIR": str(tmp_path / "b")})

    assert (11, 2) == (ended.code, service.bills)


def unconfirmed(logged_in, service, manifest):
    """
    Leave out/cat.png unconfirmed, and return the id of its request.
    """
    service.add_faults("submit:reset-after@cat")
    assert 11 == logged_in("batch", manifest).code
    [line] = [
        json.loads(text)
        for text in Path("pictures.toml.lock").read_text().splitlines()
        if '"unconfirmed"' in text
    ]
    return line["record"]


def test_batch_after_forgetting_an_unconfirmed_request_makes_its_item(
    logged_in, service, manifest, tmp_path
):
    record = unconfirmed(logged_in, service, manifest)
    manifest.write_text(f"[budget]\nusd = 0.30\n{MANIFEST}")
    logged_in("jobs", "recover", record, "--forget")

    planned = logged_in("batch", manifest, "--dry-run", "--json")
    result = logged_in("batch", manifest)
    other = logged_in("batch", manifest, env={"KREA_STATE_DIR": str(tmp_path / "b")})

    assert ["up to date", "make"] == [each["action"] for each in items(planned)]
    assert (0, 0, 3) == (result.code, other.code, service.bills)
    states = re.findall('"state":"([a-z]+)"', Path("pictures.toml.lock").read_text())
    assert ["closed", "completed", "completed"] == sorted(states)


def test_batch_on_another_machine_says_how_to_resolve_an_unconfirmed_request(
    logged_in, service, manifest, tmp_path
):
    unconfirmed(logged_in, service, manifest)
    other = {"KREA_STATE_DIR": str(tmp_path / "b")}

    here = logged_in("batch", manifest, "--again", "out/cat.png")
    ended = logged_in("batch", manifest, env=other)
    checked = logged_in("batch", manifest, "--check", env=other)
    bills = service.bills
    again = logged_in("batch", manifest, "--again", "out/cat.png", env=other)
    after = logged_in("batch", manifest)

    assert (11, 11, 12, 2) == (here.code, ended.code, checked.code, bills)
    assert "Check it: krea jobs recover" in here.err
    assert "--again" not in here.err
    for each in (ended, checked):
        assert "Check it: krea" not in each.err
        assert "computer that submitted the request" in each.err
        assert "krea jobs list --remote" in each.err
        assert (
            "make it again (billed): krea batch pictures.toml --again out/cat.png"
            in each.err
        )
    assert (0, 0, 3) == (again.code, after.code, service.bills)
    assert '"attempt":2' in Path("pictures.toml.lock").read_text()


def test_batch_after_adopting_the_job_of_an_unconfirmed_request_saves_it(
    logged_in, service, manifest, tmp_path
):
    record = unconfirmed(logged_in, service, manifest)
    [job] = [job for job in service.store.jobs() if "cat" in str(job)]
    logged_in("jobs", "recover", record, "--adopt", job.job_id)

    result = logged_in("batch", manifest)
    other = logged_in("batch", manifest, env={"KREA_STATE_DIR": str(tmp_path / "b")})

    assert (0, 0, 2) == (result.code, other.code, service.bills)
    assert "unconfirmed" not in Path("pictures.toml.lock").read_text()


@pytest.mark.parametrize("options", [(), ("--no-wait",), ("--only", "out/cat.png")])
def test_batch_lists_in_the_lock_what_only_the_journal_has(
    logged_in, service, manifest, tmp_path, options
):
    logged_in("batch", manifest)
    Path("pictures.toml.lock").unlink()
    logged_in("batch", manifest, *options)

    other = logged_in("batch", manifest, env={"KREA_STATE_DIR": str(tmp_path / "b")})

    assert (0, 2) == (other.code, service.bills)


def test_batch_with_a_failed_job_pays_again_only_if_asked(logged_in, service, manifest):
    service.add_faults("submit:fails=moderation")
    first = logged_in("batch", manifest)
    again = logged_in("batch", manifest)
    bills = service.bills

    asked = logged_in("batch", manifest, "--again", "failed")

    assert (9, 9, 2) == (first.code, again.code, bills)
    assert (0, 3) == (asked.code, service.bills)


def test_batch_no_wait_then_collect_submits_once(logged_in, service, manifest):
    submitted = logged_in("batch", manifest, "--no-wait")

    collected = logged_in("batch", manifest, "--collect")

    assert (0, 0, 2) == (submitted.code, collected.code, service.bills)
    assert Path("out/cat.png").is_file()


@pytest.mark.parametrize(
    ("fault", "code"), [("submit:fails@owl", 9), ("submit:reset-after@owl", 11)]
)
def test_batch_collect_ends_with_the_code_of_what_was_submitted(
    logged_in, service, manifest, fault, code
):
    service.add_faults(fault)
    logged_in("batch", manifest, "--no-wait")
    lines = Path("pictures.toml.lock").read_text().splitlines()

    collected = [logged_in("batch", manifest, "--collect") for _ in range(2)]

    assert 2 == len(lines)
    assert [code, code] == [each.code for each in collected]
    assert 2 == service.bills


def test_batch_collect_says_how_many_items_are_not_submitted(
    logged_in, service, manifest
):
    logged_in("batch", manifest, "--no-wait", "--limit", "1")

    collected = logged_in("batch", manifest, "--collect")

    assert (0, "out/owl.png\n", 1) == (collected.code, collected.out, service.bills)
    assert "1 item is not submitted yet." in collected.err


def test_batch_above_max_cost_or_budget_submits_nothing(logged_in, service, manifest):
    limited = logged_in("batch", manifest, "--max-cost", "0.20")
    manifest.write_text("[budget]\nusd = 0.2\n" + MANIFEST)
    budget = logged_in("batch", manifest)

    assert (5, 5, 0) == (limited.code, budget.code, service.bills)


def test_batch_over_its_budget_still_downloads_what_is_paid_for(
    logged_in, service, manifest
):
    logged_in("batch", manifest)
    manifest.write_text("[budget]\nusd = 0.01\n" + MANIFEST)
    Path("out/owl.png").unlink()

    planned = logged_in("batch", manifest, "--dry-run")
    result = logged_in("batch", manifest)

    assert (0, 0, 2) == (planned.code, result.code, service.bills)
    assert "out/owl.png\n" == result.out


def test_batch_limit_and_only_submit_a_part(logged_in, service, manifest):
    only = logged_in("batch", manifest, "--only", "out/cat.png")
    limited = logged_in("batch", manifest, "--limit", "1")

    assert ("out/cat.png\n", "out/owl.png\n", 2) == (
        only.out,
        limited.out,
        service.bills,
    )


def test_shards_of_a_batch_share_nothing(logged_in, service, table):
    for number in (1, 2):
        lock = ("--lock", f"{number}.lock", "--shard", f"{number}/2")
        assert 0 == logged_in("batch", table, *TABLE, *lock).code

    lines = Path("1.lock").read_text() + Path("2.lock").read_text()
    Path("all.lock").write_text(lines)
    check = logged_in("batch", table, *TABLE, "--lock", "all.lock", "--check")

    assert (0, 3) == (check.code, service.bills)


def test_batch_with_a_file_in_the_way_submits_nothing(logged_in, service, manifest):
    Path("out").mkdir()
    Path("out/owl.png").write_bytes(b"mine")

    result = logged_in("batch", manifest)

    assert (7, 0, b"mine") == (
        result.code,
        service.bills,
        Path("out/owl.png").read_bytes(),
    )


def test_batch_with_a_file_in_place_of_a_paid_result_plans_what_it_does(
    logged_in, service, manifest
):
    logged_in("batch", manifest, "--no-wait")
    Path("out").mkdir(exist_ok=True)
    Path("out/owl.png").write_bytes(b"mine")

    planned = logged_in("batch", manifest, "--dry-run")
    first = logged_in("batch", manifest)
    again = [logged_in("batch", manifest, *each) for each in ((), ("--dry-run",))]
    Path("out/owl.png").unlink()
    free = [logged_in("batch", manifest, *each) for each in (("--dry-run",), ())]

    assert ">\tout/owl.png\tcompare\n" in planned.out
    assert ([7, 7], 0) == ([first.code, again[0].code], again[1].code)
    assert "away, then continue: krea batch pictures.toml\n" in first.err
    assert "~\tout/owl.png\tout/owl.png already exists" in again[1].out
    assert "v\tout/owl.png\tdownload\n" in free[0].out
    assert (0, "out/owl.png\n") == (free[1].code, free[1].out)
    assert 2 == service.bills


def test_batch_uses_the_output_of_another_item(logged_in, service, krea):
    Path("pictures.toml").write_text(
        MANIFEST
        + '[[pictures]]\nimage = "out/owl.png"\nprompt = "at night"\n'
        + 'output = "out/night.png"\n'
    )

    ended = [logged_in("batch", "pictures.toml").code for _ in range(2)]

    assert ([0, 0], 3) == (ended, service.bills)


def test_batch_only_pays_for_nothing_that_an_edited_result_blocks(
    logged_in, service, krea
):
    chain = (
        MANIFEST
        + '[[pictures]]\nimage = "out/owl.png"\nprompt = "at night"\n'
        + 'output = "out/night.png"\n'
        + '[[pictures]]\nimage = "out/night.png"\nprompt = "rain"\n'
        + 'output = "out/rain.png"\n'
        + '[[pictures]]\nimage = "out/rain.png"\nprompt = "snow"\n'
        + 'output = "out/snow.png"\n'
    )
    Path("pictures.toml").write_text(chain)
    logged_in("batch", "pictures.toml")
    Path("out/night.png").write_bytes(b"mine")
    Path("pictures.toml").write_text(chain.replace("an owl", "a small owl"))

    result = logged_in("batch", "pictures.toml", "--only", "out/snow.png")

    assert (7, 5) == (result.code, service.bills)
    said = errors(result)
    assert "out/rain.png was not made, as out/night.png was changed by hand" in said
    assert "out/snow.png was not made, as out/rain.png was not made" in said


def test_batch_converts_a_result_and_fetches_it_as_it_was(
    logged_in, service, manifest, tmp_path
):
    manifest.write_text('[[pictures]]\nprompt = "an owl"\noutput = "owl.webp"\n')
    logged_in("batch", manifest)
    before = Path("owl.webp").read_bytes()
    Path("owl.webp").unlink()

    result = logged_in("batch", manifest, env={"KREA_STATE_DIR": str(tmp_path / "b")})

    assert (0, 1) == (result.code, service.bills)
    assert before == Path("owl.webp").read_bytes()


def test_batch_json_has_the_job_and_the_item(logged_in, service, manifest):
    first, second = items(logged_in("batch", manifest, "--json"))

    assert {"out/owl.png", "out/cat.png"} == {first["output"], second["output"]}
    assert {1, 2} == {first["item"], second["item"]}
    assert "completed" == first["status"]
    assert first["key"] != second["key"]


def test_batch_prints_the_keys_that_help_scripting_names(logged_in, service, manifest):
    service.add_faults("submit:fails@cat")
    plan = items(logged_in("batch", manifest, "--dry-run", "--json"))
    check = items(logged_in("batch", manifest, "--check", "--json"))
    made = items(logged_in("batch", manifest, "--json"))
    again = items(logged_in("batch", manifest, "--json"))

    for heading, found in (
        ("batch --dry-run", plan),
        ("batch --check", check),
        ("batch", made),
        ("batch", again),
    ):
        assert 2 == len(found)
        assert [] == [*difference(shape(SECTIONS[heading]), found)]


def test_batch_prune_deletes_only_what_no_item_wants(logged_in, service, manifest):
    logged_in("batch", manifest)
    manifest.write_text('[[pictures]]\nprompt = "an owl"\noutput = "out/owl.png"\n')
    refused = logged_in("batch", manifest, "--prune")
    kept = Path("out/cat.png").is_file()

    pruned = logged_in("batch", manifest, "--prune", "--yes")

    assert (2, True, 0) == (refused.code, kept, pruned.code)
    assert ["owl.png"] == [path.name for path in Path("out").iterdir()]


def test_batch_unused_output_of_several_prompts_is_listed_once(
    logged_in, service, manifest
):
    logged_in("batch", manifest)
    manifest.write_text(MANIFEST.replace("a cat", "a red cat"))
    logged_in("batch", manifest)
    manifest.write_text('[[pictures]]\nprompt = "an owl"\noutput = "out/owl.png"\n')

    plan = logged_in("batch", manifest, "--dry-run")
    check = logged_in("batch", manifest, "--check")
    pruned = logged_in("batch", manifest, "--prune", "--yes")
    after = logged_in("batch", manifest, "--check")

    assert 1 == plan.out.count("out/cat.png")
    assert "1 up to date, 1 unused." in plan.err
    assert (12, "-\tout/cat.png\tunused\n") == (check.code, check.out)
    assert "error: 1 file belongs to no item.\n" in check.err
    assert ("out/cat.png\n", "Deleted 1 file.\n") == (pruned.out, pruned.err)
    assert 0 == after.code


def test_batch_check_notes_unused_results_that_prune_leaves_alone(
    logged_in, service, manifest
):
    logged_in("batch", manifest)
    manifest.write_text('[[pictures]]\nprompt = "a fox"\noutput = "out/fox.png"\n')
    logged_in("batch", manifest)
    Path("out/cat.png").write_bytes(b"by hand")

    open_ = logged_in("batch", manifest, "--check")
    pruned = logged_in("batch", manifest, "--prune", "--yes")
    check = logged_in("batch", manifest, "--check")

    assert (12, "-\tout/owl.png\tunused\n") == (open_.code, open_.out)
    assert "out/cat.png is kept: it has changed since it was saved" in pruned.err
    assert b"by hand" == Path("out/cat.png").read_bytes()
    assert (0, "") == (check.code, check.out)
    assert check.err == (
        "out/cat.png is in no item and is kept: it has changed since it was saved.\n"
        "1 item is up to date.\n"
    )


def test_batch_check_ignores_unused_results_that_are_gone(logged_in, service, manifest):
    logged_in("batch", manifest)
    manifest.write_text('[[pictures]]\nprompt = "an owl"\noutput = "out/owl.png"\n')
    Path("out/cat.png").unlink()

    check = logged_in("batch", manifest, "--check")

    assert (0, "1 item is up to date.\n") == (check.code, check.err)


def test_batch_check_notes_a_submitted_job_that_no_item_wants(
    logged_in, service, manifest
):
    manifest.write_text('[[pictures]]\nprompt = "an owl"\noutput = "out/owl.png"\n')
    logged_in("batch", manifest)
    manifest.write_text(MANIFEST)
    logged_in("batch", manifest, "--no-wait")
    manifest.write_text('[[pictures]]\nprompt = "an owl"\noutput = "out/owl.png"\n')

    check = logged_in("batch", manifest, "--check")

    assert (0, "") == (check.code, check.out)
    assert "out/cat.png is in no item, and its job was submitted.\n" in check.err


def test_batch_sheet_is_written_after_the_run(logged_in, service, manifest):
    result = logged_in("batch", manifest, "--sheet", "sheet.html")

    assert 0 == result.code
    assert "2 of 2 results" in Path("sheet.html").read_text()


def test_batch_with_mistakes_names_all_of_them_and_sends_nothing(
    logged_in, service, manifest
):
    manifest.write_text('[[pictures]]\npromt = "an owl"\nmodel = 3\noutput = "a.png"\n')

    result = logged_in("batch", manifest)

    assert (2, 0) == (result.code, service.bills)
    assert "pictures.toml, line 2" in result.err
    assert "pictures.toml, line 3" in result.err


def test_batch_of_a_table_without_output_is_an_error_of_usage(
    logged_in, service, table
):
    result = logged_in("batch", table)

    assert (2, 0) == (result.code, service.bills)


def test_batch_schema_is_json(krea):
    result = krea("batch", "--schema")

    assert "object" == json.loads(result.out)["type"]


def test_batch_names_only_the_error_that_ends_the_run(logged_in, service, manifest):
    service.faults[POST] = [named("402"), named("402")]

    result = logged_in("batch", manifest)

    assert (5, 0) == (result.code, service.bills)


def test_batch_again_of_a_completed_item_pays_once_more(logged_in, service, manifest):
    logged_in("batch", manifest)
    service.picture = png((80, 60))

    asked = logged_in("batch", manifest, "--again", "out/owl.png")
    after = logged_in("batch", manifest)

    assert (0, "out/owl.png\n") == (asked.code, asked.out)
    assert (0, "", 3) == (after.code, after.out, service.bills)
    assert png((80, 60)) == Path("out/owl.png").read_bytes()


@pytest.mark.posix
@pytest.mark.parametrize("place", ["out", "pictures.toml.lock"])
def test_batch_that_cannot_save_pays_for_nothing(logged_in, service, manifest, place):
    """
    A file where the folder of the results is needed, and a folder in place of the lock.
    """
    if place == "out":
        Path(place).write_text("mine")
    else:
        Path(place).mkdir()

    result = logged_in("batch", manifest)

    assert (7, "", 0) == (result.code, result.out, service.bills)


def test_batch_with_a_prompt_and_a_column_of_prompts_asks_which(
    logged_in, service, table
):
    result = logged_in("batch", table, "{name} at night", *TABLE)

    assert (2, []) == (result.code, service.seen)
    assert "prompt" in errors(result)


def test_batch_sure_stops_before_jobs_that_may_be_its_own(
    logged_in, service, manifest, time, tmp_path
):
    logged_in("batch", manifest, "--only", "out/owl.png")
    time.elapsed += 60
    other = {"KREA_STATE_DIR": str(tmp_path / "other")}
    logged_in("generate", "a cat", "--no-wait", env=other)

    sure = logged_in("batch", manifest, "--sure")
    bills = service.bills
    warned = logged_in("batch", manifest)

    assert (11, 2) == (sure.code, bills)
    assert (0, 3) == (warned.code, service.bills)
    assert "newer than all jobs in the lock" in warned.err


def test_batch_sure_sees_a_job_of_the_same_second(
    logged_in, service, manifest, tmp_path
):
    """
    The lock has whole seconds.
    """
    logged_in("batch", manifest, "--only", "out/owl.png", "--no-wait")
    other = {"KREA_STATE_DIR": str(tmp_path / "other")}
    logged_in("generate", "a cat", "--no-wait", env=other)

    sure = logged_in("batch", manifest, "--sure")

    assert (11, 2) == (sure.code, service.bills)


def test_batch_sure_without_a_lock_looks_at_the_last_day(
    logged_in, service, manifest, time, tmp_path
):
    """
    The lock may be lost with its machine.
    """
    logged_in("batch", manifest, "--no-wait")
    Path("pictures.toml.lock").unlink()
    elsewhere = {"KREA_STATE_DIR": str(tmp_path / "other")}

    sure = logged_in("batch", manifest, "--sure", env=elsewhere)
    here = logged_in("batch", manifest, "--check", env=elsewhere)
    time.elapsed += 25 * 3600
    later = logged_in("batch", manifest, "--sure", env=elsewhere)

    assert (11, 12) == (sure.code, here.code)
    assert "Krea has 2 jobs from the last 24 hours" in sure.err
    assert (0, 4) == (later.code, service.bills)


def test_batch_prune_lists_in_the_lock_what_only_the_journal_has(
    logged_in, service, manifest
):
    logged_in("batch", manifest)
    Path("pictures.toml.lock").unlink()

    pruned = logged_in("batch", manifest, "--prune", "--yes")

    assert 0 == pruned.code
    assert 2 == len(Path("pictures.toml.lock").read_text().splitlines())


def test_batch_limit_counts_the_jobs_of_its_shard(logged_in, service, table):
    for number in (1, 2):
        shard = ("--shard", f"{number}/2", "--limit", "1")
        assert 0 == logged_in("batch", table, *TABLE, *shard).code

    assert 2 == service.bills


def test_batch_of_a_sandbox_run_is_replaced_by_the_real_one(
    logged_in, service, manifest
):
    made = logged_in("batch", manifest, "--sandbox", env={"KREA_API_URL": ""})
    before = Path("out/owl.png").read_bytes()

    real = logged_in("batch", manifest)

    assert (0, 0, 2) == (made.code, real.code, service.bills)
    assert before != Path("out/owl.png").read_bytes()


def test_batch_sends_webhook_and_unlisted_models_if_asked(logged_in, service, table):
    options = ("-m", "image/krea/krea-9", "-p", "size=1", "-p", "size=2")

    refused = logged_in("batch", table, *TABLE, *options)
    shown = logged_in("batch", table, *TABLE, *options, "--no-validate", "--dry-run")
    logged_in("batch", table, *TABLE, "--webhook", "https://x.test/hook")

    posts = [seen for seen in service.seen if seen.method == "POST"]
    assert (2, 0) == (refused.code, shown.code)
    assert ["https://x.test/hook"] * 3 == [
        seen.headers["X-Webhook-URL"] for seen in posts
    ]
    assert 2 == logged_in("batch", table, *TABLE, "--webhook", "nowhere").code


def test_batch_accepts_files_with_a_fitting_sidecar_instead_of_a_line(
    logged_in, service, manifest, tmp_path
):
    logged_in("batch", manifest, "--sidecar")
    Path("pictures.toml.lock").unlink()
    other = {"KREA_STATE_DIR": str(tmp_path / "other")}

    result = logged_in("batch", manifest, env=other)
    Path("out/owl.png.json").unlink()
    check = logged_in("batch", manifest, "--check", env=other)

    assert (0, 0, 2) == (result.code, check.code, service.bills)


@pytest.fixture
def step(logged_in, tmp_path):
    """
    The program in a step of GitHub Actions, and its two files.
    """
    files = (tmp_path / "outputs", tmp_path / "summary")
    logged_in.env |= {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(files[0]),
        "GITHUB_STEP_SUMMARY": str(files[1]),
    }
    return logged_in, *files


def test_batch_github_reports_only_what_this_run_cost(step, service, manifest):
    krea, outputs, summary = step
    krea("batch", manifest, "--no-wait", "--limit", "1")

    krea("batch", manifest, "--github")

    assert re.search(r"cost_usd<<(\S+)\n0.15\n\1", outputs.read_text())
    assert "paid earlier" in summary.read_text()
    assert "<code>out/cat&#46;png</code>" in summary.read_text()


def test_batch_github_has_the_results_that_are_up_to_date(step, service, manifest):
    krea, outputs, summary = step
    krea("batch", manifest)
    job = json.loads(Path("pictures.toml.lock").read_text().splitlines()[0])["job"]
    Path("out/cat.png").unlink()

    krea("batch", manifest, "--github")
    lines = outputs.read_text().splitlines()
    rows = summary.read_text()
    outputs.write_text("")
    krea("batch", manifest, "--github")
    unchanged = outputs.read_text()

    assert {"out/cat.png", "out/owl.png", job} <= set(lines)
    assert "owl" not in rows
    assert re.search(r"cost_usd<<(\S+)\n0\n\1", unchanged)
    assert {"out/cat.png", "out/owl.png", job} <= set(unchanged.splitlines())
    assert rows == summary.read_text()


def test_batch_github_has_a_copied_result(step, service, manifest):
    krea, outputs, _ = step
    krea("batch", manifest)
    manifest.write_text(MANIFEST.replace("out/owl", "out/new"))

    krea("batch", manifest, "--github")

    assert 2 == service.bills
    assert {"out/cat.png", "out/new.png"} <= set(outputs.read_text().splitlines())


def test_batch_check_names_results_that_are_to_be_copied(logged_in, service, manifest):
    logged_in("batch", manifest)
    manifest.write_text(
        MANIFEST + '[[pictures]]\nprompt = "an owl"\noutput = "out/same.png"\n'
    )

    check = logged_in("batch", manifest, "--check")
    planned = logged_in("batch", manifest, "--dry-run")

    assert 0 == check.code
    assert "3 items are up to date; the next run copies 1 of them." in check.err
    assert "=\tout/same.png\tcopy of out/owl.png\n" in planned.out


def test_batch_check_lists_what_is_open_for_scripts_and_github(step, service, manifest):
    krea, _, summary = step
    krea("batch", manifest, "--only", "out/owl.png")

    check = krea("batch", manifest, "--check", "--github")

    assert (12, "+\tout/cat.png\tmake\t$0.15\n") == (check.code, check.out)
    assert "<code>out/cat&#46;png</code> | <code>make</code>" in summary.read_text()
    assert "owl" not in summary.read_text()


@pytest.mark.parametrize(
    ("end", "hints"),
    [
        (
            "submit:fails*",
            ["Make the failed items again (billed): krea batch pictures.toml"],
        ),
        ("submit:reset-after*", ["Check it: krea jobs recover"]),
    ],
)
def test_batch_check_names_the_command_that_mends_it(
    logged_in, service, manifest, end, hints
):
    service.add_faults(end)
    run = logged_in("batch", manifest)

    check = logged_in("batch", manifest, "--check")

    for result in (run, check):
        found = re.findall("hint: (.*)", result.err)
        assert all(hint in " ".join(found) for hint in hints)
        assert "Bring everything up to date" not in result.err


def test_batch_only_ignores_results_that_no_item_wants(logged_in, service, manifest):
    logged_in("batch", manifest)
    manifest.write_text('[[pictures]]\nprompt = "an owl"\noutput = "out/owl.png"\n')

    only = logged_in("batch", manifest, "--check", "--only", "out/owl.png")
    whole = logged_in("batch", manifest, "--check")

    assert (0, 12) == (only.code, whole.code)
    assert "-\tout/cat.png\tunused\n" == whole.out
    assert "error: 1 file belongs to no item.\n" in whole.err
    assert "no item: krea batch pictures.toml --prune\n" in whole.err


def test_batch_json_of_unchanged_items_has_what_the_lock_knows(
    logged_in, service, manifest
):
    made = items(logged_in("batch", manifest, "--json"))

    unchanged = items(logged_in("batch", manifest, "--json"))

    keys = ("job_id", "model", "cost_usd", "output", "key", "item")
    files = ("path", "sha256", "size_bytes", "media_type", "width", "height")

    def known(found):
        return {
            each["output"]: (
                [each[key] for key in keys],
                [[file[key] for key in files] for file in each["files"]],
            )
            for each in found
        }

    assert known(made) == known(unchanged)
    assert {"unchanged"} == {each["outcome"] for each in unchanged}
    assert {"out/owl.png", "out/cat.png"} == {
        each["files"][0]["path"] for each in unchanged
    }


def test_batch_summary_says_how_items_ended_and_what_the_run_cost(
    logged_in, service, manifest
):
    manifest.write_text(
        MANIFEST + '[[pictures]]\nprompt = "an owl"\noutput = "out/same.png"\n'
    )
    service.add_faults("submit:fails@cat")

    first = logged_in("batch", manifest)
    again = logged_in("batch", manifest)

    assert "2 to make, 1 same as another item. Estimate: $0.30\n" in first.err
    assert "1 failed. This run cost $0.15 (estimated).\n" in first.err
    assert "out/cat.png failed: " in first.err
    assert "error: 1 of 3 items has an error, shown above.\n" in first.err
    assert "2 unchanged, 1 failed. This run cost nothing.\n" in again.err


def test_batch_without_balance_says_how_many_items_were_not_submitted(
    logged_in, service, manifest
):
    service.faults[POST] = [None, named("402")]

    result = logged_in("batch", manifest)

    assert (5, 1) == (result.code, service.bills)
    assert "1 item was not submitted." in result.err
    assert "hint: Continue: krea batch pictures.toml\n" in result.err


def test_batch_that_times_out_names_running_jobs_once(logged_in, service, manifest):
    service.add_faults("submit:takes=90*")

    result = logged_in("batch", manifest, "--timeout", "5")

    assert (8, 2) == (result.code, service.bills)
    assert ["error: 2 jobs are still running and will be billed."] == re.findall(
        "error: .*", result.err
    )


def test_lock_without_prompts_knows_the_requests_and_holds_no_prompt(
    logged_in, service, manifest, tmp_path
):
    manifest.write_text("[lock]\nprompts = false\n" + MANIFEST)
    logged_in("batch", manifest)
    lock = Path("pictures.toml.lock").read_text()
    other = {"KREA_STATE_DIR": str(tmp_path / "other")}

    same = logged_in("batch", manifest, "--check", env=other)
    manifest.write_text(manifest.read_text().replace("a cat", "a red cat"))
    changed = logged_in("batch", manifest, env=other)

    assert "a cat" not in lock
    assert (0, 0, 3) == (same.code, changed.code, service.bills)
    assert "out/cat.png\n" == changed.out


def test_results_of_another_lock_are_copied_or_fetched_and_never_deleted(
    logged_in, service, manifest, tmp_path
):
    logged_in("batch", manifest)
    spring = Path("spring")
    spring.mkdir()
    also = '[lock]\nalso = ["../pictures.toml.lock"]\n'
    (spring / "p.toml").write_text(also + MANIFEST)
    Path("out/cat.png").unlink()
    other = {"KREA_STATE_DIR": str(tmp_path / "other")}

    result = logged_in("batch", "spring/p.toml", env=other)
    (spring / "p.toml").write_text(
        also + '[[pictures]]\nprompt = "an owl"\noutput = "out/other.png"\n'
    )
    pruned = logged_in("batch", "spring/p.toml", "--prune", "--yes", env=other)

    assert (0, 0, 2) == (result.code, pruned.code, service.bills)
    assert {"spring/out/owl.png", "spring/out/cat.png"} == set(pruned.out.split())
    assert Path("out/owl.png").is_file()


@pytest.mark.parametrize(
    ("fault", "again", "paid"),
    [
        ("submit:fails@cat", "failed", 1),
        ("submit:fails@cat", "cancelled", 0),
        ("submit:fails@cat", "out/c*.png", 1),
        ("submit:fails@cat", "out/*.png", 2),
        ("submit:takes=60@cat", "out/cat.png", 0),
        ("submit:reset-after@cat", "out/cat.png", 0),
    ],
)
def test_again_pays_for_what_it_names_and_never_for_what_may_still_come(
    logged_in, service, manifest, fault, again, paid
):
    service.add_faults(fault)
    logged_in("batch", manifest, "--timeout", "9")
    before = service.bills

    logged_in("batch", manifest, "--again", again)

    assert (2, paid) == (before, service.bills - before)


def test_again_cancelled_pays_for_cancelled_items(logged_in, service, manifest):
    logged_in("batch", manifest, "--no-wait")
    logged_in("cancel", "@last")

    stays = logged_in("batch", manifest)
    bills = service.bills
    again = logged_in("batch", manifest, "--again", "cancelled")

    assert (10, 2) == (stays.code, bills)
    assert "--again cancelled" in stays.err
    assert (0, 4) == (again.code, service.bills)


def test_again_of_an_edited_result_pays_for_nothing(logged_in, service, manifest):
    logged_in("batch", manifest)
    Path("out/owl.png").write_bytes(b"mine")

    result = logged_in("batch", manifest, "--again", "out/owl.png")

    assert (7, 2) == (result.code, service.bills)
    assert b"mine" == Path("out/owl.png").read_bytes()


def test_batch_whose_inputs_are_all_unusable_is_an_error_of_usage(
    logged_in, service, krea
):
    Path("photos").mkdir()
    Path("photos/broken.png").write_bytes(b"junk")

    result = logged_in("batch", "photos", "a watercolor", "-o", "out/{stem}.png")

    assert (2, 0) == (result.code, service.bills)
    assert not [*Path().glob("**/*.lock")]


def test_creating_a_lock_advises_to_commit_and_merge_it(logged_in, service, manifest):
    first = logged_in("batch", manifest, "--only", "out/owl.png")
    second = logged_in("batch", manifest)

    assert "pictures.toml.lock merge=union" in first.err
    assert "merge=union" not in second.err


def test_batch_notes_values_that_krea_chose_once(logged_in, service, photo):
    Path("photos").mkdir()
    for name in ("a", "b"):
        Path(f"photos/{name}.jpg").write_bytes(Path(photo).read_bytes() + name.encode())
    batch = (
        "batch",
        "photos",
        "a watercolor of {stem}",
        "-m",
        "krea-2/large",
        "-o",
        "{stem}.png",
    )

    result = logged_in(*batch, "--dry-run")

    assert 1 == len(re.findall("Using strength 0.6 .* for 2 items.", result.err))


def test_batch_prune_asks_and_keeps_the_files_without_an_answer(
    logged_in, service, manifest
):
    logged_in("batch", manifest)
    manifest.write_text('[[pictures]]\nprompt = "an owl"\noutput = "out/owl.png"\n')

    logged_in.typed = "\n"
    kept = logged_in("batch", manifest, "--prune")
    there = Path("out/cat.png").is_file()
    logged_in.typed = "y\n"
    deleted = logged_in("batch", manifest, "--prune")

    assert "Delete 1 file? Type y to delete, or press Enter to keep: " in kept.err
    assert (0, True, 0) == (kept.code, there, deleted.code)
    assert not Path("out/cat.png").exists()


def errors(result):
    """
    Return the errors and hints of a run in one line.
    """
    return " ".join(result.err.replace("hint: ", "").split())


@pytest.mark.parametrize("case", test_manifest.WRONG)
def test_batch_with_a_wrong_manifest_sends_nothing(logged_in, service, photo, case):
    Path("photos").mkdir()
    shutil.copy(photo, "photos/a.jpg")
    text, *expected = test_manifest.WRONG[case]
    Path("pictures.toml").write_text(text, "utf-8")

    result = logged_in("batch", "pictures.toml")

    assert (2, "") == (result.code, result.out)
    assert not [words for words in expected if words not in errors(result)], result.err
    assert [] == service.seen


@pytest.mark.parametrize("case", test_tables.WRONG)
def test_batch_with_a_wrong_table_sends_nothing(logged_in, service, case):
    data, *expected = test_tables.WRONG[case]
    Path("rows.csv").write_bytes(data)

    result = logged_in("batch", "rows.csv", "-o", "out/{name}.png")

    assert (2, "") == (result.code, result.out)
    assert not [words for words in expected if words not in errors(result)], result.err
    assert [] == service.seen


def test_batch_of_a_clone_with_its_lock_has_nothing_to_do(logged_in, service, table):
    logged_in("batch", table, *TABLE)
    bills, clone = service.bills, Path("clone")
    clone.mkdir()
    for name in (table, "prompts.csv.lock"):
        shutil.copy(name, clone)
    shutil.copytree("out", clone / "out")
    os.chdir(clone)
    seen = len(service.seen)

    elsewhere = {"KREA_STATE_DIR": str(Path("state").resolve())}
    result = logged_in("batch", table, *TABLE, env=elsewhere)
    check = logged_in("batch", table, *TABLE, "--check", env=elsewhere)

    assert (0, 0) == (result.code, check.code)
    assert (bills, seen) == (service.bills, len(service.seen))


def test_batch_with_a_job_that_is_gone_names_item_and_job(logged_in, service, manifest):
    """
    Whether it was billed is not known; if it comes back, its result is saved.
    """
    only = ("--only", "out/owl.png")
    logged_in("batch", manifest, *only, "--no-wait")
    [job] = service.store.jobs()
    service.add_faults("job:404*20", "jobs:404*20")

    gone = logged_in("batch", manifest, *only)
    service._faults.clear()
    back = logged_in("batch", manifest, *only)

    assert 3 == gone.code
    assert f"out/owl.png: Job {job.job_id}" in errors(gone)
    assert "not billed" not in gone.err
    assert (
        "(billed): krea batch pictures.toml --only out/owl.png --again out/owl.png"
        in (gone.err)
    )
    assert (0, "out/owl.png\n") == (back.code, back.out)
    assert 1 == service.bills


@pytest.fixture
def photos(krea, photo):
    folder = Path("photos")
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(Path(photo).read_bytes() + name.encode())
    return folder


def test_batch_of_a_folder_without_prompt_shows_a_whole_command(
    logged_in, service, photos
):
    result = logged_in("batch", "photos", "--dry-run")

    assert 2 == result.code
    example = "krea batch photos --dry-run 'a watercolor' -o 'out/{stem}.png'"
    assert f"hint: Example: {example}\n" in result.err


def test_batch_of_a_folder_names_results_like_its_photos(logged_in, service, photos):
    result = logged_in("batch", "photos", "a watercolor", "-o", "out")

    assert (0, {"out/a.png", "out/b.png"}) == (result.code, set(result.out.split()))


def test_batch_output_with_two_extensions_gets_a_note(logged_in, service, photos):
    result = logged_in("batch", "photos", "a w", "-o", "{name}.png", "--dry-run")

    assert "a.jpg.png" in result.out
    assert "{stem} does not." in result.err


@pytest.mark.parametrize("output", [(), ("-o", "pics/"), ("-o", "pics")])
def test_batch_of_a_table_names_the_columns_for_its_files(
    logged_in, service, krea, output
):
    """
    Without an output name, a column that no text uses is no mistake.
    """
    Path("sku.csv").write_text("sku,kind,prompt\n1,bird,an owl\n2,bird,a fox\n")

    result = logged_in("batch", "sku.csv", *output)

    folder = "pics" if output else "out"
    assert 2 == result.code
    assert f"hint: Example: -o '{folder}/{{sku}}.png'\n" in result.err
    assert "Remove" not in result.err
    assert "command line" not in result.err


def test_batch_in_the_sandbox_says_nothing_of_bills(krea, manifest):
    manifest.write_text(MANIFEST.replace("a cat", "a cat [fails]"))

    running = krea("batch", manifest, "--sandbox", "--timeout", "1s")

    assert 8 == running.code
    assert "2 jobs are still running." in running.err
    assert "billed" not in running.err
