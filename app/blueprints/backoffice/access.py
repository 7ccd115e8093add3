"""Who may see and do what in the back office: nobody, unless the page and the role say so.

Flask-Admin's own views are open by default, commit by themselves and catch TypeErrors by calling a view again;
none of that happens here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from flask import Flask
from flask_admin import BaseView, expose
from flask_admin.base import Admin
from werkzeug.routing import Rule

from app.accounts import rules
from app.blueprints.common.actors import current_person
from app.kernel.errors import Forbidden, Unauthenticated

View = TypeVar("View", bound=Callable[..., Any])
ANY_STAFF = "any staff"
"""For pages that every role of the staff has; what is on them is up to each role's permissions."""


def page(url: str = "/", *, permission: str | None = None) -> Callable[[View], View]:
    """A page of a view class, for GET. `permission`: another one than the class's."""
    return _exposed(url, ("GET",), permission)


def action(url: str, *, permission: str) -> Callable[[View], View]:
    """Something that changes something: POST only, and always with a permission of its own."""
    return _exposed(url, ("POST",), permission)


class Guarded:
    """Goes before Flask-Admin's view class in the bases. Without a permission nobody gets in."""

    permission: str | None = None

    def is_accessible(self) -> bool:
        """Whether the menu shows it to whoever is signed in."""
        person = current_person()
        return person is not None and allowed(person.role, self.permission)

    def _handle_view(self, name: str, **kwargs: Any) -> None:
        person = current_person()
        if person is None:
            raise Unauthenticated("Sign in first.")
        if not allowed(person.role, permission_of(self, name)):
            raise Forbidden("This page is for staff whose role includes it.")

    def _run_view(self, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return view(self, *args, **kwargs)


class StaffPage(Guarded, BaseView):
    """A page of our own."""


def allowed(role: str, permission: str | None) -> bool:
    if permission is None:
        return False
    if permission == ANY_STAFF:
        return rules.is_staff(role)
    return rules.may(role, permission)


def reader_may(permission: str) -> bool:
    """Whether whoever reads this page has the permission: for the parts of a page."""
    person = current_person()
    return person is not None and allowed(person.role, permission)


def permission_of(view: Any, name: str) -> str | None:
    """What one page or action of a view object needs; None: nobody may."""
    own: str | None = getattr(getattr(type(view), name, None), "permission", None)
    return own or view.permission


def list_needed(app: Flask) -> Iterator[tuple[Rule, str | None]]:
    """Every route of the back office with the permission that it needs; None: nobody's."""
    admin: Admin = app.extensions["admin"][0]
    views = {view.endpoint: view for view in admin._views}
    for rule in app.url_map.iter_rules():
        endpoint, _, name = rule.endpoint.rpartition(".")
        if rule.rule.startswith("/admin"):
            yield rule, permission_of(views[endpoint], name) if endpoint in views else None


def _exposed(url: str, methods: tuple[str, ...], permission: str | None) -> Callable[[View], View]:
    if permission is not None and permission != ANY_STAFF and permission not in rules.ALL_PERMISSIONS:
        raise KeyError(permission)

    def declare(view: View) -> View:
        if permission is not None:
            view.permission = permission  # type: ignore[attr-defined]
        exposed: View = expose(url, methods)(view)
        return exposed

    return declare
