"""The tables of GMNS: fields with type, range, enumeration and what they refer to.

Written from the published schemas of the General Modeling Network Specification (version 0.96, and 0.94 where it
differs), Zephyr Foundation, github.com/zephyr-data-specs/GMNS. Fields beside these are the user's own and not checked.
Where the specification sets no upper bound, ours keeps numbers to what can be built: 50 lanes, lane numbers within 20,
coordinates within 100,000 km, links of at most a million units, greens of at most an hour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Field:
    """A column: `kind` is any, text, number, integer, boolean or uses (a comma list)."""

    name: str
    kind: str
    required: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    refers: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its key; `needed` ones have to be there for a network."""

    name: str
    key: str
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        """A field by its name."""
        return next((f for f in self.fields if f.name == name), None)


BIKE = "unseparated bike lane|buffered bike lane|separated bike lane|counter-flow bike lane|paved shoulder|shared lane|shared use path|off-road unpaved trail|other|none"  # noqa: E501
PED = "unknown|none|shoulder|sidewalk|offstreet_path"
PARKING = "unknown|none|parallel|angle|other"
BARRIER = "none|regulatory|physical"

TEXT = f"""
node key node_id
  node_id! any
  name text
  x_coord! number -100000000..100000000
  y_coord! number -100000000..100000000
  z_coord number
  node_type text
  ctrl_type text {{none|yield|stop|4_stop|signal}}
  zone_id any > zone.zone_id
  parent_node_id any > node.node_id
link key link_id
  link_id! any
  name text
  from_node_id! any > node.node_id
  to_node_id! any > node.node_id
  directed! boolean
  geometry_id any > geometry.geometry_id
  geometry text
  parent_link_id any > link.link_id
  dir_flag integer {{1|-1|0}}
  length number 0..1000000
  grade number -100..100
  facility_type text
  capacity number 0..
  free_speed number 0..200
  lanes integer 0..50
  bike_facility text {{{BIKE}}}
  ped_facility text {{{PED}}}
  parking text {{{PARKING}}}
  allowed_uses uses
  toll number
  jurisdiction text
  row_width number 0..
lane key lane_id
  lane_id! any
  link_id! any > link.link_id
  lane_num! integer -10..10
  allowed_uses uses
  r_barrier text {{{BARRIER}}}
  l_barrier text {{{BARRIER}}}
  width number 0..
segment key segment_id
  segment_id! any
  link_id! any > link.link_id
  ref_node_id! any > node.node_id
  start_lr! number 0..
  end_lr! number 0..
  grade number -100..100
  capacity number 0..
  free_speed number 0..200
  lanes integer
  l_lanes_added integer
  r_lanes_added integer
  bike_facility text {{{BIKE}}}
  ped_facility text {{{PED}}}
  parking text {{{PARKING}}}
  allowed_uses uses
  toll number
  row_width number 0..
segment_lane key segment_lane_id
  segment_lane_id! any
  segment_id! any > segment.segment_id
  lane_num! integer -10..10
  parent_lane_id any > lane.lane_id
  allowed_uses uses
  r_barrier text {{{BARRIER}}}
  l_barrier text {{{BARRIER}}}
  width number 0..
movement key mvmt_id
  mvmt_id! any
  node_id! any > node.node_id
  name text
  ib_link_id! any > link.link_id
  start_ib_lane integer -20..20
  end_ib_lane integer -20..20
  ob_link_id! any > link.link_id
  start_ob_lane integer -20..20
  end_ob_lane integer -20..20
  type! text {{left|right|uturn|thru|merge|diverge}}
  penalty number
  capacity number
  ctrl_type text {{no_control|yield|stop|stop_2_way|stop_4_way|signal_with_RTOR|signal}}
  allowed_uses uses
location key loc_id
  loc_id! any
  link_id! any > link.link_id
  ref_node_id! any > node.node_id
  lr! number 0..
  x_coord number
  y_coord number
  z_coord number
  loc_type text
  zone_id any > zone.zone_id
  gtfs_stop_id text
zone key zone_id
  zone_id! any
  name text
  boundary text
  super_zone any
use_definition key use
  use! text
  persons_per_vehicle number 0..
  pce number 0..
  special_conditions text
  description text
use_group key use_group
  use_group! text
  uses! uses
  description text
signal_controller key controller_id
  controller_id! any
signal_timing_plan key timing_plan_id
  timing_plan_id! any
  controller_id! any > signal_controller.controller_id
  timeday_id any > time_set_definitions.timeday_id
  time_day timeday
  cycle_length number 0..600
signal_timing_phase key timing_phase_id
  timing_phase_id! any
  timing_plan_id any > signal_timing_plan.timing_plan_id
  signal_phase_num! integer 0..255
  min_green number 0..3600
  max_green number 0..3600
  extension number 0..120
  clearance number 0..120
  walk_time number 0..120
  ped_clearance number 0..120
  ring! integer 0..12
  barrier! integer 0..12
  position! integer 0..255
signal_phase_mvmt key signal_phase_mvmt_id
  signal_phase_mvmt_id! any
  timing_phase_id! any > signal_timing_phase.timing_phase_id
  mvmt_id any > movement.mvmt_id
  link_id any > link.link_id
  protection text {{protected|permitted|rtor}}
signal_coordination key coordination_id
  coordination_id! any
  timing_plan_id! any > signal_timing_plan.timing_plan_id
  controller_id! any > signal_controller.controller_id
  coord_contr_id any > signal_controller.controller_id
  coord_phase integer 0..32
  coord_ref_to text {{begin_of_green|begin_of_yellow|begin_of_red}}
  offset number 0..86400
signal_detector key detector_id
  detector_id! any
  controller_id! any > signal_controller.controller_id
  signal_phase_num! integer
  link_id! any > link.link_id
  start_lane! integer -20..20
  end_lane integer -20..20
  ref_node_id! any > node.node_id
  det_zone_lr! number
  det_zone_front number
  det_zone_back number
  det_type text
config
  dataset_name text
  short_length text
  long_length text
  speed text
  crs any
  geometry_field_format text
  currency text
  version_number number
  id_type text {{string|integer}}
"""

