"""
Recognize the API token that submitted a request, without storing it.
"""

from __future__ import annotations

import hashlib
import secrets

_SALT_BYTES, _DIGITS = 8, 12


def digest(token: str | None) -> str | None:
    """
    Return "salt:digest" with a new salt, or None without a token.
    """
    return None if token is None else _digest(token, secrets.token_hex(_SALT_BYTES))


def is_of_another(kept: str | None, token: str | None) -> bool:
    """
    Return whether a stored digest belongs to another token.

    Return False for a request without a digest, which comes from an older journal or
    was sent without a token.
    """
    if kept is None:
        return False
    return token is None or kept != _digest(token, kept.partition(":")[0])


def _digest(token: str, salt: str) -> str:
    # Short on purpose: it distinguishes tokens, but does not confirm a guessed one.
    return f"{salt}:{hashlib.sha256((salt + token).encode()).hexdigest()[:_DIGITS]}"
