"""All products, a category, a brand, search: one list with filters, as a GET form."""

from __future__ import annotations

from typing import Any

from flask import abort, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.blueprints.common.catalogue_cache import tree, words
from app.blueprints.common.products import show_all
from app.blueprints.shop.asked import Asked, read
from app.blueprints.shop.blueprint import bp
from app.catalogue import rules
from app.catalogue.queries.facets import Count, Facets
from app.catalogue.queries.filters import Filters
from app.catalogue.queries.products import ProductPage, list_products, summaries_by_slug
from app.catalogue.queries.suggestions import suggest
from app.catalogue.queries.taxonomy import find_path, list_brands
from app.kernel.errors import RuleBroken
from app.kernel.pagination import DEFAULT_LIMIT

Page = str | tuple[str, int] | Response
HOME = "Home"


@bp.get("/products")
def listing() -> Page:
    return _list("All products", read(), [("All products", None)], url_for("shop.listing"))


@bp.get("/c/<slug>")
def category(slug: str) -> Page:
    path = find_path(tree(), slug)
    if not path:
        abort(404)
    crumbs = [(node.name, url_for("shop.category", slug=node.slug)) for node in path[:-1]]
    return _list(
        path[-1].name,
        read(category=slug),
        [*crumbs, (path[-1].name, None)],
        url_for("shop.category", slug=slug),
    )


@bp.get("/b/<slug>")
def brand(slug: str) -> Page:
    found = next((brand for brand in list_brands() if brand.slug == slug), None)
    if found is None:
        abort(404)
    return _list(found.name, read(brand=slug), [(found.name, None)], url_for("shop.brand", slug=slug))


@bp.get("/search")
def search() -> Page:
    q = request.args.get("q", "").strip()[:300].replace("\0", "")
    asked = read(q=q or None)
    if not q:
        return render_template("pages/shop/search.html", q="", **_nothing_asked(asked))
    answer = _found(asked, url_for("shop.search"))
    if isinstance(answer, Response):
        return answer
    context, status = answer
    nothing = not context["products"] and not asked.chips
    better = rules.did_you_mean(q, words()) if not context["products"] else None
    context |= {"q": q, "did_you_mean": better, "suggestions": []}
    if nothing and better:
        context["suggestions"] = show_all(summaries_by_slug([slug for slug, _ in suggest(better)][:4]))
    return render_template("pages/shop/search.html", **context), status


def _list(heading: str, asked: Asked, crumbs: list[tuple[str, str | None]], url: str) -> Page:
    answer = _found(asked, url)
    if isinstance(answer, Response):
        return answer
    context, status = answer
    trail = [(HOME, url_for("shop.home")), *crumbs]
    html = render_template(
        "pages/shop/listing.html",
        heading=heading,
        intro=None,
        breadcrumbs=[{"name": name, "url": link} for name, link in trail],
        canonical_url=current_app.config["BASE_URL"] + url,
        **context,
    )
    return html, status


def _found(asked: Asked, url: str) -> tuple[dict[str, Any], int] | Response:
    """What both templates need. A page link that no longer fits leads to the first page."""
    errors = list(asked.errors)
    try:
        found = _query(asked, asked.filters)
    except RuleBroken as refusal:
        if refusal.code == "CURSOR_INVALID":
            return redirect(asked.url(url))
        errors += [{"field": error.field, "message": error.message} for error in refusal.errors]
        found = _query(asked, Filters(q=asked.filters.q, category=asked.filters.category))
    page = found.page
    context = {
        "products": show_all(page.items),
        "total": page.total,
        "total_is_lower_bound": page.total_is_lower_bound,
        "facets": _shown_facets(found.facets, asked),
        "filters": asked.shown,
        "applied": asked.applied(url, found.facets.brands if found.facets else []),
        "clear_url": asked.url(url, bare=True),
        "action_url": url,
        "sort": asked.sort,
        "sort_options": asked.sort_options,
        "prev_url": asked.url(url, cursor=page.prev) if page.prev else None,
        "next_url": asked.url(url, cursor=page.next) if page.next else None,
        "currency": current_app.config["CURRENCY"],
        "errors": errors,
    }
    return context, 422 if errors else 200


def _query(asked: Asked, filters: Filters) -> ProductPage:
    return list_products(
        filters,
        sort=asked.sort,
        cursor=request.args.get("cursor") or None,
        limit=DEFAULT_LIMIT,
        with_facets=True,
        with_total=True,
    )


def _shown_facets(facets: Facets | None, asked: Asked) -> dict[str, list[Count]]:
    """Categories one step below where one is; no brands on a brand's own page."""
    if facets is None:
        return {"categories": [], "brands": []}
    below = asked.filters.category
    return {
        "categories": [count for count in facets.categories if count.parent == below],
        "brands": [] if asked.is_brand_page else facets.brands,
    }


def _nothing_asked(asked: Asked) -> dict[str, Any]:
    return {
        "products": [],
        "total": None,
        "total_is_lower_bound": False,
        "facets": {"categories": [], "brands": []},
        "filters": asked.shown,
        "applied": [],
        "clear_url": url_for("shop.search"),
        "action_url": url_for("shop.search"),
        "sort": asked.sort,
        "sort_options": asked.sort_options,
        "prev_url": None,
        "next_url": None,
        "currency": current_app.config["CURRENCY"],
        "did_you_mean": None,
        "suggestions": [],
    }
