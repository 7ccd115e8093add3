"""Every mail in every language: whole, in that language alone, with amounts and dates as they are written there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient
from jinja2 import StrictUndefined

from app.accounts.rules import LANGUAGES, locale_for
from app.blueprints.common import languages
from app.blueprints.common.mailing import render_mail
from app.blueprints.ops.mail_samples import contexts
from app.kernel.money import Money
from app.notifications.rendering import FOR_STAFF, MESSAGES, Rendered
from app.orders.queries import OrderView

pytestmark = pytest.mark.usefixtures("app_context")
SHOPPERS = [message for message in MESSAGES if message not in FOR_STAFF]
NO_WORDS = {"HK", "UTC", "x"}  # of amounts, times and quantities
CHANGES: dict[str, list[dict[str, Any]]] = {
    # what a template says only sometimes
    "order_paid": [{"earn_confirmed_on": None}],
    "points_adjusted": [{"points": 500}],
    "points_expiring": [{"days": 1}],
    "order_refunded": [{"points": 0, "reason": None, "taken_back": 0}],
    "order_cancelled": [{"points": 0}],
}


@pytest.fixture(autouse=True)
def _strict(app: Flask) -> Iterator[None]:
    """A place without a value is an error."""
    environment = app.jinja_env
    before = environment.undefined
    environment.undefined = StrictUndefined
    yield
    environment.undefined = before


def samples(message: str) -> list[dict[str, Any]]:
    sample = dict(contexts("https://shop.test/")[message])
    return [sample, *(sample | change for change in CHANGES.get(message, []))]


def visible(html: str) -> str:
    return re.sub(r"<[^>]+>", " ", re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL))


def texts(mail: Rendered) -> str:
    return "\n".join((mail.subject, mail.text, visible(mail.html)))


def data(context: Mapping[str, Any]) -> Iterator[str]:
    """The words that are the shopper's, the product's or the staff's own, longest first."""
    order = context.get("order")
    found = [value for value in context.values() if isinstance(value, str)]
    if isinstance(order, OrderView):
        found += [order.number, order.email, *order.address.values(), *(line.name for line in order.lines)]
    yield from sorted(found, key=len, reverse=True)


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("message", MESSAGES)
def test_every_mail_is_whole(message: str, locale: str) -> None:
    for context in samples(message):
        mail = render_mail(message, context, locale=locale)
        assert mail.subject
        assert "\n" not in mail.subject
        assert f'<html lang="{locale}">' in mail.html
        assert mail.html.count("<h1>") == 1
        assert "%(" not in texts(mail)
        assert "&lt;" not in mail.text + mail.html
        for amount in re.findall(r"HK\$[\d,.]+\d", mail.html):
            assert amount in mail.text


@pytest.mark.parametrize("message", SHOPPERS)
def test_nothing_is_left_in_english(app: Flask, message: str) -> None:
    for context in samples(message):
        said = texts(render_mail(message, context, locale="zh-Hant"))
        for word in (app.config["SHOP_NAME"], app.config["BASE_URL"], *data(context)):
            said = said.replace(word, " ")
        assert set(re.findall(r"[A-Za-z]+", said)) <= NO_WORDS, said
        assert re.search(r"[\u4e00-\u9fff]{4}", said)


def test_amounts_and_dates_are_written_as_people_there_write_them() -> None:
    (receipt, _), (expiring, soon) = samples("order_paid"), samples("points_expiring")
    chinese, english = (render_mail("order_paid", receipt, locale=one) for one in ("zh-Hant", "en"))
    for part in (chinese.text, visible(chinese.html)):
        for words in ("HK$450.00", "2,000 里數", "250 里數", "2026年12月22日"):
            assert words in part
    for part in (english.text, visible(english.html)):
        for words in ("HK$450.00", "2,000 miles", "250 miles", "22 December 2026"):
            assert words in part
    transfer = render_mail("transfer_confirm", samples("transfer_confirm")[0], locale="zh-Hant")
    assert "2026年11月22日 09:30（UTC）" in transfer.text
    assert '<time datetime="2026-11-22T09:30:00+00:00">2026年11月22日 09:30（UTC）</time>' in transfer.html
    with languages.speaking("zh-Hant"):
        assert render_template_string("{{ price|money }}", price=Money(123_450, "USD")) == "US$1,234.50"
    assert render_template_string("{{ price|money }}", price=Money(123_450, "USD")) == "$1,234.50"
    assert "about 1 day." in render_mail("points_expiring", soon, locale="en").text
    assert "about 30 days." in render_mail("points_expiring", expiring, locale="en").text
    assert "大約 1 天後" in render_mail("points_expiring", soon, locale="zh-Hant").text


