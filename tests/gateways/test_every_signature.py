"""Only what a gateway signed, and signed now, is believed: the one matrix for every adapter."""

from __future__ import annotations

import pytest

from app.kernel import clock
from app.payments.gateway import GatewayEvent, SignatureInvalid
from tests.gateways.houses import House, hmac_of

KEY = "0192d1f0-0000-7000-8000-000000000001"


def parse(house: House, body: bytes, header: str | None, name: str | None = None) -> GatewayEvent:
    headers = {} if header is None else {name or house.signature_header: header}
    return house.adapter.parse_webhook(body, headers, clock.now())


SIGNED = {
    "plain": "t={t},v1={new}",
    "the other way round": "v1={new},t={t}",
    "with a space": "t={t}, v1={new}",
    "another scheme beside it": "t={t},v0=zzz,v1={new}",
    "the second of two": "t={t},v1={zeros},v1={new}",
    "with the secret before": "t={t},v1={old}",
    "299 seconds ago": "t={past},v1={past_new}",
    "in 299 seconds": "t={future},v1={future_new}",
}
UNSIGNED = {
    "empty": "",
    "nonsense": "nonsense",
    "no time": "v1={new}",
    "no signature": "t={t}",
    "empty time": "t=,v1={new}",
    "two times": "t={t},t={t},v1={new}",
    "a fraction": "t={t}.0,v1={new}",
    "a sign": "t=+{t},v1={new}",
    "another scheme only": "t={t},v0={new}",
    "upper case": "t={t},v1={upper}",
    "cut off": "t={t},v1={cut}",
    "not ASCII": "t={t},v1={new}é",
    "another time": "t={future},v1={new}",
    "another secret": "t={t},v1={other}",
    "too old": "t={old_t},v1={old_t_new}",
    "from the future": "t={far},v1={far_new}",
    "endless time": "t={nines},v1={new}",
    "endless": "v1=,v1=,v1=,v1={nines}",
}


def header_for(pattern: str, body: bytes) -> str:
    t = int(clock.now().timestamp())
    times = {"t": t, "past": t - 299, "future": t + 299, "old_t": t - 302, "far": t + 302}
    new = hmac_of("whsec_new", t, body)
    signatures = {f"{name}_new": hmac_of("whsec_new", at, body) for name, at in times.items()}
    return pattern.format(
        **times,
        **signatures,
        new=new,
        old=hmac_of("whsec_old", t, body),
        other=hmac_of("whsec_other", t, body),
        upper=new.upper(),
        cut=new[:-1],
        zeros="0" * 64,
        nines="9" * 5000,
    )


@pytest.mark.parametrize("how", SIGNED)
def test_signed_by_the_gateway(house: House, how: str) -> None:
    body = house.event_body(KEY)
    header = header_for(SIGNED[how], body)
    event = parse(house, body, header)
    assert (event.event_id, event.subject, event.payment_key, event.object_key) == (
        "evt_1",
        "payment",
        KEY,
        KEY,
    )
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2026-03-01T11:59:59+00:00"
    assert parse(house, body, header, house.signature_header.lower()) == event


@pytest.mark.parametrize("how", UNSIGNED)
def test_not_signed_by_the_gateway(house: House, how: str) -> None:
    body = house.event_body(KEY)
    with pytest.raises(SignatureInvalid):
        parse(house, body, header_for(UNSIGNED[how], body))


def test_no_header_at_all(house: House) -> None:
    with pytest.raises(SignatureInvalid):
        parse(house, house.event_body(KEY), None)


@pytest.mark.parametrize("change", ["longer", "bom", "digit", "shorter", "empty"])
def test_another_body_than_was_signed(house: House, change: str) -> None:
    body = house.event_body(KEY)
    changed = {
        "longer": body + b" ",
        "bom": b"\xef\xbb\xbf" + body,
        "digit": body.replace(b"12345", b"12346", 1),
        "shorter": body[:-1],
        "empty": b"",
    }[change]
    assert changed != body
    with pytest.raises(SignatureInvalid):
        parse(house, changed, header_for("t={t},v1={new}", body))


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'{"id":"evt_1"}', b"\xff\xfe", b"[" * 50_000])
def test_signed_but_not_an_event(house: House, body: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        parse(house, body, header_for("t={t},v1={new}", body))
