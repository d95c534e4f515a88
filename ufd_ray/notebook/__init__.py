"""A run's own numbers in one process, without Ray."""

from ufd_ray.notebook.loaded import LoadedDetector, load_detector

__all__ = ["LoadedDetector", "load_detector"]
