"""`--input` values → tables of images: prefixes, manifests, tars, Parquet, inventories."""
