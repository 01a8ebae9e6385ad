"""Conda environments in a file tree: prefixes, their records, and who brought which distribution.

The files follow https://docs.conda.io/projects/conda/en/stable/dev-guide/specs/index.html and
conda's own ``conda/core/prefix_data.py``.
"""

from envsync.catalog.conda.condense import Condenser
from envsync.catalog.conda.find import PATTERNS, find_conda, find_prefixes
from envsync.catalog.conda.prefix import Found, Prefix, describe_prefix
from envsync.catalog.conda.record import CondaRecord, RecordError, parse_record, paths_digest

__all__ = [
    "PATTERNS",
    "CondaRecord",
    "Condenser",
    "Found",
    "Prefix",
    "RecordError",
    "describe_prefix",
    "find_conda",
    "find_prefixes",
    "parse_record",
    "paths_digest",
]
