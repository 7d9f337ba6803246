"""Real agents for the tests of the push."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks._push_agents import SECRETS, SNMPD
from benchmarks._push_street import Street, fresh_street


def need_snmpd() -> None:
    """Skip where no real agent can be started."""
    if SNMPD is None:
        pytest.skip("snmpd is not installed (Debian: apt-get install snmpd)")


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """Two snmpd whose controllers are of our reading: transaction, verify, values that outlive a restart."""
    need_snmpd()
    made = fresh_street(tmp_path_factory.mktemp("street") / "s")
    yield made
    made.close()


@pytest.fixture(scope="module")
def plain_street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """Two snmpd alone: no transaction, no checks, all-or-nothing SETs."""
    need_snmpd()
    made = fresh_street(tmp_path_factory.mktemp("plain") / "s", scripted=False)
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    return tmp_path
