"""Making the local environment that is the twin of a lock."""
