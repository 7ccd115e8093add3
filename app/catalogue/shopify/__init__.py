"""The product CSV of Shopify: the format that shops really export. Read and written here, known nowhere else."""
