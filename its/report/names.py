"""How links, movements and signals are called in the report: by compass and turn, with their ids beside."""

from __future__ import annotations

import math
from collections import Counter

from network_data.controllers import SignalHead
from network_data.directions import compass, outward_rad
from network_data.network import Movement, RoadNetwork

__all__ = ["Names", "clock", "compass", "outward_rad", "short"]

TURNS = {"s": "through", "l": "left", "L": "slight left", "r": "right", "R": "slight right", "t": "U-turn"}
TURN_ORDER = {"t": 0, "l": 1, "L": 2, "s": 3, "R": 4, "r": 5}
MAX_ID = 22


def clock(time_s: float | None) -> str:
    """Seconds after midnight as a time of day."""
    if time_s is None:
        return "?"
    minutes = round(time_s) // 60
    seconds = round(time_s) % 60
    return f"{minutes // 60:02d}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else "")


def short(text: str, most: int = MAX_ID) -> str:
    """A long id with its middle left out."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2 - 1) :]}"


class Names:
    """Labels of one network; made once per report."""

    def __init__(self, network: RoadNetwork) -> None:
        self._network = network
        self.approach: dict[str, str] = {}
        for links in network.approaches.values():
            letters = {link: compass(outward_rad(network.links[link], inbound=True)) for link in links}
            count = Counter(letters.values())
            seen: Counter[str] = Counter()
            for link in sorted(links, key=lambda x: (letters[x], x)):
                seen[letters[link]] += 1
                more = count[letters[link]] > 1
                self.approach[link] = f"{letters[link]}{seen[letters[link]]}" if more else letters[link]
        self._movement = self._movement_labels()

    def _movement_labels(self) -> dict[str, str]:
        plain = {m.id: self._plain(m) for m in self._network.movements.values()}
        count = Counter((m.controller_id, plain[m.id]) for m in self._network.movements.values())
        out = {}
        for m in self._network.movements.values():
            label = plain[m.id]
            if count[m.controller_id, label] > 1:
                label = f"{label} to {compass(outward_rad(self._network.links[m.to_link], inbound=False))}"
            out[m.id] = label
        again = Counter((m.controller_id, out[m.id]) for m in self._network.movements.values())
        for m in self._network.movements.values():
            if again[m.controller_id, out[m.id]] > 1:
                out[m.id] = f"{plain[m.id]} to {short(m.to_link)}"
        return out

    def _plain(self, movement: Movement) -> str:
        kind = movement.id.removeprefix(f"{movement.from_link}>{movement.to_link}").removeprefix("#")
        start = self.approach.get(movement.from_link, short(movement.from_link))
        return f"{start} {self.turn(movement)}" + (f" ({kind})" if kind else "")

    def direction(self, movement: Movement) -> str:
        """SUMO's letter of the movement's turn."""
        return self._network.connections[movement.connections[0]].direction

    def turn(self, movement: Movement) -> str:
        """The turn in a word."""
        return TURNS.get(self.direction(movement), "through")

    def movement(self, movement_id: str) -> str:
        """E.g. `NW left`; the bare id where the network does not have it."""
        return self._movement.get(movement_id, short(movement_id))

    def order(self, movement: Movement) -> tuple[float, int, str]:
        """Movements of a signal clockwise from north, left before through before right."""
        link = self._network.links[movement.from_link]
        clockwise = (math.pi / 2 - outward_rad(link, inbound=True) + math.pi / 8) % (2 * math.pi)  # all of N first
        return round(clockwise, 3), TURN_ORDER.get(self.direction(movement), 3), movement.id

    def street(self, link_id: str) -> str:
        """Name of the link's street, empty where the input has none."""
        link = self._network.links.get(link_id)
        return link.name if link is not None else ""

    def signal(self, controller_id: str) -> str:
        """The streets that meet at a signal, empty where the input has no names."""
        links = self._network.approaches.get(controller_id, ())
        names = Counter(name for link in links if (name := self._network.links[link].name))
        return " / ".join(name for name, _ in names.most_common(2))

    def head(self, head: SignalHead) -> str:
        """What a link index serves, as a row of the timing diagram."""
        if head.kind == "crossing":
            return "crossing " + ", ".join(self.crossing(x) for x in head.crossing_ids)
        if not head.movement_ids:
            return short(head.text or f"signal {head.index}")
        return ", ".join(self.movement(m) for m in head.movement_ids)

    def crossing(self, crossing_id: str) -> str:
        """E.g. `N arm`: the arm of the junction that a crossing crosses."""
        known = next((x for x in self._network.crossings if x.id == crossing_id), None)
        if known is None or not known.crossed_links:
            return short(crossing_id)
        link = self._network.links[known.crossed_links[0]]
        return f"{compass(outward_rad(link, inbound=link.to_node == known.node_id))} arm"
