"""Make the bundled example: a district of 12 signals, two weeks of loop counts, the faults in them. Seeded.

    python -m examples.make_district [--out examples/district] [--days 14] [--seed 7]

Needs the package eclipse-sumo. Nothing in it is measured: streets, programs and traffic are invented (README.md).
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from pathlib import Path

from examples._district_counts import Loop, loops, simulate_days, written
from examples._district_demand import Vehicle, routes_xml, vehicles_of_day
from examples._district_faults import draw_faults, faults_csv, inject
from examples._district_network import Layout, convert, packed, with_programs
from examples._district_programs import field_programs
from network_data.formats.files import write_aside
from network_data.formats.sumo_net import read_sumo_net
from network_data.network import RoadNetwork

FIRST_DAY = dt.date(2026, 4, 13)  # a Monday; no clock change and no holiday in the fortnight
PEAK_DAY = dt.date(2026, 4, 23)  # a Thursday like most others
PEAK_S = (26100, 30600)  # 07:15 to 08:30: the peak hour and a quarter of an hour before it


def network_text(seed: int) -> str:
    """The network with its field programs, as SUMO reads it."""
    layout = Layout(seed)
    bare = convert(layout)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bare.net.xml"
        path.write_text(bare)
        network = read_sumo_net(path)
    return with_programs(bare, field_programs(network, layout))


def detectors_csv(sites: list[Loop]) -> str:
    """The loops as `detector,link,lane,pos_m,kind`."""
    rows = [f"{x.detector},{x.link},{x.lane},{x.pos_m},{x.kind}" for x in sites]
    return "\n".join(["detector,link,lane,pos_m,kind", *rows, ""])


def peak_vehicles(network: RoadNetwork, seed: int) -> list[Vehicle]:
    """The vehicles of one weekday's morning peak."""
    begin_s, end_s = PEAK_S
    return [v for v in vehicles_of_day(network, PEAK_DAY, seed) if begin_s <= v.depart_s < end_s]


def make_static(out: Path, seed: int) -> tuple[RoadNetwork, list[Loop]]:
    """Write what needs no simulation: network, detectors, peak routes."""
    net_file = out / "network.net.xml.gz"
    write_aside(net_file, packed(network_text(seed)))
    network = read_sumo_net(net_file)
    sites = loops(network, Layout(seed))
    write_aside(out / "detectors.csv", detectors_csv(sites))
    write_aside(out / "routes_peak.rou.xml.gz", packed(routes_xml(peak_vehicles(network, seed))))
    return network, sites


def make_counts(out: Path, network: RoadNetwork, sites: list[Loop], n_day: int, seed: int) -> None:
    """Simulate the days and write counts and the truth about their faults."""
    days = [FIRST_DAY + dt.timedelta(days=n) for n in range(n_day)]
    sound = simulate_days(network, out / "network.net.xml.gz", sites, days, seed)
    faults = draw_faults(sites, n_day, seed)
    table = written(inject(sound, faults, seed))
    table.to_parquet(out / "counts.parquet", index=False, compression="zstd")
    write_aside(out / "faults.csv", faults_csv(faults, FIRST_DAY))


def main() -> None:
    """Parse the arguments and make the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "district")
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    network, sites = make_static(args.out, args.seed)
    print(f"{len(network.controllers)} signals, {len(sites)} loops; simulating {args.days} days")
    make_counts(args.out, network, sites, args.days, args.seed)


if __name__ == "__main__":
    main()
