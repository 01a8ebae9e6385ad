"""Renderers: each returns a string."""
