"""A browser without JavaScript: it follows links, fills forms and presses buttons of the pages it is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

VOID = {"input", "br", "img", "meta", "link", "hr", "source", "wbr"}


@dataclass
class Form:
    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str | None, str | None, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select: tuple[str, bool] | None = None
        self._button: list[str | None] | None = None
        self._words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._form = Form(given.get("action") or "", (given.get("method") or "get").lower())
            self.forms.append(self._form)
        if self._form is None:
            return
        if tag == "input" and given.get("name"):
            self._input(self._form, given)
        elif tag == "select":
            self._select = (str(given["name"]), False)
        elif tag == "option" and self._select is not None:
            name, chosen = self._select
            if not chosen:
                self._form.values[name] = given.get("value") or ""
                self._select = (name, "selected" in given) if "selected" in given else self._select
            if name not in self._form.values or "selected" in given:
                self._form.values[name] = given.get("value") or ""
                self._select = (name, True)
        elif tag == "button":
            self._button, self._words = [given.get("name"), given.get("value")], ""

    def _input(self, form: Form, given: dict[str, str | None]) -> None:
        kind = given.get("type") or "text"
        if kind in {"radio", "checkbox"} and "checked" not in given:
            return
        form.values[str(given["name"])] = given.get("value") or ""

    def handle_data(self, data: str) -> None:
        self._words += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "button" and self._button is not None and self._form is not None:
            words = " ".join(self._words.split())
            self._form.buttons.append((self._button[0], self._button[1], words))
            self._button = None


@dataclass
class Page:
    """What is shown now. `leaves_for`: the address outside the shop that the last answer sent the browser to."""

    status: int
    path: str
    html: str
    leaves_for: str | None = None

    @property
    def text(self) -> str:
        """The words of the page, without what only programs read."""
        bare = re.sub(r"<(script|style|svg|head).*?</\1>", " ", self.html, flags=re.S)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare)).split()).replace(" .", ".").replace(" ,", ",")

    @property
    def title(self) -> str:
        return unescape(re.findall(r"<title>(.*?)</title>", self.html, re.S)[0])

    @property
    def heading(self) -> str:
        return " ".join(
            unescape(re.sub(r"<[^>]+>", "", re.findall(r"<h1.*?</h1>", self.html, re.S)[0])).split()
        )

    def form(self, button: str) -> tuple[Form, tuple[str | None, str | None, str]]:
        """The form with a button that says `button` (its beginning), and that button."""
        reader = _Reader()
        reader.feed(self.html)
        for form in reader.forms:
            for one in form.buttons:
                if one[2].startswith(button):
                    return form, one
        raise AssertionError(f"no button {button!r} on {self.path}: {[f.buttons for f in reader.forms]}")


class Visitor:
    """`page` is the last page shown. Redirects inside the shop are followed."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page = Page(0, "", "")
        self.moves: list[str] = []

    def go(self, path: str) -> Page:
        return self._shown(self.client.get(path), path)

    def press(self, button: str, *, page: Page | None = None, **changes: str) -> Page:
        """Press a button of the page (or of an older `page`), its form filled with `changes`."""
        shown = page or self.page
        form, (name, value, _) = shown.form(button)
        assert form.method == "post", form
        sent = {**form.values, **changes}
        if name:
            sent[name] = value or ""
        action = form.action or shown.path
        return self._shown(self.client.post(action, data=sent), action)

    def _shown(self, answer: TestResponse, path: str) -> Page:
        self.moves = []
        for _ in range(10):
            if answer.status_code not in (301, 302, 303):
                self.page = Page(answer.status_code, path, answer.text)
                return self.page
            target = answer.headers["Location"]
            self.moves.append(target)
            parts = urlsplit(target)
            if parts.netloc:
                self.page = Page(answer.status_code, path, "", leaves_for=target)
                return self.page
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            answer = self.client.get(path)
        raise AssertionError(f"redirected in circles: {self.moves}")
