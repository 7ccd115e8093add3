"""The link in the mail that confirms a transfer: only who reads the sender's mail has it."""

from __future__ import annotations

import uuid

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer

from app.kernel.errors import NotFound


def transfer_token(transfer_id: uuid.UUID) -> str:
    """Signed; how long it counts is the transfer's own business."""
    return str(_serializer().dumps(transfer_id.hex))


def transfer_of(token: str) -> uuid.UUID:
    """Raises NotFound for a token that was not made here."""
    try:
        return uuid.UUID(_serializer().loads(token))
    except (BadSignature, ValueError) as error:
        raise NotFound("There is nothing at this address.") from error


def _serializer() -> URLSafeSerializer:
    """The newest key signs, the older ones still count (itsdangerous, key rotation)."""
    keys = [*current_app.config["SECRET_KEY_FALLBACKS"], current_app.config["SECRET_KEY"]]
    return URLSafeSerializer(keys, salt="points-transfer")
