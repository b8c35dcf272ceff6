"""
The whole program: `krea assets`.
"""

from __future__ import annotations

import json

from conftest import png
from service import answer

MISSING = "00000000-0000-0000-0000-000000000000"


def uploaded(logged_in, *files):
    out = logged_in("upload", *files, "--json").out
    return [json.loads(line)["id"] for line in out.splitlines()]


def foreign(service):
    """
    Return an upload of another program.
    """
    file = service.store.store_input([png((33, 33))])
    return service.store.add_upload(file, "mine").id


def test_list_has_every_upload_and_who_made_it(logged_in, service, photo):
    other = foreign(service)
    [own] = uploaded(logged_in, photo)
    listed = logged_in("assets", "list", "--json").out.splitlines()
    found = {each["id"]: each["uploaded_by_krea"] for each in map(json.loads, listed)}

    assert {own: True, other: False} == found
    assert 1 == len(logged_in("assets", "list", "--limit", "1").out.splitlines())


def test_delete_takes_a_file_back_and_forgets_its_url(logged_in, service, photo):
    [own] = uploaded(logged_in, photo)
    deleted = logged_in("assets", "delete", own)
    logged_in("generate", "a cat", "-i", photo, "--no-wait")

    assert (0, f"{own}\n") == (deleted.code, deleted.out)
    assert 2 == len(service.requests("POST /assets"))
    assert own not in [each.id for each in service.store.uploads()]


def test_delete_of_own_uploads_leaves_the_others(logged_in, service, photo):
    other = foreign(service)
    # Equal files are uploaded once.
    uploaded(logged_in, photo, photo)
    result = logged_in("assets", "delete", "--uploaded-by-krea")

    assert (0, 1) == (result.code, len(result.out.splitlines()))
    assert [other] == [each.id for each in service.store.uploads()]


def test_delete_goes_on_after_a_missing_file(logged_in, service, photo):
    [own] = uploaded(logged_in, photo)
    result = logged_in("assets", "delete", MISSING, own)

    assert (9, f"{own}\n") == (result.code, result.out)
    assert f"Asset {MISSING} not found." in result.err
    assert "error: 1 of 2 files has an error, shown above.\n" in result.err
    assert [] == service.store.uploads()


def test_delete_that_the_service_does_not_do_is_an_error(logged_in, service, photo):
    [own] = uploaded(logged_in, photo)
    refusal = {"success": False, "message": "in use"}
    service.faults["DELETE /assets"] = [answer(200, refusal)]
    result = logged_in("assets", "delete", own)

    assert (6, "") == (result.code, result.out)
    assert "in use" in result.err


def test_delete_needs_ids_or_the_option(logged_in, service):
    assert 2 == logged_in("assets", "delete").code
    assert 2 == logged_in("assets", "delete", MISSING, "--uploaded-by-krea").code
    assert 2 == logged_in("assets", "delete", "../jobs/1").code
    assert [] == service.seen


def test_assets_are_drawn_on_a_terminal(logged_in, photo):
    [own] = uploaded(logged_in, photo)
    logged_in.is_terminal = True
    listed = logged_in("assets", "list")
    deleted = logged_in("assets", "delete", own)

    assert (0, 0) == (listed.code, deleted.code)
    assert own in listed.out
    assert f"{own} deleted" in deleted.out
