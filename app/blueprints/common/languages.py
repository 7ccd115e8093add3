"""The language in which something is said, for Babel and for the filters of the templates (docs/languages.md).

Mails are in their reader's language. Pages are in English, the default, until they say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, current_app, request
from flask_babel import Domain, force_locale, get_locale, gettext

from app.accounts.rules import LOCALES, locale_for
from app.kernel.words import for_translation

DEFAULT = LOCALES[0]
TRANSLATIONS = Path(__file__).resolve().parents[2] / "translations"
# Names for points that the catalogue knows; a shop that calls them otherwise is quoted in every language.
POINTS_NAMES = (for_translation("miles"), for_translation("points"))

# Beside Babel's own: that one costs microseconds, and a page asks for it with every amount.
_spoken: ContextVar[str] = ContextVar("spoken", default=DEFAULT)


class Catalogues(Domain):
    """`app/translations/<language>/LC_MESSAGES/messages.po`, read as it is: nothing compiled can be older."""

    def get_translations(self) -> NullTranslations:
        return catalogue(str(get_locale()))


def register(app: Flask) -> None:
    app.extensions["babel"].instance.domain_instance = Catalogues()
    app.jinja_env.filters["translated"] = translated


@contextmanager
def speaking(locale: str) -> Iterator[None]:
    """What is rendered inside is in `locale`, or in English when the shop does not know it."""
    known = locale if locale in LOCALES else DEFAULT
    before = _spoken.set(known)
    try:
        with force_locale(_babel(known)):
            yield
    finally:
        _spoken.reset(before)


def spoken() -> str:
    """One of `accounts.rules.LOCALES`."""
    return _spoken.get()


def spoken_to_babel() -> str:
    """The same as Babel writes it: `zh_Hant`."""
    return _babel(_spoken.get())


def preferred() -> str:
    """The first of the request's `Accept-Language` that the shop has; English when it has none of them."""
    for tag, quality in request.accept_languages:
        if quality > 0 and (found := locale_for(tag)) is not None:
            return found
    return DEFAULT


def translated(text: str) -> str:
    """Words that are known only at run time; what the catalogue does not have stays as it is."""
    return str(gettext(text)) if text else ""


def points_name() -> str:
    return translated(current_app.config["POINTS_NAME"])


@cache
def catalogue(name: str) -> NullTranslations:
    """The catalogue of a language as Babel calls it, an empty one for English. Raises PoFileError."""
    path = TRANSLATIONS / name / "LC_MESSAGES" / "messages.po"
    if not path.is_file():
        return NullTranslations()
    with path.open("rb") as source:
        entries = read_po(source, locale=name, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, entries)
    compiled.seek(0)
    return Translations(fp=compiled)


def _babel(locale: str) -> str:
    return locale.replace("-", "_")
