"""What differs between two snapshots, how much that matters, and what to do about it."""
