"""From a container image to a verified local twin of its Python environment."""

__version__ = "0.1.0"
