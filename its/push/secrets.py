"""Secrets: from the environment, systemd credentials or the keyring; never in files, arguments, logs or tracebacks."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from network_data.errors import InputError

SERVICE = "its-signals"
"""Name under which the keyring keeps them."""
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
MAX_BYTES = 64 << 10


class Secret:
    """A secret that shows itself only when asked to by name; whatever prints, logs or pickles it gets stars."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The secret itself; hand it straight to what needs it and keep it in no variable."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


def environment_name(owner: str, part: str) -> str:
    """The variable of a secret: `ITS_SECRET_DISTRICT_1_AUTH` for part `auth` of `district-1`."""
    return f"ITS_SECRET_{owner}_{part}".upper().replace("-", "_")


def find_secret(owner: str, part: str, *, environment: Mapping[str, str] | None = None) -> Secret | None:
    """Look for a secret: environment, then systemd credentials, then the keyring.

    Parameters
    ----------
    owner : str
        Whose it is, as the targets name it: small letters, digits and hyphens.
    part : str
        Which one: `user`, `auth`, `priv`, `community`, `key` or `password`.
    environment : mapping, optional
        In place of the process's own.

    Returns
    -------
    Secret or None
        None where no place has it. systemd's is the credential `OWNER.PART`; the keyring's service is `its-signals`,
        its user `OWNER.PART`.
    """
    if not NAME.fullmatch(owner) or not NAME.fullmatch(part):
        raise InputError("secret", f"{owner!r}.{part!r} is no name; use small letters, digits and hyphens")
    variables = os.environ if environment is None else environment
    stated = variables.get(environment_name(owner, part))
    if stated is not None:
        return Secret(stated)
    folder = variables.get("CREDENTIALS_DIRECTORY")
    if folder:
        path = Path(folder, f"{owner}.{part}")
        if path.is_file():
            return _from_file(path)
    return _from_keyring(f"{owner}.{part}")


def need_secret(owner: str, part: str, *, environment: Mapping[str, str] | None = None) -> Secret:
    """As `find_secret`; where it is missing or empty, an InputError says where it may be put."""
    secret = find_secret(owner, part, environment=environment)
    if not secret:
        raise InputError(
            f"secret {owner}.{part}",
            f"is {'missing' if secret is None else 'empty'}; set {environment_name(owner, part)}, give the systemd "
            f"credential {owner}.{part}, or put it into the keyring (service {SERVICE}, user {owner}.{part})",
        )
    return secret


def _from_file(path: Path) -> Secret:
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"credential {path.name}", "is larger than 64 KiB; is it the right one?")
    found: Secret | None = None
    try:
        found = Secret(path.read_text(encoding="utf-8").rstrip("\r\n"))
    except UnicodeDecodeError:
        found = None  # told below: the error itself carries the content
    if found is None:
        raise InputError(f"credential {path.name}", "is not UTF-8 text; encode it so")
    return found


def _from_keyring(name: str) -> Secret | None:
    try:
        keyring = importlib.import_module("keyring")
        errors = importlib.import_module("keyring.errors")
    except ModuleNotFoundError:
        return None
    try:
        value = keyring.get_password(SERVICE, name)
    except errors.KeyringError:
        return None  # no keyring on this machine, or it is locked
    return Secret(value) if value is not None else None
