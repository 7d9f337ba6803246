"""A bad line between the push and its agents: UDP packets are lost, doubled, or come late."""

from __future__ import annotations

import random
import selectors
import socket
import threading
import time
from collections.abc import Sequence

PACKET_BYTES = 65_535


class Proxy:
    """One port in front of each agent. `loss` and `double` are shares of packets, each way; `late_s` is the most."""

    def __init__(self, agent_ports: Sequence[int], seed: int) -> None:
        self.loss = self.double = self.late_s = 0.0
        self.lost = self.doubled = self.passed = 0
        self._random = random.Random(seed)
        self._selector = selectors.DefaultSelector()
        self._late: list[tuple[float, socket.socket, bytes, tuple[str, int]]] = []
        self._uplinks: dict[tuple[int, tuple[str, int]], socket.socket] = {}
        self.ports = []
        for port in agent_ports:
            front = self._socket()
            self.ports.append(int(front.getsockname()[1]))
            self._selector.register(front, selectors.EVENT_READ, ("front", port, None))
        self._on = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._on = False
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def heal(self) -> None:
        """A good line again."""
        self.loss = self.double = self.late_s = 0.0

    @staticmethod
    def _socket() -> socket.socket:
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        out.bind(("127.0.0.1", 0))
        out.setblocking(False)
        return out

    def _run(self) -> None:
        while self._on:
            for key, _ in self._selector.select(0.02):
                wire: socket.socket = key.fileobj  # type: ignore[assignment]
                try:
                    packet, sender = wire.recvfrom(PACKET_BYTES)
                except OSError:
                    continue  # the agent is dead: its port says so
                kind, port, back = key.data
                if kind == "front":
                    self._pass(self._uplink(wire, port, sender), packet, ("127.0.0.1", port))
                else:
                    self._pass(back[0], packet, back[1])
            now = time.monotonic()
            due = [x for x in self._late if x[0] <= now]
            self._late = [x for x in self._late if x[0] > now]
            for _, wire, packet, to in due:
                self._send(wire, packet, to)

    def _uplink(self, front: socket.socket, port: int, sender: tuple[str, int]) -> socket.socket:
        if (port, sender) not in self._uplinks:
            wire = self._socket()
            self._uplinks[(port, sender)] = wire
            self._selector.register(wire, selectors.EVENT_READ, ("up", port, (front, sender)))
        return self._uplinks[(port, sender)]

    def _pass(self, wire: socket.socket, packet: bytes, to: tuple[str, int]) -> None:
        if self._random.random() < self.loss:
            self.lost += 1
            return
        self.passed += 1
        copies = 1
        if self._random.random() < self.double:
            self.doubled += 1
            copies = 2
        for _ in range(copies):
            late_s = self._random.random() * self.late_s
            if late_s > 0:
                self._late.append((time.monotonic() + late_s, wire, packet, to))
            else:
                self._send(wire, packet, to)

    @staticmethod
    def _send(wire: socket.socket, packet: bytes, to: tuple[str, int]) -> None:
        try:
            wire.sendto(packet, to)
        except OSError:
            return  # nobody there: lost
