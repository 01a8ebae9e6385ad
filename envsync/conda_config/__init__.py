"""The user's own conda configuration: where channels are fetched from, how, and whether they may be."""
