"""What `train_baseline` does: images looked at once, then streamed to Ray Train's workers."""
