"""Asking the package indexes that the user's tools are configured for.

https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

from envsync.index.client import Indexes as Indexes
from envsync.index.client import Listed as Listed
from envsync.index.client import Pin as Pin
from envsync.index.client import Unanswered as Unanswered
from envsync.index.page import IndexFile as IndexFile
from envsync.index.settings import load_settings as load_settings
