"""A conda lock to a conda environment on this machine."""
