"""What products are found by, and availability kept for a whole statement at once.

The words of a product are its name, brand, category, tags and text, kept by triggers, so that whoever changes
one of them changes what is found.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SEARCH = """
ALTER TABLE product ADD COLUMN search tsvector NOT NULL DEFAULT ''::tsvector;
CREATE INDEX ix_product_search ON product USING gin (search);

-- What a shopper types, as a query: words in any order, "phrases", -without, and the last word may be unfinished.
CREATE FUNCTION search_query(typed text) RETURNS tsquery LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN q LIKE '%''' THEN (q || ':*')::tsquery ELSE q::tsquery END
    FROM (SELECT websearch_to_tsquery('english', typed)::text AS q) w $$;

CREATE FUNCTION product_words() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  brand_name text := (SELECT name FROM brand WHERE id = NEW.brand_id);
  category_name text := (SELECT c.name || ' ' || coalesce(p.name, '') FROM category c
                           LEFT JOIN category p ON p.id = c.parent_id WHERE c.id = NEW.category_id);
BEGIN
  NEW.search := setweight(to_tsvector('english', NEW.name), 'A')
    || setweight(to_tsvector('english', coalesce(brand_name, '')), 'B')
    || setweight(to_tsvector('english', coalesce(category_name, '')), 'B')
    || setweight(to_tsvector('english', NEW.tags), 'C')
    || setweight(to_tsvector('english', NEW.description), 'D');
  RETURN NEW;
END $$;
CREATE TRIGGER words BEFORE INSERT OR UPDATE OF name, description, tags, brand_id, category_id ON product
  FOR EACH ROW EXECUTE FUNCTION product_words();

CREATE FUNCTION product_words_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_TABLE_NAME = 'brand' THEN
    UPDATE product SET brand_id = brand_id WHERE brand_id = NEW.id;
  ELSE
    UPDATE product SET category_id = category_id
     WHERE category_id IN (SELECT id FROM category WHERE id = NEW.id OR parent_id = NEW.id);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER words AFTER UPDATE OF name ON brand FOR EACH ROW EXECUTE FUNCTION product_words_again();
CREATE TRIGGER words AFTER UPDATE OF name, parent_id ON category
  FOR EACH ROW EXECUTE FUNCTION product_words_again();
"""

# A statement that changes one stock row costs the same as before; an import of thousands costs two updates.
AVAILABILITY = """
DROP TRIGGER availability ON stock;
DROP FUNCTION stock_availability();

-- The lock comes first and as a statement of its own: two buyers who take the last of two variants at once must
-- not each still see the other's in stock.
CREATE FUNCTION product_availability(products uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM product WHERE id = ANY (products) ORDER BY id FOR NO KEY UPDATE;
  UPDATE product p SET availability = v.best, updated_at = now()
    FROM (SELECT product_id, CASE WHEN bool_or(is_active AND availability = 'in_stock') THEN 'in_stock'
                                  WHEN bool_or(is_active AND availability = 'low_stock') THEN 'low_stock'
                                  ELSE 'sold_out' END AS best
            FROM variant WHERE product_id = ANY (products) GROUP BY product_id) v
   WHERE p.id = v.product_id AND p.availability <> v.best;
END $$;

CREATE FUNCTION stock_availability() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  products uuid[];
BEGIN
  WITH changed AS (
    UPDATE variant v SET availability = availability_of(n.on_hand - n.reserved)
      FROM new_stock n
     WHERE v.id = n.variant_id AND v.availability <> availability_of(n.on_hand - n.reserved)
    RETURNING v.product_id)
  SELECT array_agg(DISTINCT product_id) INTO products FROM changed;
  IF products IS NOT NULL THEN
    PERFORM product_availability(products);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER availability_new AFTER INSERT ON stock REFERENCING NEW TABLE AS new_stock
  FOR EACH STATEMENT EXECUTE FUNCTION stock_availability();
CREATE TRIGGER availability_changed AFTER UPDATE ON stock REFERENCING NEW TABLE AS new_stock
  FOR EACH STATEMENT EXECUTE FUNCTION stock_availability();

CREATE FUNCTION variant_availability() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM product_availability(ARRAY[OLD.product_id, NEW.product_id]);
  RETURN NULL;
END $$;
CREATE TRIGGER availability AFTER UPDATE ON variant FOR EACH ROW
  WHEN (OLD.is_active <> NEW.is_active OR OLD.product_id <> NEW.product_id)
  EXECUTE FUNCTION variant_availability();
"""

BEFORE = """
CREATE FUNCTION stock_availability() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  becomes text := availability_of(NEW.on_hand - NEW.reserved);
  owner_id uuid;
BEGIN
  IF TG_OP = 'UPDATE' AND becomes = availability_of(OLD.on_hand - OLD.reserved) THEN RETURN NULL; END IF;
  UPDATE variant SET availability = becomes WHERE id = NEW.variant_id RETURNING product_id INTO owner_id;
  UPDATE product p SET availability = v.best, updated_at = now()
    FROM (SELECT CASE WHEN bool_or(availability = 'in_stock') THEN 'in_stock'
                      WHEN bool_or(availability = 'low_stock') THEN 'low_stock' ELSE 'sold_out' END AS best
            FROM variant WHERE product_id = owner_id AND is_active) v
   WHERE p.id = owner_id AND p.availability <> v.best;
  RETURN NULL;
END $$;
CREATE TRIGGER availability AFTER INSERT OR UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION stock_availability();
"""


def upgrade() -> None:
    op.execute(SEARCH)
    op.execute(AVAILABILITY)


def downgrade() -> None:
    op.execute("DROP TRIGGER availability ON variant")
    op.execute("DROP TRIGGER availability_new ON stock")
    op.execute("DROP TRIGGER availability_changed ON stock")
    for function in ("variant_availability()", "stock_availability()", "product_availability(uuid[])"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute(BEFORE)
    for table in ("product", "brand", "category"):
        op.execute(f"DROP TRIGGER words ON {table}")
    op.execute("DROP FUNCTION product_words()")
    op.execute("DROP FUNCTION product_words_again()")
    op.execute("DROP FUNCTION search_query(text)")
    op.execute("ALTER TABLE product DROP COLUMN search")
