"""The states of the account pages."""

from __future__ import annotations

from types import SimpleNamespace as Obj
from typing import Any

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, EmailField, PasswordField, SelectField, StringField
from wtforms.validators import InputRequired

from app.blueprints.account.origins import Source
from app.rewards.policies import TransferRules
from app.rewards.queries.earnings import PendingEarning
from app.rewards.queries.months import BalanceAt
from tests.web import samples
from tests.web.samples import hkd
from tests.web.states_shop import Context, State


class SignInForm(FlaskForm):  # type: ignore[misc]
    email = EmailField("E-mail address", [InputRequired("Enter your e-mail address")])
    password = PasswordField("Password", [InputRequired("Enter your password")])


class RegisterForm(SignInForm):
    name = StringField("Full name", [InputRequired("Enter your name")])


class AddressForm(FlaskForm):  # type: ignore[misc]
    name = StringField("Full name", [InputRequired("Enter a name")])
    line1 = StringField("Address line 1", [InputRequired("Enter the first line of the address")])
    line2 = StringField("Address line 2")
    city = StringField("Town or city", [InputRequired("Enter a town or city")])
    region = StringField("Region")
    postcode = StringField("Postcode")
    country = SelectField("Country", choices={"HK": "Hong Kong"})
    phone = StringField("Phone")
    is_default = BooleanField("Use this address first")


class TransferForm(FlaskForm):  # type: ignore[misc]
    email = StringField("E-mail address of the other member", [InputRequired("Enter their e-mail address.")])
    points = StringField("How many", [InputRequired("Enter how many to send.")])


class ProfileForm(FlaskForm):  # type: ignore[misc]
    name = StringField("Full name", [InputRequired("Enter your name")])
    locale = SelectField("Language of mails", choices={"en": "English", "zh-Hant": "繁體中文"})


class PasswordForm(FlaskForm):  # type: ignore[misc]
    current = PasswordField("Current password", [InputRequired("Enter your current password")])
    new = PasswordField("New password", [InputRequired("Enter a new password")])


def checked(form: type[FlaskForm], data: dict[str, str] | None, **kwargs: Any) -> FlaskForm:
    bound = form(formdata=MultiDict(data or {}), **kwargs)
    if data is not None:
        bound.validate()
    return bound


def sign_in(data: dict[str, str] | None = None, **changes: Any) -> Context:
    people = [("rich@demo.example", "250,000 miles"), ("new@demo.example", "no miles yet")]
    return {
        "form": checked(SignInForm, data),
        "next": "/cart",
        "demo_people": people,
        "demo_password": "x",
    } | changes


def profile() -> Context:
    form, password = checked(ProfileForm, None), checked(PasswordForm, {"pw-new": ""}, prefix="pw")
    form.name.data = "Mei Chan"
    return {"form": form, "password_form": password, "forms": [form, password]}


def miles(**changes: Any) -> Context:
    return {
        "account": samples.account(),
        "balance_value": hkd(182400),
        "transactions": samples.transactions(),
        "expiring": [(900, samples.NOW), (300, samples.NOW)],
        "pending": [
            PendingEarning(645, "MPC-7K3Q-20461", samples.NOW, False),
            PendingEarning(300, None, samples.NOW, False),
            PendingEarning(80, "MPC-7K3Q-20462", samples.NOW, True),
        ],
        "filters": {"kind": "", "from": "", "to": ""},
        "kinds": [("earn", "Earned"), ("redeem", "Used"), ("refund", "Returned"), ("expire", "Expired")],
        "prev_url": None,
        "next_url": "/account/miles?cursor=x",
    } | changes


def statement(rows: int = 6, **changes: Any) -> Context:
    month = Obj(
        opening=BalanceAt(available=18_000, held=240),
        closing=BalanceAt(available=17_040, held=1_200),
        rows=samples.transactions(rows),
        expiring=[(1_200, samples.NOW), (300, samples.NOW)],
    )
    return {
        "month": month,
        "key": "2026-11",
        "months": [("2026-11", "November 2026"), ("2026-10", "October 2026")],
        "sums": {"Earned": 645, "Used for orders": -6_000, "Expired": 0},
        "day": "",
        "on_day": None,
        "errors": [],
    } | changes


def source(**changes: Any) -> Source:
    shown = {
        "points": 6_000,
        "words": "Earned with an order",
        "at": samples.NOW,
        "expires_at": samples.NOW,
        "order_number": "MPC-7K3Q-20461",
        "rules_version": 3,
        "rate": "2 for each HK$1.00 paid by card",
        "parts": [("Base rate", 500), ("Double miles on <b>tea</b>", 145)],
        "was_returned": False,
    }
    return Source(**{**shown, **changes})


def movement(*origins: Source) -> Context:
    return {"row": samples.transactions(2)[1], "origins": origins}


def transfers(data: dict[str, str] | None = None, **changes: Any) -> Context:
    return {
        "form": checked(TransferForm, data),
        "available": 18_240,
        "limits": TransferRules(),
        "left_today": 18_500,
        "left_this_year": 98_500,
        "grace_days": 14,
        "waiting": None,
        "transfers": [
            sent("cancelled"),
            sent("done"),
            sent("done", sender_id="other", spendable_from=samples.NOW),
        ],
        "me": "me",
        "errors": [],
    } | changes


