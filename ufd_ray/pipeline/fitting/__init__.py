"""What `fit_probe` is made of: a bank's rows on Ray Train's workers, the fit, and its judging."""
