"""Trained baselines beside an evaluation's own detectors, on the same images."""
