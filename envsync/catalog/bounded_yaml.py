"""YAML of an image, read without what would cost far more than its bytes: https://yaml.org/spec/1.1/."""

from __future__ import annotations

from typing import Any

DEPTH = 20
"""Collections inside of one another. libyaml's own composer recurses on the C stack, and has no limit."""
ALIASES = 20
"""In all: each ``<<: [*a, *a]`` doubles what it stands for."""


class YamlError(ValueError):
    """No YAML, or more of it than any honest file has; the message says which."""


def load_yaml(data: bytes) -> Any:
    """The one document in ``data``, of plain types.

    Raises:
        YamlError: see there.
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = aliases = 0
    try:
        for event in yaml.parse(data, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            aliases += isinstance(event, yaml.AliasEvent)
            if depth > DEPTH or aliases > ALIASES:
                raise YamlError("nested deeper, or with more aliases, than any honest file")
        return yaml.load(data, Loader=loader)  # noqa: S506 - a safe one
    except YamlError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise YamlError("no YAML that can be read") from error
