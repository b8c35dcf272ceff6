"""
Recognize the API token that submitted a request without keeping it.
"""

from __future__ import annotations

import hashlib
import secrets

_SALT_BYTES, _DIGITS = 8, 12


def digest(token: str | None) -> str | None:
    """
    Return "salt:digest" with a fresh salt; None without a token.
    """
    return None if token is None else _digest(token, secrets.token_hex(_SALT_BYTES))


def is_of_another(kept: str | None, token: str | None) -> bool:
    """
    Tell whether a kept digest was made of another token. Nothing is known of a request
    without a digest: of an older journal, or sent without a token.
    """
    if kept is None:
        return False
    return token is None or kept != _digest(token, kept.partition(":")[0])


def _digest(token: str, salt: str) -> str:
    # Short: it tells tokens apart, and proves nothing about one that is guessed.
    return f"{salt}:{hashlib.sha256((salt + token).encode()).hexdigest()[:_DIGITS]}"
