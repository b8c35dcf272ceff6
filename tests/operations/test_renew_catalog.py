from __future__ import annotations

from datetime import UTC, datetime

import pytest
import specs

from krea_cli.catalog.cache import load_newest
from krea_cli.catalog.catalog import Catalog
from krea_cli.errors import (
    Action,
    InvalidResponseError,
    ServerError,
    Step,
    UnknownModelError,
)
from krea_cli.operations.renew_catalog import CatalogRenewal

DAY = 86_400
ORIGIN = "https://api.krea.ai"


class Renewal:
    """
    The list of models that krea comes with, this many days after its date; `fetch` is
    the answer of the service.
    """

    def __init__(self, fetch=specs.new_model, *, days=60, folder=None, **options):
        self.catalog = Catalog.bundled()
        born = datetime.fromisoformat(self.catalog.date).replace(tzinfo=UTC)
        self.fetched, self.notes = 0, []
        self._fetch = fetch
        self.renewal = CatalogRenewal(
            catalog=self.catalog,
            fetch=self.fetch,
            folder=folder,
            origin=ORIGIN,
            now=lambda: born.timestamp() + days * DAY,
            note=self.notes.append,
            **options,
        )

    def fetch(self):
        self.fetched += 1
        return self._fetch()


def fails(error):
    def fetch():
        raise error

    return fetch


def test_find_known_model_fetches_nothing():
    run = Renewal()

    assert "krea-2/medium" in run.renewal.find("krea-2/medium").path
    assert (0, []) == (run.fetched, run.notes)


def test_find_new_model_comes_from_the_newest_list():
    run = Renewal()

    assert "image/krea/krea-3" == run.renewal.find("krea-3").path
    assert (1, 1) == (run.fetched, len(run.notes))


@pytest.mark.parametrize(
    "options",
    [{"days": 0}, {"days": -3}, {"is_final": True}],
    ids=["today", "clock behind", "sandbox"],
)
def test_find_with_a_list_that_is_fresh_fetches_nothing(options):
    run = Renewal(**options)

    with pytest.raises(UnknownModelError):
        run.renewal.find("krea-3")

    assert run.renewal.is_fresh(run.catalog)
    assert 0 == run.fetched


def test_find_is_not_fresh_after_a_day():
    run = Renewal(days=1)

    assert not run.renewal.is_fresh(run.catalog)
    assert run.renewal.find("krea-3")


def test_find_model_that_the_newest_list_lacks_is_unknown():
    run = Renewal(specs.bundled)

    with pytest.raises(UnknownModelError) as unknown:
        run.renewal.find("krea-9")

    assert 1 == run.fetched
    assert Step(Action.REFRESH_MODELS) not in unknown.value.advice


@pytest.mark.parametrize(
    "fetch",
    [fails(ServerError("Overloaded.")), lambda: {"paths": {}}],
    ids=["no answer", "no list"],
)
def test_find_with_a_list_that_cannot_be_updated_keeps_the_error(fetch):
    run = Renewal(fetch)

    with pytest.raises(UnknownModelError) as unknown:
        run.renewal.find("krea-3")

    assert "krea-3" in unknown.value.message
    assert Step(Action.REFRESH_MODELS) == unknown.value.advice[-1]
    assert run.catalog.date in "\n".join(unknown.value.hints)


def test_renew_stores_the_list_for_later_runs(tmp_path):
    run = Renewal(folder=tmp_path / "cache")

    newer = run.renewal.renew()

    kept = load_newest(tmp_path / "cache", ORIGIN)
    assert newer.find("krea-3").path == kept.find("krea-3").path
    assert run.catalog.date < newer.date == kept.date
    assert "krea-3" not in str(
        load_newest(tmp_path / "cache", "https://else.test").models
    )


def test_renew_without_a_usable_folder_is_for_this_run(tmp_path):
    (tmp_path / "cache").write_bytes(b"a file")

    assert Renewal(folder=tmp_path / "cache").renewal.renew().find("krea-3")
    assert Renewal(folder=None).renewal.renew().find("krea-3")


def test_renew_with_a_fresh_list_returns_nothing():
    run = Renewal(days=0)

    assert run.renewal.renew() is None
    assert 0 == run.fetched


def test_renew_raises_if_the_list_is_not_one():
    with pytest.raises(InvalidResponseError):
        Renewal(lambda: {"paths": {}}).renewal.renew()
