"""What `evaluate` is made of: test sets as listed, scores by set, what is written of both."""
