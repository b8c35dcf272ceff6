"""
`krea batch` as users run it, against the sandbox over real sockets: every test counts
the bills.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
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
    assert result.err.index("broken.png") < result.err.index("one.png: made")
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


def test_batch_above_max_cost_or_budget_submits_nothing(logged_in, service, manifest):
    limited = logged_in("batch", manifest, "--max-cost", "0.20")
    manifest.write_text("[budget]\nusd = 0.2\n" + MANIFEST)
    budget = logged_in("batch", manifest)

    assert (5, 5, 0) == (limited.code, budget.code, service.bills)


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


def test_batch_uses_the_output_of_another_item(logged_in, service, krea):
    Path("pictures.toml").write_text(
        MANIFEST
        + '[[pictures]]\nimage = "out/owl.png"\nprompt = "at night"\n'
        + 'output = "out/night.png"\n'
    )

    ended = [logged_in("batch", "pictures.toml").code for _ in range(2)]

    assert ([0, 0], 3) == (ended, service.bills)


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


def test_batch_prune_deletes_only_what_no_item_wants(logged_in, service, manifest):
    logged_in("batch", manifest)
    manifest.write_text('[[pictures]]\nprompt = "an owl"\noutput = "out/owl.png"\n')
    refused = logged_in("batch", manifest, "--prune")
    kept = Path("out/cat.png").is_file()

    pruned = logged_in("batch", manifest, "--prune", "--yes")

    assert (2, True, 0) == (refused.code, kept, pruned.code)
    assert ["owl.png"] == [path.name for path in Path("out").iterdir()]


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

    asked = logged_in("batch", manifest, "--again", "out/owl.png")
    after = logged_in("batch", manifest)

    assert ("out/owl.png\n", 0, "", 3) == (
        asked.out,
        after.code,
        after.out,
        service.bills,
    )


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
    assert "newer than the lock" in warned.err


def test_batch_of_a_sandbox_run_is_replaced_by_the_real_one(
    logged_in, service, manifest
):
    made = logged_in("batch", manifest, "--sandbox", env={"KREA_API_URL": ""})
    before = Path("out/owl.png").read_bytes()

    real = logged_in("batch", manifest)

    assert (0, 0, 2) == (made.code, real.code, service.bills)
    assert before != Path("out/owl.png").read_bytes()
