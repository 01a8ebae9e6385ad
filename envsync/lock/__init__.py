"""Lock directories: the files that a snapshot is written to, and read from."""
