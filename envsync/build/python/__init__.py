"""The interpreter of an environment: one of this machine, else fetched, else the image's own."""
