"""Images inside tars and Parquet files: what they are called, where they lie, their bytes."""