def test_the_reasons_of_the_shop_are_translated_and_those_of_staff_are_quoted() -> None:
    failed = render_mail("payment_failed", samples("payment_failed")[0], locale="zh-Hant")
    assert "發卡銀行拒絕了這筆付款。" in failed.text
    assert "發卡銀行拒絕了這筆付款。" in failed.html
    refunded = samples("order_refunded")[0] | {"reason": "100% <b>our</b> %(fault)s"}
    mail = render_mail("order_refunded", refunded, locale="zh-Hant")
    assert "原因：100% <b>our</b> %(fault)s" in mail.text
    assert "原因：100% &lt;b&gt;our&lt;/b&gt; %(fault)s" in mail.html


def test_names_are_never_markup_in_any_language() -> None:
    context = samples("order_shipped")[0] | {"name": "<b>Mei</b> 100%"}
    for locale in LANGUAGES:
        mail = render_mail("order_shipped", context, locale=locale)
        assert "&lt;b&gt;Mei&lt;/b&gt; 100%" in mail.html
        assert "<b>Mei" not in mail.html
        assert "<b>Mei</b> 100%" in mail.text
        assert "<strong>MPC-7K3QH-20461</strong>" in mail.html


def test_points_under_another_name_are_called_by_it(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = samples("order_paid")[0]
    for name, words in (("points", "2,000 積分"), ("stars", "2,000 stars")):
        monkeypatch.setitem(app.config, "POINTS_NAME", name)
        assert words in render_mail("order_paid", receipt, locale="zh-Hant").text


def test_an_unknown_language_is_english_and_the_language_ends_with_the_mail() -> None:
    context = samples("welcome")[0]
    assert render_mail("welcome", context, locale="tlh") == render_mail("welcome", context, locale="en")
    render_mail("welcome", context, locale="zh-Hant")
    assert languages.spoken() == "en"
    assert (
        render_template_string("{{ _('See the order') }} {{ 1234|in_points }}") == "See the order 1,234 miles"
    )


@pytest.mark.parametrize(
    ("asked", "locale"),
    [
        *(
            (tag, "zh-Hant")
            for tag in ("zh", "zh-TW", "zh-HK", "zh-MO", "zh-Hant", "ZH-hant-hk", "zh_Hant_TW")
        ),
        *((tag, "en") for tag in ("zh-CN", "zh-SG", "zh-Hans", "zh-Hans-HK", "en", "en-GB")),
        *((tag, None) for tag in ("fr", "*", "zhx", "")),
    ],
)
def test_what_a_browser_asks_for(asked: str, locale: str | None) -> None:
    assert locale_for(asked) == locale


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        (None, "en"),
        ("", "en"),
        ("fr-FR, zh-HK;q=0.9, en;q=0.8", "zh-Hant"),
        ("en;q=0.5, zh-TW", "zh-Hant"),
        ("en-US,en;q=0.9,zh-HK;q=0.8", "en"),
        ("zh-CN,zh;q=0.9", "en"),
        ("zh-HK;q=0, fr", "en"),
        ("\x00;;q=,zh-HK;q=x", "en"),
    ],
)
def test_the_best_of_what_a_browser_asks_for(app: Flask, header: str | None, locale: str) -> None:
    headers = {} if header is None else {"Accept-Language": header}
    with app.test_request_context("/", headers=headers):
        assert languages.preferred() == locale


def test_the_preview_shows_every_mail_in_every_language(client: FlaskClient) -> None:
    listed = client.get("/dev/mails/").text
    for message in SHOPPERS:
        assert f'href="zh-Hant/{message}.html"' in listed
        page = client.get(f"/dev/mails/zh-Hant/{message}.html")
        text = client.get(f"/dev/mails/zh-Hant/{message}.txt")
        assert (page.status_code, text.status_code) == (200, 200)
        assert '<html lang="zh-Hant">' in page.text
        assert "我們絕不會以電郵索取密碼" in page.text
        assert "我們絕不會以電郵索取密碼" in text.text
        assert '<html lang="en">' in client.get(f"/dev/mails/{message}.html").text
    for path in ("tlh/welcome.html", "zh-Hant/nonsense.html", "zh-Hant/staff_alert.html"):
        assert client.get(f"/dev/mails/{path}").status_code == 404
