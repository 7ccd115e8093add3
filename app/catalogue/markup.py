"""HTML of product descriptions: what could run, load or shout does not get in."""

from __future__ import annotations

import nh3

# No headings above the page's own, no pictures from elsewhere, nothing that runs.
_TAGS = {
    *(
        "p",
        "br",
        "hr",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "strong",
        "b",
        "em",
        "i",
        "u",
        "s",
        "small",
        "sub",
    ),
    *("sup", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "a", "span", "div"),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"),
}
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes={"a": {"href", "title"}, "th": {"colspan", "rowspan", "scope"}, "td": {"colspan", "rowspan"}},
    url_schemes={"http", "https", "mailto"},
)


def sanitised(html: str) -> str:
    """The same text with nothing but the harmless tags; plain text passes as it is."""
    # The cleaner spells a hard blank as an entity; the character means the same and is what came in.
    return _CLEANER.clean(html).replace("&nbsp;", "\u00a0") if html else ""
