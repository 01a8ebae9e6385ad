"""Files for conda's own tools, made from a snapshot: environment.yml, explicit.txt, conda-lock.yml."""
