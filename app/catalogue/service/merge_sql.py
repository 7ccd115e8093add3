"""The statements that bring staged products into the catalogue: sets, not rows."""

STAGE = """
CREATE TEMP TABLE stage_product (
  line bigint, id uuid, slug text COLLATE "C", name text, description text, brand_id uuid, category_id uuid,
  options jsonb, tags jsonb, attributes jsonb, source jsonb, is_published boolean, price bigint,
  compare_at_price bigint, image_url text, image_alt text, complete boolean, is_new boolean DEFAULT true
) ON COMMIT DROP;
CREATE TEMP TABLE stage_variant (
  line bigint, id uuid, slug text COLLATE "C", sku text COLLATE "C", options jsonb, position bigint, price bigint,
  compare_at_price bigint, barcode text, grams bigint, image_url text, source jsonb, quantity bigint,
  product_id uuid, is_new boolean DEFAULT true
) ON COMMIT DROP;
CREATE TEMP TABLE stage_image (id uuid, slug text COLLATE "C", position bigint, url text, alt text, product_id uuid)
ON COMMIT DROP;
CREATE TEMP TABLE touched (product_id uuid) ON COMMIT DROP;
"""

COPY_PRODUCT = """COPY stage_product (line, id, slug, name, description, brand_id, category_id, options, tags,
  attributes, source, is_published, price, compare_at_price, image_url, image_alt, complete) FROM STDIN"""
COPY_VARIANT = """COPY stage_variant (line, id, slug, sku, options, position, price, compare_at_price, barcode, grams,
  image_url, source, quantity) FROM STDIN"""
COPY_IMAGE = "COPY stage_image (id, slug, position, url, alt) FROM STDIN"

# A sku moves to another product only when the file tells about both: else it would be taken away silently.
TAKEN_SKUS = """
SELECT s.line, s.sku, p.slug FROM stage_variant s JOIN variant v ON v.sku = s.sku JOIN product p ON p.id = v.product_id
 WHERE p.slug <> s.slug AND NOT EXISTS (SELECT 1 FROM stage_product o WHERE o.slug = p.slug)
 ORDER BY s.line
"""
DROP_TAKEN = """
WITH gone AS (
  DELETE FROM stage_variant s USING variant v, product p
   WHERE v.sku = s.sku AND p.id = v.product_id AND p.slug <> s.slug
     AND NOT EXISTS (SELECT 1 FROM stage_product o WHERE o.slug = p.slug)
  RETURNING s.slug)
UPDATE stage_product SET complete = false WHERE slug IN (SELECT slug FROM gone);
DELETE FROM stage_image i WHERE NOT EXISTS (SELECT 1 FROM stage_variant v WHERE v.slug = i.slug);
DELETE FROM stage_product p WHERE NOT EXISTS (SELECT 1 FROM stage_variant v WHERE v.slug = p.slug);
"""

RESOLVE = """
CREATE UNIQUE INDEX ON stage_product (slug);
UPDATE stage_product s SET id = p.id, is_new = false FROM product p WHERE p.slug = s.slug;
UPDATE stage_product s SET price = p.price, compare_at_price = p.compare_at_price, image_url = p.image_url,
  image_alt = p.image_alt FROM product p WHERE p.id = s.id AND NOT s.complete;
UPDATE stage_variant s SET product_id = p.id FROM stage_product p WHERE p.slug = s.slug;
UPDATE stage_variant s SET id = v.id, is_new = false FROM variant v WHERE v.sku = s.sku;
UPDATE stage_image s SET product_id = p.id FROM stage_product p WHERE p.slug = s.slug;
CREATE INDEX ON stage_variant (product_id);
CREATE UNIQUE INDEX ON stage_variant (sku);
CREATE INDEX ON stage_image (product_id, position);
ANALYZE stage_product; ANALYZE stage_variant; ANALYZE stage_image;
"""

