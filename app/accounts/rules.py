"""What a valid person, password and address is, and what each role may do."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from functools import cache
from itertools import pairwise
from pathlib import Path

from babel import Locale

from app.kernel.errors import FieldError, RuleBroken, invalid

ROLES = ("customer", "support", "approver", "catalogue_manager", "auditor", "admin")
LANGUAGES: Mapping[str, str] = {"en": "English", "zh-Hant": "繁體中文"}  # BCP 47: what its readers call it
LOCALES = tuple(LANGUAGES)
MAX_EMAIL = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
MAX_NAME = 100
MIN_PASSWORD = 12
MAX_PASSWORD = 128
MAX_ADDRESSES = 50

_READ = {"customers.read", "orders.read", "payments.read", "catalogue.read"}
PERMISSIONS: Mapping[str, frozenset[str]] = {
    "customer": frozenset(),
    "support": frozenset(
        _READ
        | {"rewards.read", "rewards.adjust", "orders.move", "orders.refund", "jobs.read", "payments.ask"}
    ),
    "approver": frozenset(_READ | {"rewards.read", "rewards.adjust", "rewards.approve", "audit.read"}),
    "catalogue_manager": frozenset({"catalogue.read", "catalogue.edit"}),
    "auditor": frozenset(_READ | {"rewards.read", "audit.read", "rules.read", "jobs.read"}),
    "admin": frozenset(
        _READ
        | {"rewards.read", "rewards.adjust", "rewards.approve", "orders.move", "orders.refund"}
        | {"catalogue.edit", "audit.read", "users.edit", "rules.read", "rules.edit", "payments.settle"}
        | {"payments.ask"}
        | {"jobs.read", "jobs.run"}
    ),
}
ALL_PERMISSIONS: frozenset[str] = frozenset().union(*PERMISSIONS.values())

# A local part and a domain with a dot; the quoting, comments and literals of RFC 5322 are nobody's mailbox.
_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}"
)
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{4,30}")
_LEET = str.maketrans("013457@$!", "oieastasi")


@dataclass(frozen=True, slots=True)
class AddressData:
    """A postal address as people type it. `country` is ISO 3166-1 alpha-2."""

    name: str
    line1: str
    city: str
    country: str
    line2: str | None = None
    region: str | None = None
    postcode: str | None = None
    phone: str | None = None


def may(role: str, permission: str) -> bool:
    """Whether `role` has `permission`. A permission that no role has is a programming error: KeyError."""
    if permission not in ALL_PERMISSIONS:
        raise KeyError(permission)
    return permission in PERMISSIONS[role]


def is_staff(role: str) -> bool:
    return role != "customer"


def clean_email(text: str) -> str:
    """The address in lower case. RuleBroken naming `email`."""
    email = unicodedata.normalize("NFC", text.strip()).lower()
    local = email.partition("@")[0]
    dots = local.startswith(".") or local.endswith(".") or ".." in local
    if len(email) > MAX_EMAIL or dots or not _EMAIL.fullmatch(email):
        raise invalid("email", "EMAIL_INVALID", "Enter an e-mail address like name@example.com.")
    return email


def clean_name(text: str) -> str:
    """The name without stray spaces. RuleBroken naming `name`."""
    name = _one_line(text)
    if not 1 <= len(name) <= MAX_NAME:
        raise invalid("name", "NAME_INVALID", f"Enter your name, at most {MAX_NAME} characters.")
    return name


def clean_person(*, email: str, name: str, locale: str, password: str) -> tuple[str, str, str]:
    """E-mail, name and locale as they are stored. RuleBroken naming every wrong field, the password too."""
    checks: Mapping[str, Callable[[], str]] = {
        "name": lambda: clean_name(name),
        "email": lambda: clean_email(email),
        "locale": lambda: clean_locale(locale),
        "password": lambda: _checked_password(password, email=email.strip().lower(), name=name),
    }
    cleaned: dict[str, str] = {}
    errors: list[FieldError] = []
    for field, check in checks.items():
        try:
            cleaned[field] = check()
        except RuleBroken as error:
            errors.extend(error.errors)
    if errors:
        raise RuleBroken(errors[0].message, code="VALIDATION_FAILED", errors=tuple(errors))
    return cleaned["email"], cleaned["name"], cleaned["locale"]


def clean_locale(text: str) -> str:
    if text not in LOCALES:
        raise invalid("locale", "LOCALE_UNKNOWN", f"The language must be one of: {', '.join(LOCALES)}.")
    return text


def locale_for(tag: str) -> str | None:
    """The language for what a browser asks for (BCP 47), None when there is none. Simplified Chinese
    is another script, which the shop does not have: English."""
    words = tag.lower().replace("_", "-").split("-")
    if words[0] == "zh":
        simplified = "hans" in words or ("hant" not in words and words[-1] in {"cn", "sg", "my"})
        return "en" if simplified else "zh-Hant"
    return words[0] if words[0] in LOCALES else None


def check_password(password: str, *, email: str, name: str = "", field: str = "password") -> None:
    """12 to 128 characters, not common, not the person's own name (ASVS 5.0, 6.2.1 to 6.2.9)."""
    if len(password) < MIN_PASSWORD:
        raise invalid(field, "PASSWORD_TOO_SHORT", f"Use a password of at least {MIN_PASSWORD} characters.")
    if len(password) > MAX_PASSWORD:
        raise invalid(field, "PASSWORD_TOO_LONG", f"Use a password of at most {MAX_PASSWORD} characters.")
    lowered = password.lower()
    own = {email, email.partition("@")[0], name.lower(), name.lower().replace(" ", "")}
    if _is_common(lowered) or lowered in own or lowered.strip("0123456789!.@#$-_ ") in own - {""}:
        raise invalid(field, "PASSWORD_COMMON", "This password is easy to guess. Use another one.")


