"""From rows to products. A product is the rows that share a handle; the first describes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from app.catalogue import rules
from app.catalogue.drafts import ImageDraft, ProductDraft, VariantDraft
from app.catalogue.shopify import cells, columns
from app.catalogue.shopify.cells import BadCell
from app.catalogue.shopify.reader import Problems, Row

DEFAULT_VARIANT = ("Title", "Default Title")
MAX_DEPTH = 6
MAX_CATEGORY = 120


class Parser:
    """Yields what is whole; the rest goes to `problems`. Remembers handles and skus of the file."""

    def __init__(self, *, currency: str, problems: Problems) -> None:
        self._currency = currency
        self._problems = problems
        self._handles: set[str] = set()
        self._skus: dict[str, int] = {}
        self.rows = 0

    def products(self, rows: Iterable[tuple[int, Row]]) -> Iterator[ProductDraft]:
        # A row that could not even be read belongs to the product before or after it: both are incomplete.
        bad_before_last = bad_before = self._problems.count
        for handle, group in groupby(self._with_handle(rows), key=lambda item: item[1]["Handle"]):
            product = self._product(handle, list(group))
            if product:
                product.complete = self._problems.count == bad_before_last
                yield product
            bad_before_last, bad_before = bad_before, self._problems.count

    def _with_handle(self, rows: Iterable[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
        for line, row in rows:
            self.rows += 1
            try:
                cells.handle(row)
            except BadCell as bad:
                self._problems.add(line, bad.column, bad.message)
            else:
                yield line, row

    def _product(self, handle: str, rows: list[tuple[int, Row]]) -> ProductDraft | None:
        line, first = rows[0]
        try:
            if handle in self._handles:
                raise BadCell("Handle", f"{handle!r} is there already; the rows of a product stand together")
            self._handles.add(handle)
            product = _head(line, first)
        except BadCell as bad:
            self._problems.add(line, bad.column, bad.message)
            return None
        for number, (row_line, row) in enumerate(rows):
            try:
                self._add_row(product, row_line, row, first=first, is_first=number == 0)
            except BadCell as bad:
                self._problems.add(row_line, bad.column, bad.message)
        product.images.sort(key=lambda image: image.position or len(rows))
        return product if product.variants else None

    def _add_row(self, product: ProductDraft, line: int, row: Row, *, first: Row, is_first: bool) -> None:
        if not is_first:
            _same_product(row, first)
        image = _image(row)
        if is_first or row["Option1 Value"] or row["Variant SKU"] or row["Variant Price"]:
            variant = self._variant(product, line, row, is_first=is_first)
            self._claim(variant, line)
            product.variants.append(variant)
        elif image is None:
            raise BadCell("Option1 Value", "the row names neither a variant nor a picture")
        else:
            _picture_only(row, first)
        if image:
            product.images.append(image)

    def _variant(self, product: ProductDraft, line: int, row: Row, *, is_first: bool) -> VariantDraft:
        price = cells.amount(row, "Variant Price", self._currency)
        if price is None:
            raise BadCell("Variant Price", "the price is missing")
        options = _option_values(row, product.options)
        if any(options == other.options for other in product.variants):
            if not options:
                raise BadCell("Handle", f"the product {product.slug!r} is there already")
            raise BadCell("Option1 Value", f"the product has the variant {' / '.join(options)!r} twice")
        sku = cells.text(row, "Variant SKU", longest=cells.MAX_KEY)
        weight = cells.grams(row)
        extra = {
            name: value
            for name, value in row.items()
            if value and name not in columns.USED and (not is_first or columns.of_variant(name))
        }
        if row.get("Variant Grams", "") not in ("", str(weight)):
            extra["Variant Grams"] = row["Variant Grams"]
        return VariantDraft(
            line=line,
            sku=sku or rules.generated_sku(product.slug, options),
            options=options,
            price=price,
            compare_at_price=cells.amount(row, "Variant Compare At Price", self._currency),
            barcode=cells.text(row, "Variant Barcode", longest=cells.MAX_KEY) or None,
            grams=weight,
            image_url=cells.url(row, "Variant Image"),
            quantity=cells.quantity(row),
            source=extra,
        )

    def _claim(self, variant: VariantDraft, line: int) -> None:
        earlier = self._skus.setdefault(variant.sku, line)
        if earlier != line:
            raise BadCell("Variant SKU", f"the sku {variant.sku!r} is already in line {earlier}")


def _head(line: int, row: Row) -> ProductDraft:
    name = cells.text(row, "Title")
    if not name:
        raise BadCell("Title", "the first row of a product has a title")
    tags = rules.split_tags(cells.text(row, "Tags", longest=10_000))
    category = rules.category_names(cells.text(row, "Type", longest=1000), tags)
    if len(category) > MAX_DEPTH or any(len(part) > MAX_CATEGORY for part in category):
        raise BadCell("Type", f"at most {MAX_DEPTH} levels of {MAX_CATEGORY} characters")
    wanted = cells.published(row)
    live = row.get("Status", "").lower() in ("", "active")
    source = {
        column: value
        for column, value in row.items()
        if value and column not in columns.USED and not columns.of_variant(column)
    }
    if not row["Type"]:
        source["Type"] = ""
    if wanted and not live:
        source["Published"] = "true"
    named = ((columns.attribute_name(column), value) for column, value in source.items())
    attributes = {attribute: value for attribute, value in named if attribute}
    return ProductDraft(
        line=line,
        slug=row["Handle"],
        name=name,
        description=cells.body(row),
        brand=" ".join(cells.text(row, "Vendor", longest=cells.MAX_KEY).split()) or rules.UNBRANDED,
        category=category,
        options=_option_names(row),
        tags=tags,
        attributes=attributes,
        source=source,
        is_published=wanted and live,
    )


def _option_names(row: Row) -> list[str]:
    names = [cells.text(row, column, longest=cells.MAX_KEY) for column in columns.OF_OPTIONS if column in row]
    while names and not names[-1]:
        names.pop()
    if (*names, row["Option1 Value"]) == DEFAULT_VARIANT:
        return []
    for index, name in enumerate(names):
        if not name or name in names[:index]:
            raise BadCell(columns.OF_OPTIONS[index], "the option needs a name of its own")
    return names


def _option_values(row: Row, names: list[str]) -> list[str]:
    values = []
    for index, number in enumerate(columns.OPTIONS):
        column = f"Option{number} Value"
        value = cells.text(row, column, longest=cells.MAX_KEY)
        if index < len(names):
            if not value:
                raise BadCell(column, f"the value of {names[index]!r} is missing")
            values.append(value)
        elif value and not (index == 0 and value == DEFAULT_VARIANT[1]):
            raise BadCell(column, f"{value!r} belongs to an option that has no name")
    return values


def _image(row: Row) -> ImageDraft | None:
    place = cells.position(row)
    url = cells.url(row, "Image Src")
    return ImageDraft(url, cells.text(row, "Image Alt Text", longest=2000), place) if url else None


def _same_product(row: Row, first: Row) -> None:
    for column in (*columns.OF_PRODUCT, *columns.OF_OPTIONS):
        value = row.get(column, "")
        if value and value != first[column]:
            raise BadCell(column, f"{value[:60]!r} differs from the first row of the product")


def _picture_only(row: Row, first: Row) -> None:
    for column, value in row.items():
        if value and column not in columns.USED and value != first[column]:
            raise BadCell(column, "the row adds a picture only; this cell has no place in it")
