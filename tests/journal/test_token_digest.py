from __future__ import annotations

from krea_cli.journal.token_digest import digest, is_of_another


def test_digest_recognizes_its_token_alone():
    kept = digest("token-of-mine")

    assert not is_of_another(kept, "token-of-mine")
    assert is_of_another(kept, "token-of-yours")
    assert is_of_another(kept, None)


def test_digest_is_salted_and_shows_nothing_of_the_token():
    assert digest("token-of-mine") != digest("token-of-mine")
    assert "token" not in digest("token-of-mine")


def test_a_record_without_digest_is_of_no_other_token():
    """
    Older records have none, and neither has the sandbox.
    """
    assert digest(None) is None
    assert not is_of_another(None, "token-of-mine")
    assert not is_of_another(None, None)
