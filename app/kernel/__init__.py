"""Words every room uses. The kernel knows no shop: no product, no order, no customer."""