OLD_TEXT = """
signal_phase_mvmt key signal_phase_mvmt_id
  signal_phase_mvmt_id! any
  controller_id! any > signal_controller.controller_id
  signal_phase_num! integer 0..32
  mvmt_id any > movement.mvmt_id
  link_id any > link.link_id
  protection text {protected|permitted|rtor}
"""
"""What version 0.94 has otherwise."""

NEEDED = ("node", "link")
"""Tables without which there is no network."""
LINE = re.compile(
    r"(?P<name>\w+)(?P<required>!?) (?P<kind>\w+)(?: (?P<low>-?\d+)\.\.(?P<high>\d*))?(?: \{(?P<choices>.*)\})?"
    r"(?: > (?P<table>\w+)\.(?P<column>\w+))?"
)


def _tables(text: str) -> dict[str, Table]:
    out: dict[str, Table] = {}
    for line in text.strip().splitlines():
        if not line.startswith(" "):
            name, _, key = line.partition(" key ")
            out[name] = Table(name, key, ())
            continue
        found = LINE.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"our own table of GMNS has the line {line!r}")
        field = Field(
            name=found["name"],
            kind=found["kind"],
            required=bool(found["required"]),
            low=float(found["low"]) if found["low"] else None,
            high=float(found["high"]) if found["high"] else None,
            choices=tuple(found["choices"].split("|")) if found["choices"] else (),
            refers=(found["table"], found["column"]) if found["table"] else None,
        )
        last = next(reversed(out))
        out[last] = replace(out[last], fields=(*out[last].fields, field))
    return out


TABLES = _tables(TEXT)
TABLES_094 = TABLES | _tables(OLD_TEXT)


def tables_of(version: float | None) -> dict[str, Table]:
    """The tables of a version; without one, of the newest we know."""
    return TABLES_094 if version is not None and version < 0.95 else TABLES
