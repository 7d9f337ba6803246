"""Keeping a lease while working: a thread gives the signs of life, and says when they came too late."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from its.store import Store
from its.store.leases import Lease, LeaseLostError, release, renew
from network_data.errors import SignalError

SIGNS = 4
"""Signs of life within the time after which others may begin."""


@dataclass
class Held:
    """A lease that is being kept; `lost` says why it no longer is."""

    lease: Lease
    lost: str = ""
    _over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def holding(store: Store, lease: Lease) -> Iterator[Held]:
    """Keep a lease until the end of the block, then give it back.

    A store that cannot be reached for a while is asked again; only when somebody else has taken over is it lost.
    """
    held = Held(lease)
    thread = threading.Thread(target=_renewing, args=(store, held), daemon=True)
    thread.start()
    try:
        yield held
    finally:
        held._over.set()
        thread.join()
        with suppress(SignalError):  # it then expires by itself
            release(store, lease)


def _renewing(store: Store, held: Held) -> None:
    while not held._over.wait(held.lease.lasts_s / SIGNS):
        try:
            renew(store, held.lease)
        except LeaseLostError as error:
            held.lost = str(error)
            return
        except SignalError:
            continue