def sent(state: str, **changes: Any) -> Obj:
    shown = {
        "id": "7c6f1f0e-1111-4222-8333-944455556666",
        "sender_id": "me",
        "recipient_email": "a.very.long.address.of.a.good.friend@example.test",
        "points": 1_500,
        "state": state,
        "created_at": samples.NOW,
        "confirm_until": samples.NOW,
        "spendable_from": None,
    }
    return Obj(**{**shown, **changes})


EMPTY = {"account": samples.account(0, held=0, pending=0, holds=[], expiring=[]), "balance_value": hkd(0)}
ORDERS = [
    samples.order(s)
    for s in ("paid", "payment_pending", "payment_failed", "shipped", "refunded", "needs_review", "cancelled")
]
WRONG = [{"field": "email", "message": "E-mail or password is wrong"}]
ACCOUNT: dict[str, State] = {
    "sign-in": ("pages/account/sign_in.html", sign_in, False),
    "sign-in-empty": ("pages/account/sign_in.html", lambda: sign_in({"email": ""}, demo_people=[]), False),
    "sign-in-wrong": ("pages/account/sign_in.html", lambda: sign_in(errors=WRONG, demo_people=[]), False),
    "register": (
        "pages/account/register.html",
        lambda: {"form": checked(RegisterForm, None), "next": ""},
        False,
    ),
    "register-errors": (
        "pages/account/register.html",
        lambda: {"form": checked(RegisterForm, {"name": "Mei"}), "next": ""},
        False,
    ),
    "overview": (
        "pages/account/overview.html",
        lambda: {"account": samples.account(), "balance_value": hkd(182400), "orders": ORDERS[:3]},
        True,
    ),
    "overview-new": ("pages/account/overview.html", lambda: {**EMPTY, "orders": []}, True),
    "miles": ("pages/account/miles.html", miles, True),
    "miles-none": (
        "pages/account/miles.html",
        lambda: miles(**EMPTY, transactions=[], expiring=[], pending=[], next_url=None),
        True,
    ),
    "miles-filtered": (
        "pages/account/miles.html",
        lambda: miles(
            transactions=[], next_url=None, filters={"kind": "earn", "from": "2026-01-01", "to": ""}
        ),
        True,
    ),
    "miles-debt": ("pages/account/miles.html", lambda: miles(account=samples.account(0, debt=120)), True),
    "statement": ("pages/account/statement.html", statement, True),
    "statement-day": (
        "pages/account/statement.html",
        lambda: statement(day="2026-11-01", on_day=BalanceAt(available=500, pending=20, owed=7)),
        True,
    ),
    "statement-empty": ("pages/account/statement.html", lambda: statement(0), True),
    "statement-errors": (
        "pages/account/statement.html",
        lambda: statement(day="x", errors=[{"field": "day", "message": "Enter a date like 2026-01-31."}]),
        True,
    ),
    "movement": (
        "pages/account/movement.html",
        lambda: movement(
            source(), source(order_number=None, rate=None, parts=[], expires_at=None, was_returned=True)
        ),
        True,
    ),
    "movement-none": ("pages/account/movement.html", movement, True),
    "transfers": ("pages/account/transfers.html", transfers, True),
    "transfers-waiting": (
        "pages/account/transfers.html",
        lambda: transfers(waiting=sent("awaiting_confirmation"), transfers=[sent("awaiting_confirmation")]),
        True,
    ),
    "transfers-errors": (
        "pages/account/transfers.html",
        lambda: transfers({"email": "x", "points": ""}, transfers=[]),
        True,
    ),
    "transfer-confirm": (
        "pages/account/transfer.html",
        lambda: {"transfer": sent("awaiting_confirmation"), "token": "t", "errors": [], "is_late": False},
        True,
    ),
    "transfer-late": (
        "pages/account/transfer.html",
        lambda: {"transfer": sent("awaiting_confirmation"), "token": "t", "errors": [], "is_late": True},
        True,
    ),
    "transfer-errors": (
        "pages/account/transfer.html",
        lambda: {
            "transfer": sent("awaiting_confirmation"),
            "token": "t",
            "errors": [{"field": "", "message": "Nobody with this address can receive miles."}],
            "is_late": False,
        },
        True,
    ),
    "transfer-done": (
        "pages/account/transfer.html",
        lambda: {"transfer": sent("done"), "token": "t", "errors": [], "is_late": False},
        True,
    ),
    "addresses": (
        "pages/account/addresses.html",
        lambda: {"addresses": [samples.address(1), samples.address(2)]},
        True,
    ),
    "addresses-none": ("pages/account/addresses.html", lambda: {"addresses": []}, True),
    "address-form": (
        "pages/account/address_form.html",
        lambda: {
            "form": checked(AddressForm, {"name": "Mei"}),
            "heading": "Add an address",
            "action_url": "/x",
        },
        True,
    ),
    "profile": ("pages/account/profile.html", profile, True),
}
