"""Authorities that a tool's configuration names; those of the environment are tried with the registry's client."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from envsync.errors import UsageError
from envsync.http.trust import trusted, unverified


def test_an_authority_more(tmp_path: Path) -> None:
    path = tmp_path / "authority.pem"
    trustme.CA(organization_name="Test of trust").cert_pem.write_to_path(str(path))

    def known(context: ssl.SSLContext) -> bool:
        return any("Test of trust" in str(each["subject"]) for each in context.get_ca_certs())

    assert known(trusted(path))
    assert not known(trusted())


def test_one_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        trusted(tmp_path / "missing")
    assert caught.value.message == f"cert: {tmp_path / 'missing'}: cannot be read: No such file or directory"


def test_everybody_is_believed() -> None:
    context = unverified()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)
