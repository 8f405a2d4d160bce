"""Deliveries of webhooks, signed by MLflow's own code."""

from __future__ import annotations

from mlflow.webhooks.delivery import _generate_hmac_signature

from training.webhook import Delivery

SECRET = "a-secret-of-the-hospital"
NOW = 1_790_000_000
BODY = b'{"entity":"model_version_alias","action":"created","data":{"name":"als-progression","alias":"champion"}}'


def delivery(body: bytes = BODY, *, secret: str = SECRET, at: object = NOW, number: str = "1") -> Delivery:
    """As MLflow itself signs it."""
    return Delivery(number, str(at), _generate_hmac_signature(secret, number, str(at), body.decode()), body)
