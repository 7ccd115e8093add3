"""The whole shop as real processes, shoppers who talk HTTP to it, and a check of the books afterwards."""
