"""What can be found in a file tree: path patterns and pure parsers, one module a kind."""
