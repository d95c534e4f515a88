"""What `build_bank` is made of: labels and splits, how views are to be made, rows of a shard."""