# Availability follows the stock, which the caller sets next. It is written here already, so that the trigger on
# stock finds nothing to correct: else every row of a first import would be written twice.
INSERT_PRODUCTS = """
INSERT INTO product (id, slug, name, description, brand_id, category_id, options, tags, attributes, source,
                     is_published, currency, price, compare_at_price, image_url, image_alt, created_at, updated_at,
                     availability)
SELECT id, slug, name, description, brand_id, category_id, options, tags, attributes, source, is_published,
       :currency, price, compare_at_price, image_url, image_alt, :now, :now, availability_of(v.most)
  FROM stage_product JOIN (SELECT product_id, max(coalesce(quantity, 0)) AS most FROM stage_variant
                            GROUP BY product_id) v ON v.product_id = id
 WHERE is_new ORDER BY line
"""
UPDATE_PRODUCTS = """
WITH changed AS (
  UPDATE product p
     SET name = s.name, description = s.description, brand_id = s.brand_id, category_id = s.category_id,
         options = s.options, tags = s.tags, attributes = s.attributes, source = s.source,
         is_published = s.is_published, currency = :currency, price = s.price,
         compare_at_price = s.compare_at_price, image_url = s.image_url, image_alt = s.image_alt, updated_at = :now
    FROM stage_product s
   WHERE p.id = s.id AND NOT s.is_new
     AND (p.name, p.description, p.brand_id, p.category_id, p.options, p.tags, p.attributes, p.source,
          p.is_published, p.currency, p.price, p.compare_at_price, p.image_url, p.image_alt)
      IS DISTINCT FROM
         (s.name, s.description, s.brand_id, s.category_id, s.options, s.tags, s.attributes, s.source,
          s.is_published, :currency, s.price, s.compare_at_price, s.image_url, s.image_alt)
  RETURNING p.id)
INSERT INTO touched SELECT id FROM changed
"""
INSERT_VARIANTS = """
WITH made AS (
  INSERT INTO variant (id, product_id, sku, options, position, price, compare_at_price, currency, barcode, grams,
                       image_url, source, availability)
  SELECT id, product_id, sku, options, position, price, compare_at_price, :currency, barcode, grams, image_url,
         source, availability_of(coalesce(quantity, 0))
    FROM stage_variant WHERE is_new ORDER BY line
  RETURNING product_id)
INSERT INTO touched SELECT product_id FROM made
"""
UPDATE_VARIANTS = """
WITH changed AS (
  UPDATE variant v
     SET product_id = s.product_id, options = s.options, position = s.position, price = s.price,
         compare_at_price = s.compare_at_price, currency = :currency, barcode = s.barcode, grams = s.grams,
         image_url = s.image_url, source = s.source, is_active = true
    FROM stage_variant s
   WHERE v.id = s.id AND NOT s.is_new
     AND (v.product_id, v.options, v.position, v.price, v.compare_at_price, v.currency, v.barcode, v.grams,
          v.image_url, v.source, v.is_active)
      IS DISTINCT FROM
         (s.product_id, s.options, s.position, s.price, s.compare_at_price, :currency, s.barcode, s.grams,
          s.image_url, s.source, true)
  RETURNING v.product_id)
INSERT INTO touched SELECT product_id FROM changed
"""
RETIRE_VARIANTS = """
WITH retired AS (
  UPDATE variant v SET is_active = false
    FROM stage_product p
   WHERE v.product_id = p.id AND NOT p.is_new AND p.complete AND v.is_active
     AND NOT EXISTS (SELECT 1 FROM stage_variant s WHERE s.id = v.id)
  RETURNING v.product_id)
INSERT INTO touched SELECT product_id FROM retired
"""
DELETE_IMAGES = """
WITH gone AS (
  DELETE FROM product_image i USING stage_product p
   WHERE i.product_id = p.id AND NOT p.is_new AND p.complete
     AND NOT EXISTS (SELECT 1 FROM stage_image s WHERE s.product_id = i.product_id AND s.position = i.position
                        AND s.url = i.url AND s.alt = i.alt)
  RETURNING i.product_id)
INSERT INTO touched SELECT product_id FROM gone
"""
INSERT_IMAGES = """
WITH made AS (
  INSERT INTO product_image (id, product_id, url, alt, position)
  SELECT s.id, s.product_id, s.url, s.alt, s.position
    FROM stage_image s JOIN stage_product p ON p.id = s.product_id
   WHERE (p.is_new OR p.complete)
     AND NOT EXISTS (SELECT 1 FROM product_image i WHERE i.product_id = s.product_id AND i.position = s.position)
  RETURNING product_id)
INSERT INTO touched SELECT product_id FROM made
"""
# A product with rows left out keeps its pictures, and its list price follows the variants that it has now.
REPRICE = """
UPDATE product p SET price = v.price, compare_at_price = v.compare_at_price, updated_at = :now
  FROM (SELECT DISTINCT ON (product_id) product_id, price, compare_at_price FROM variant
         WHERE is_active AND product_id IN (SELECT id FROM stage_product WHERE NOT complete)
         ORDER BY product_id, price, position) v
 WHERE p.id = v.product_id AND (p.price, p.compare_at_price) IS DISTINCT FROM (v.price, v.compare_at_price)
"""
COUNTS = """
SELECT count(*) FILTER (WHERE is_new),
       count(*) FILTER (WHERE NOT is_new AND EXISTS (SELECT 1 FROM touched t WHERE t.product_id = s.id)),
       count(*)
  FROM stage_product s
"""
QUANTITIES = """
SELECT id, CASE WHEN is_new THEN coalesce(quantity, 0) ELSE quantity END
  FROM stage_variant WHERE is_new OR quantity IS NOT NULL ORDER BY id
"""
