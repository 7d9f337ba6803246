"""Districts over several machines on dask.distributed, as it is: a scheduler's address is all it takes.

Workers need the same version of this package and the project's files under the same paths; both are checked. A district
whose worker is lost is begun again elsewhere by the scheduler, as often as its `allowed-failures` says.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any

from its.batch.task import Task
from its.batch.work import Outcome, failure, work
from its.console import OUTSIDE_FAILED
from network_data.errors import InputError, OutsideProgramError

POLL_S = 0.5
CONNECT_S = 20.0
"""How long the scheduler may take to answer. [s]"""
LOST_S = 30.0
"""How long it may be out of reach. [s]"""
INSTALL = "install it with: pip install 'its-signals[cluster]'"


def run_cluster(
    tasks: Sequence[Task],
    address: str,
    *,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _text: None,
) -> Iterator[Outcome]:
    """Work on districts by the workers of a Dask scheduler.

    Parameters
    ----------
    address : str
        Of the scheduler, such as `tcp://10.0.0.1:8786`.
    stop : callable
        Where it says so, what is not done yet is given up.
    say : callable
        Hears what a person who waits should know.

    Yields
    ------
    Outcome
        In the order in which they are done.

    Raises
    ------
    OutsideProgramError
        The scheduler cannot be reached, or was lost.
    """
    client = _connected(address)
    try:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        say(f"scheduler {address}: {workers} workers" + ("" if workers else "; waiting for the first one"))
        mark = secrets.token_hex(4)
        left = {client.submit(work, task, key=f"its-{mark}-{n}", pure=False): task for n, task in enumerate(tasks)}
        yield from _finished(client, left, address, stop)
    finally:
        client.close(timeout=5)


def _connected(address: str) -> Any:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise InputError("--scheduler", f"needs {error.name}; {INSTALL}") from None
    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise OutsideProgramError(f"the scheduler at {address} cannot be reached: {error}; is it running?") from None


def _finished(client: Any, left: dict[Any, Task], address: str, stop: Callable[[], bool]) -> Iterator[Outcome]:
    """Outcomes as they come in; `left` shrinks."""
    seen_s = time.monotonic()  # when the scheduler last gave all that was asked
    while left:
        if stop():
            client.cancel(list(left))
            return
        ready = [one for one in left if one.done()]
        gone = [one for one in ready if one.status in ("cancelled", "lost")]
        if gone or time.monotonic() - seen_s > LOST_S:
            raise OutsideProgramError(
                f"the scheduler at {address} was lost with {len(left)} districts to go; what is stored stays, run again"
            )
        fetched = 0
        for one in ready:
            outcome = _outcome(one, left[one])
            if outcome is not None:
                fetched += 1
                del left[one]
                yield outcome
        if client.status == "running" and fetched == len(ready):
            seen_s = time.monotonic()
        if not fetched:
            time.sleep(POLL_S)


def _outcome(future: Any, task: Task) -> Outcome | None:
    """What a district came to; None where it is done but its outcome cannot be fetched (now)."""
    if future.status == "finished":
        try:
            found: Outcome = future.result()
        except (OSError, CancelledError):
            # the scheduler went between saying "finished" and handing the outcome over: whether it comes back
            # or is lost is for the next look to say
            return None
        future.release()
        return found
    error = future.exception()
    return failure(task, f"on the cluster: {type(error).__name__}: {error}", OUTSIDE_FAILED)
