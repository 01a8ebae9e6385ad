"""Asking a running container for the facts of its environment."""
