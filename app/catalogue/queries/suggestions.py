"""Completions as one types, and the words that the catalogue knows."""

from __future__ import annotations

from sqlalchemy import func, select, text

from app.catalogue.models import Product
from app.catalogue.queries.filters import rank, search_query
from app.kernel.database import session

MAX_SUGGESTIONS = 8
MAX_WORDS = 50_000
WORDS = text(
    r"""
    SELECT word FROM (
      SELECT lower(name) AS name FROM product WHERE is_published
      UNION ALL SELECT lower(name) FROM brand UNION ALL SELECT lower(name) FROM category
    ) n, regexp_split_to_table(n.name, '[^[:alnum:]]+') AS word
     WHERE length(word) >= 3 GROUP BY word ORDER BY count(*) DESC, word LIMIT :most
    """
)


def suggest(q: str) -> list[tuple[str, str]]:
    """[(slug, name)] of up to eight products that what was typed may be the beginning of, best first."""
    rows = session().execute(
        select(Product.slug, Product.name)
        .where(Product.is_published, Product.search.op("@@")(search_query(q)))
        .order_by(rank(q).desc(), func.length(Product.name), Product.id)
        .limit(MAX_SUGGESTIONS)
    )
    return [(row.slug, row.name) for row in rows]


def vocabulary() -> list[str]:
    """Words of names, most frequent first."""
    return list(session().scalars(WORDS, {"most": MAX_WORDS}))
