"""The whole path on images that are made on the spot."""

from ufd_ray.demo.tour import run_demo

__all__ = ["run_demo"]
