"""Asking the package indexes that the user's tools are configured for.

https://packaging.python.org/en/latest/specifications/simple-repository-api/. What asks them is
:class:`envsync.index.client.Indexes`, imported where it is used: most runs ask nothing.
"""

from envsync.index.answers import Listed as Listed
from envsync.index.answers import Pin as Pin
from envsync.index.answers import Unanswered as Unanswered
from envsync.index.page import IndexFile as IndexFile
