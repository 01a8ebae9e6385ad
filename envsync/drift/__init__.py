"""Comparing two snapshots: pure functions from two of them to findings."""
