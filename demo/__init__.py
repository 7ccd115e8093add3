"""The demo shop's catalogue: a Shopify product CSV and its pictures, both made by code."""
