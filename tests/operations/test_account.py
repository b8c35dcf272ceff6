from __future__ import annotations

import pytest

from krea_cli.api.models import Asset, Page
from krea_cli.errors import JournalError, NotFoundError, TokenRejectedError
from krea_cli.operations.delete_assets import delete_assets
from krea_cli.operations.list_account import each_item

ONE, TWO = (Asset(id=name, url=f"https://a.b/{name}") for name in ("one", "two"))


class Client:
    def __init__(self, **errors):
        self.deleted = []
        self.errors = errors

    def delete_asset(self, asset_id):
        if error := self.errors.get(asset_id):
            raise error
        self.deleted.append(asset_id)


class Cache:
    def __init__(self, error=None):
        self.forgotten = []
        self.error = error

    def forget(self, url):
        if self.error:
            raise self.error
        self.forgotten.append(url)


def test_each_item_fetches_a_page_only_when_it_is_asked_for():
    asked = []
    pages = {None: Page((1, 2), "a"), "a": Page((3,), None)}

    def fetch(cursor):
        asked.append(cursor)
        return pages[cursor]

    items = each_item(fetch)

    assert [1, 2] == [next(items), next(items)]
    assert [None] == asked
    assert [3] == list(items)


def test_each_item_with_a_cursor_in_a_circle_ends():
    assert [1, 1] == list(each_item(lambda cursor: Page((1,), "a")))


def test_delete_assets_goes_on_after_one_that_is_missing():
    client, cache, failed = Client(one=NotFoundError("gone")), Cache(), []
    found = delete_assets([lambda: ONE, lambda: TWO], client, cache, failed.append)

    assert [TWO] == list(found)
    assert (["two"], [TWO.url]) == (client.deleted, cache.forgotten)
    assert ["gone"] == [error.message for error in failed]


def test_delete_assets_stops_where_every_request_would_fail():
    client = Client(one=TokenRejectedError("no"))

    with pytest.raises(TokenRejectedError):
        list(delete_assets([lambda: ONE, lambda: TWO], client, Cache(), print))
    assert [] == client.deleted


def test_delete_assets_without_a_journal_deletes_all_the_same():
    client = Client()
    found = delete_assets([lambda: ONE], client, Cache(JournalError("no")), print)

    assert [ONE] == list(found)
    assert ["one"] == client.deleted
