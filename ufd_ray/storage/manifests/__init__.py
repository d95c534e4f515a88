"""Listed images → a run's own manifest: each once, without those that have not changed."""
