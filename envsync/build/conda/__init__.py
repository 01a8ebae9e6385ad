"""A conda lock, and the user's own conda configuration, to a prefix on this machine."""
