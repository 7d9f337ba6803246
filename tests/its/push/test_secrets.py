"""Secrets come from three places and go nowhere."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import pickle
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import keyring
import keyring.backend
import pytest

from benchmarks._push_agents import AUTH_KEY, PRIV_KEY, Agent
from benchmarks._push_street import Fault, Street, plan_of
from its.push.drivers import Drivers
from its.push.filedrop import signed
from its.push.secrets import SERVICE, Secret, environment_name, find_secret, need_secret
from network_data.errors import InputError, SignalError

WORD = "correct-horse-battery"


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[(service, username)] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[(service, username)]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    """The keyring of this process."""
    made = Ring()
    monkeypatch.setattr(keyring, "get_password", made.get_password)
    return made


def test_the_three_places_in_order(folder: Path, ring: Ring) -> None:
    """Environment before systemd's credentials before the keyring."""
    ring.set_password(SERVICE, "district-1.auth", "of the keyring")
    credentials = {"CREDENTIALS_DIRECTORY": str(folder)}

    def found(environment: dict[str, str]) -> str | None:
        secret = find_secret("district-1", "auth", environment=environment)
        return secret.reveal() if secret is not None else None

    assert found({}) == found(credentials) == "of the keyring"
    (folder / "district-1.auth").write_text("of systemd\n", encoding="utf-8")
    assert found(credentials) == "of systemd"
    assert found({**credentials, "ITS_SECRET_DISTRICT_1_AUTH": "of the environment"}) == "of the environment"
    assert environment_name("district-1", "auth") == "ITS_SECRET_DISTRICT_1_AUTH"


def test_what_is_missing_says_where_to_put_it(ring: Ring) -> None:
    """All three places are named; names that could lead elsewhere are refused."""
    with pytest.raises(
        InputError, match="is missing; set ITS_SECRET_NORTH_PRIV, give the systemd credential north.priv"
    ):
        need_secret("north", "priv", environment={})
    with pytest.raises(InputError, match="is empty"):
        need_secret("north", "priv", environment={"ITS_SECRET_NORTH_PRIV": ""})
    with pytest.raises(InputError, match="is no name"):
        find_secret("../etc/passwd", "auth", environment={})


def test_a_locked_keyring_is_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as not having the secret."""
    errors = importlib.import_module("keyring.errors")

    def locked(service: str, name: str) -> str:
        raise errors.KeyringLocked

    monkeypatch.setattr(keyring, "get_password", locked)
    assert find_secret("north", "auth", environment={}) is None


def test_nothing_prints_logs_or_pickles_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    """repr, str, format, containers, dataclasses, JSON, logging and pickle."""

    @dataclass
    class Holder:
        secret: Secret

    secret = Secret(WORD)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>40}",
        f"{secret!r}",
        repr([secret]),
        repr(Holder(secret)),
    ]
    shown += ["%s" % secret, repr(vars(Holder(secret))), str(dir(secret))]  # noqa: UP031
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("its").debug("secret %s %r", secret, secret)
    assert WORD not in "".join(shown) + caplog.text
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps({"secret": secret})
    assert secret.reveal() == WORD
    assert not Secret("")


@pytest.mark.parametrize("version", ["3", "2c"])
@pytest.mark.parametrize("word", [AUTH_KEY, "kurz", "ключ-ключ-ключ", "a" * 5000, "\udcff\udcfe12345678", "0x12345678"])
def test_tracebacks_show_no_secret_even_with_their_variables(
    word: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys good and bad, deep in the protocol: all frames with their locals are clean, and no context hangs on."""
    for part in ("auth", "community"):
        monkeypatch.setenv(environment_name("field", part), word)
    away = Street.__new__(Street)
    away.scripted, away.command, away.names = True, "action", ["J1"]
    away.agents = [Agent("J1", 9, Path("unused"), {})]
    away.proxy = SimpleNamespace(ports=[9])  # type: ignore[assignment]
    profile = {"attempts": 1, "timeout_s": 0.1, "version": version, "insecure": version != "3"}
    targets = away.targets(profile=profile)

    async def fail() -> None:
        drivers = Drivers(targets)
        try:
            await drivers.make(targets.controller[0]).prepare(plan_of("J1", 1))
        finally:
            drivers.close()

    with pytest.raises(SignalError) as caught:
        asyncio.run(fail())
    error = caught.value
    assert error.__context__ is None
    assert error.__traceback__ is not None
    own = error.__traceback__.tb_next  # the frame of this test knows the word
    text = "".join(traceback.TracebackException(type(error), error, own, capture_locals=True).format())
    assert "prepare" in text
    assert word not in text
    assert PRIV_KEY not in text


def test_bad_credentials_and_signing_keys_stay_unsaid(folder: Path) -> None:
    """A credential that is no text, and a key that is no key: neither hangs on the error."""
    (folder / "north.auth").write_bytes(b"\xff\xfesecret-bytes")
    with pytest.raises(InputError, match="is not UTF-8 text") as caught:
        find_secret("north", "auth", environment={"CREDENTIALS_DIRECTORY": str(folder)})
    assert caught.value.__context__ is None
    for key in ("not base64 at all!", "c2hvcnQ="):
        with pytest.raises(InputError, match="no Ed25519 private key") as caught:
            signed("J1", 1, {}, Secret(key))
        assert caught.value.__context__ is None
        assert key not in str(caught.value)


def test_a_push_leaves_no_secret_behind(street: Street, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the journal, the reasons or the logs, right key or wrong."""
    with caplog.at_level(logging.DEBUG):
        outcomes = [street.push(Fault("none")), street.push(Fault("wrong key"))]
    assert outcomes[1].reasons
    said = caplog.text + repr(outcomes) + "".join(p.read_text(encoding="utf-8") for p in street.journal.glob("*.jsonl"))
    for word in (AUTH_KEY, PRIV_KEY, "authpass-0000", "privpass-0000"):
        assert word not in said
