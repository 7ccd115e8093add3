"""What the catalogue computes: slugs, generated skus, the category that a product belongs to."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from app.kernel.errors import invalid

MAX_NAME = 500
MAX_DESCRIPTION = 100_000
MAX_PRICE = 10**12
"""In minor units."""
UNBRANDED = "Unbranded"
UNSORTED = "Other"
_NOT_WORD = re.compile(r"[\W_]+")


def slugify(text: str) -> str:
    """Lower-case words joined by `-`; accents go, letters of other scripts stay. Never empty."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    slug = _NOT_WORD.sub("-", unicodedata.normalize("NFC", plain).lower()).strip("-")
    return slug or hashlib.sha256(text.encode()).hexdigest()[:8]


def generated_sku(handle: str, options: Sequence[str]) -> str:
    """The sku of a variant that has none: the same for the same handle and options, always.

    A digest is added where the words alone would lose something ("1/2" and "1 2" are both `1-2`).
    """
    return ".".join([handle, *map(_word, options)])


def _word(value: str) -> str:
    slug = slugify(value)
    if slug == value.lower().replace(" ", "-"):
        return slug
    return f"{slug}-{hashlib.sha256(value.encode()).hexdigest()[:4]}"


def split_tags(text: str) -> list[str]:
    """Comma-separated tags, in order, each once."""
    return list(dict.fromkeys(tag for tag in (part.strip() for part in text.split(",")) if tag))


def category_names(kind: str, tags: Sequence[str]) -> list[str]:
    """The category's names from the top: the type split on `>`, else the first tag, else `Other`."""
    names = [name for name in (part.strip() for part in kind.split(">")) if name]
    return names or list(tags[:1]) or [UNSORTED]


def name_key(name: str) -> str:
    """Two spellings with one key are one brand, or one category under one parent."""
    return " ".join(name.casefold().split())


def did_you_mean(q: str, words: Sequence[str]) -> str | None:
    """`q` with its unknown words put right, None when nothing looks misspelt or nothing is near.

    One error in words of four letters, two from eight. A word that begins a known one is being typed, not
    misspelt.
    """
    known = set(words)
    typed = re.findall(r"[^\W_]+", q.lower())
    corrected = [_corrected(word, words, known) for word in typed]
    return " ".join(corrected) if corrected != typed else None


def _corrected(word: str, words: Sequence[str], known: set[str]) -> str:
    if len(word) < 4 or word in known or any(other.startswith(word) for other in words):
        return word
    furthest = 2 if len(word) >= 8 else 1
    near = process.extractOne(word, words, scorer=DamerauLevenshtein.distance, score_cutoff=furthest)
    return str(near[0]) if near else word


def clean_name(text: str) -> str:
    """One line without stray spaces. RuleBroken naming `name`."""
    name = " ".join(text.split())
    if not 1 <= len(name) <= MAX_NAME:
        raise invalid("name", "NAME_INVALID", f"Enter a name of at most {MAX_NAME} characters.")
    return name


def clean_description(html: str) -> str:
    """RuleBroken naming `description` when it is too long."""
    if len(html) > MAX_DESCRIPTION:
        message = f"The description has {len(html):,} characters; at most {MAX_DESCRIPTION:,} are kept."
        raise invalid("description", "LENGTH_INVALID", message)
    return html.strip()


def check_prices(price: int, compare_at_price: int | None) -> None:
    """RuleBroken naming the price that is wrong. A compare-at price must be the higher one."""
    if not 0 <= price <= MAX_PRICE:
        raise invalid("price", "PRICE_INVALID", "Enter a price that is not negative and not absurd.")
    if compare_at_price is not None and not price < compare_at_price <= MAX_PRICE:
        message = "The compare-at price is what it cost before: higher than the price, or empty."
        raise invalid("compare_at_price", "PRICE_INVALID", message)
