"""
Handle the routes that only the sandbox has: injected faults, and the bill.
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
    Handle a request to `/sandbox/ledger` or `/sandbox/faults`, and return the JSON
    response.

    Requests that change the faults return the pending ones.

    Raises:
        ApiError: 400 if the body names an unknown fault; 404 for other paths.
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
        wanted = 'The body must be {"fault": "..."} or {"faults": ["...", "..."]}'
        raise ApiError(HTTPStatus.BAD_REQUEST, wanted)
    try:
        faults.add(given)
    except UsageError as exc:
        text = f"{exc.message} {exc.hint or ''}".rstrip()
        raise ApiError(HTTPStatus.BAD_REQUEST, text) from exc
