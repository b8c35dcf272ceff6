"""
Routes that only the sandbox has: faults to make, and a bill.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from krea_cli.errors import UsageError
from krea_cli.sandbox.api_error import ApiError
from krea_cli.sandbox.billing import billing_report
from krea_cli.sandbox.body import BodyReader
from krea_cli.sandbox.faults import FaultQueue
from krea_cli.sandbox.store import SandboxStore

PREFIX = "/sandbox/"


def handle_admin_request(
    method: str, path: str, body: BodyReader, *, faults: FaultQueue, store: SandboxStore
) -> dict[str, Any]:
    """
    Return the bill, or change the faults and return those that are set.

    Raises:
        ApiError: 400, the body does not name faults that exist; 404.
    """
    match method, path:
        case "GET", "/sandbox/ledger":
            return billing_report(store.jobs(), store.now())
        case "GET", "/sandbox/faults":
            pass
        case "POST", "/sandbox/faults":
            _add(faults, body.read_json())
        case "DELETE", "/sandbox/faults":
            faults.clear()
        case _:
            raise ApiError(HTTPStatus.NOT_FOUND, f"No route: {method} {path}")
    return {"faults": faults.texts}


def _add(faults: FaultQueue, data: dict[str, Any]) -> None:
    given = data.get("faults", [data.get("fault")])
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        wanted = 'The body is {"fault": "..."} or {"faults": ["...", "..."]}'
        raise ApiError(HTTPStatus.BAD_REQUEST, wanted)
    try:
        faults.add(given)
    except UsageError as exc:
        text = f"{exc.message} {exc.hint or ''}".rstrip()
        raise ApiError(HTTPStatus.BAD_REQUEST, text) from exc
