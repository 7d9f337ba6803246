"""Leases: who is at work on what, across hosts, as rows of the store that expire unless they are renewed.

The clock is the database's: hosts need not agree on the time. What a holder writes while it holds is checked against
its lease in the same transaction (`fence`), so one that slept through its expiry can do no harm.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from its.store.models import LeaseRow
from its.store.store import Store
from network_data.errors import OutsideProgramError, SignalError

POLL_S = 2.0
"""Between two looks of somebody who waits. [s]"""
CLOCKS = {
    "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())::float8",
}
"""Seconds since 1970 by the database's clock."""


class BusyError(SignalError):
    """Somebody else is at work; the text says who, on what and until when at the latest."""


class LeaseLostError(OutsideProgramError):
    """The lease expired before it was renewed, and may be another's by now."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """What is held, by whom, and for how long after each sign of life."""

    names: tuple[str, ...]
    token: str
    holder: str
    lasts_s: float


def acquire(store: Store, names: Sequence[str], *, holder: str, lasts_s: float) -> Lease:
    """Take all of the names or none.

    Parameters
    ----------
    names : sequence of str
        What nobody else may work on meanwhile.
    holder : str
        Told to those who come too late.
    lasts_s : float
        Others may take over so long after the last `renew`. [s]

    Raises
    ------
    BusyError
        One of them is held.
    """
    lease = Lease(names=tuple(sorted(set(names))), token=secrets.token_hex(16), holder=holder[:300], lasts_s=lasts_s)
    with store.writing() as session:
        now_s = _now_s(session)
        held = session.scalars(select(LeaseRow).where(LeaseRow.name.in_(lease.names)).order_by(LeaseRow.name)).all()
        others = [row for row in held if row.expires_s > now_s]
        if others:
            shown = "; ".join(f"{r.name} by {r.holder} for {r.expires_s - now_s:.0f} s or more" for r in others[:5])
            raise BusyError(f"{len(others)} of {len(lease.names)} are being worked on: {shown}")
        session.execute(delete(LeaseRow).where(LeaseRow.name.in_(lease.names)))
        session.add_all(
            LeaseRow(name=name, token=lease.token, holder=lease.holder, expires_s=now_s + lasts_s)
            for name in lease.names
        )
    return lease


def wait_for(
    store: Store,
    names: Sequence[str],
    *,
    holder: str,
    lasts_s: float,
    wait_s: float,
    say: Callable[[str], None] = lambda _text: None,
    stop: Callable[[], bool] = lambda: False,
) -> Lease:
    """As `acquire`, trying for `wait_s` seconds; `stop` is asked in between.

    Raises
    ------
    BusyError
        Still held then.
    """
    end_s = time.monotonic() + wait_s
    said = False
    while True:
        try:
            return acquire(store, names, holder=holder, lasts_s=lasts_s)
        except BusyError as error:
            left_s = end_s - time.monotonic()
            if left_s <= 0 or stop():
                raise
            if not said:
                say(f"waiting up to {wait_s:g} s: {error}")
                said = True
            time.sleep(min(POLL_S, left_s))


def renew(store: Store, lease: Lease) -> None:
    """A sign of life.

    Raises
    ------
    LeaseLostError
        It had expired and somebody else has it.
    """
    with store.writing() as session:
        fence(session, lease)
        expires_s = _now_s(session) + lease.lasts_s
        session.execute(update(LeaseRow).where(LeaseRow.token == lease.token).values(expires_s=expires_s))


def release(store: Store, lease: Lease) -> None:
    """Give back what is still held."""
    with store.writing() as session:
        session.execute(delete(LeaseRow).where(LeaseRow.token == lease.token))


def fence(session: Session, lease: Lease) -> None:
    """Refuse to go on in a transaction unless the whole lease is still ours.

    A lease that expired but was not taken over still is: nobody else has been at work.

    Raises
    ------
    LeaseLostError
        It is not.
    """
    mine = set(session.scalars(select(LeaseRow.name).where(LeaseRow.token == lease.token)))
    lost = [name for name in lease.names if name not in mine]
    if lost:
        raise LeaseLostError(f"plan store: the lease on {', '.join(lost[:5])} expired and somebody else took it over")


def _now_s(session: Session) -> float:
    return float(session.scalar(text(CLOCKS[session.get_bind().dialect.name])) or 0.0)