def _checked_password(password: str, *, email: str, name: str) -> str:
    check_password(password, email=email, name=name)
    return password


def clean_address(data: AddressData, *, countries: Collection[str]) -> AddressData:
    """The address without stray spaces. RuleBroken naming every wrong field."""
    values = {field.name: _one_line(getattr(data, field.name) or "") for field in fields(data)}
    values["country"] = values["country"].upper()
    errors = [error for name, text in values.items() if (error := _address_error(name, text, countries))]
    if errors:
        raise RuleBroken(errors[0].message, code="VALIDATION_FAILED", errors=tuple(errors))
    optional = {name: values[name] or None for name in ("line2", "region", "postcode", "phone")}
    return AddressData(**{**values, **optional})  # type: ignore[arg-type]


_ADDRESS_TEXT = {
    # field: (most characters, what to ask for when it is required and missing)
    "name": (100, "Enter the name of the person who receives the parcel."),
    "line1": (200, "Enter the street and the house number."),
    "line2": (200, None),
    "city": (100, "Enter the city."),
    "region": (100, None),
    "postcode": (20, None),
    "country": (2, "Choose the country."),
    "phone": (32, None),
}


def _address_error(name: str, text: str, countries: Collection[str]) -> FieldError | None:
    longest, question = _ADDRESS_TEXT[name]
    if question and not text:
        return FieldError(name, "REQUIRED", question)
    if name == "country":
        if text not in countries:
            return FieldError(name, "COUNTRY_UNSUPPORTED", "We do not deliver to this country.")
    elif len(text) > longest:
        return FieldError(name, "TOO_LONG", f"Use at most {longest} characters.")
    elif name == "phone" and text and not _PHONE.fullmatch(text):
        return FieldError(name, "PHONE_INVALID", "Enter a phone number like +852 5555 0100.")
    return None


@cache
def country_name(code: str) -> str:
    """English name of an ISO 3166-1 alpha-2 country; the code itself when it has none."""
    return str(Locale("en").territories.get(code, code))


def _one_line(text: str) -> str:
    """NFC, control characters out, runs of space as one."""
    kept = (c for c in unicodedata.normalize("NFC", text) if c.isspace() or unicodedata.category(c) != "Cc")
    return " ".join("".join(kept).split())


def _is_common(lowered: str) -> bool:
    """On the list, or a listed word with digits and signs around it, or the same few characters again."""
    word = re.sub(r"[^a-z]", "", lowered.strip("0123456789!.@#$%&*-_ ").translate(_LEET))
    listed = _common_passwords()
    return lowered in listed or word in listed or len(set(lowered)) < 4 or _is_run(lowered)


def _is_run(text: str) -> bool:
    """One step up or down all along, such as 123456789012 or zyxwvutsrqpo."""
    steps = {ord(b) - ord(a) for a, b in pairwise(text)}
    return steps <= {1, -9} or steps <= {-1, 9}


@cache
def _common_passwords() -> frozenset[str]:
    text = (Path(__file__).parent / "common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
