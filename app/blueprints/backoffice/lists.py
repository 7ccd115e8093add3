"""Our backend for Flask-Admin's lists: Core statements, a count that stops, plain filters, no writing at all.

A list shows its first 10,000 rows at most: whoever looks for more is better off with a filter, and neither the
count nor the deepest page grows with the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app, request
from flask_admin.model import BaseModelView
from flask_admin.model.base import ViewArgs
from sqlalchemy import literal

from app.blueprints.backoffice.access import Guarded
from app.blueprints.backoffice.cells import Cell
from app.blueprints.backoffice.filters import Filter, Rows
from app.kernel.database import count_up_to, session
from app.kernel.pagination import MAX_TOTAL

MAX_TERM = 200


@dataclass(frozen=True)
class Column:
    """`cell` turns a row into what is shown; `sort` is the column that the heading sorts by. `{points}` in the
    label stands for what the shop calls its unit."""

    label: str
    cell: Cell
    sort: Any = None
    is_number: bool = False


class StaffList(Guarded, BaseModelView):
    """Subclasses say `title`, `columns`, `order_by`, `statement()`, and `narrow`, `search()` if they have them.

    The first column is the row's name. `order_by` ends with a unique column.
    """

    title: str
    columns: dict[str, Column]
    order_by: tuple[Any, ...]
    narrow: tuple[Filter, ...] = ()
    hint: str | None = None  # what can be searched for; None: no search
    empty: str = "Nothing here yet."
    list_template = "admin/list.html"
    page_size = 24
    can_create = can_edit = can_delete = can_export = False

    # Flask-Admin registers these for every list; what is not there cannot be left open.
    create_view = edit_view = details_view = delete_view = None
    action_view = export = ajax_lookup = ajax_update = None

    def __init__(self, model: type, *, endpoint: str, url: str, category: str | None = None) -> None:
        self.column_list = list(self.columns)
        self.column_labels = {name: column.label for name, column in self.columns.items()}
        self.column_sortable_list = [name for name, column in self.columns.items() if column.sort is not None]
        self.column_formatters = {
            name: (lambda view, context, row, name: view.columns[name].cell(row)) for name in self.columns
        }
        super().__init__(model, self.title, category, endpoint, url)

    def statement(self) -> Rows:
        """Rows of the list, unordered and unfiltered."""
        raise NotImplementedError

    def search(self, statement: Rows, term: str) -> Rows:
        raise NotImplementedError

    def get_list(
        self,
        page: int | None,
        sort_column: str | None,
        sort_desc: bool,
        search: str | None,
        filters: Any,
        execute: bool = True,
        page_size: int | None = None,
    ) -> tuple[int, Sequence[Any]]:
        """(count, rows): two statements. The count is at most 10,001, which is read as "more"."""
        statement = self._narrowed(self.statement())
        if self.hint and search:
            statement = self.search(statement, _cleaned(search))
        counted = statement.with_only_columns(literal(1), maintain_column_froms=True)
        count = count_up_to(counted, MAX_TOTAL)
        size = page_size or self.page_size
        last = max(0, -(-min(count, MAX_TOTAL) // size) - 1)
        start = min(max(0, page or 0), last) * size
        rows = session().execute(
            statement.order_by(*self._order(sort_column, sort_desc)).limit(size).offset(start)
        )
        return count, rows.all()

    def heading(self, name: str) -> str:
        unit: str = current_app.config["POINTS_NAME"].capitalize()
        return self.columns[name].label.format(points=unit)

    def filled(self) -> dict[str, str]:
        """The filters of this request that are not empty."""
        names = (one.name for one in self.narrow)
        return {name: value for name in names if (value := _cleaned(request.args.get(name, "")))}

    def get_pk_value(self, model: Any) -> Any:
        return None

    def scaffold_form(self) -> Any:
        return self.form_base_class

    def init_search(self) -> bool:
        return self.hint is not None

    def search_placeholder(self) -> str | None:
        return self.hint

    def _narrowed(self, statement: Rows) -> Rows:
        values = self.filled()
        for one in self.narrow:
            if one.name in values:
                statement = one.apply(statement, values[one.name])
        return statement

    def _order(self, name: str | None, descending: bool) -> tuple[Any, ...]:
        column = self.columns[name].sort if name in self.columns else None
        if column is None:
            return self.order_by
        return (column.desc() if descending else column.asc(), *self.order_by[-1:])

    def _get_list_url(self, view_args: ViewArgs) -> str:
        """Only what differs from the plain list."""
        wanted = {
            "page": view_args.page or None,
            "sort": view_args.sort,
            "desc": 1 if view_args.sort_desc else None,
            "search": view_args.search,
        }
        return str(self.get_url(".index_view", **(self.filled() | wanted)))


def _cleaned(term: str) -> str:
    """PostgreSQL's text holds no NUL."""
    return term.replace("\x00", "").strip()[:MAX_TERM]


_LIKE = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})


def contains(term: str) -> str:
    """A LIKE pattern (escape `\\`) for texts that contain `term`, in lower case."""
    return f"%{begins(term)}" if term else "%"


def begins(term: str) -> str:
    """A LIKE pattern (escape `\\`) for texts that begin with `term`, in lower case: an index can serve it."""
    return f"{term.lower().translate(_LIKE)}%"
