"""Objects of NTCIP 1201 and 1202 that the push reads or writes, by number; no MIB files are needed."""

from __future__ import annotations

ASC = "1.3.6.1.4.1.1206.4.2.1"
GLOBAL = "1.3.6.1.4.1.1206.4.2.6"

MAX_PHASES = f"{ASC}.1.1.0"
PHASE = f"{ASC}.1.2.1"
WALK, PED_CLEAR, MIN_GREEN, YELLOW, RED_CLEAR, OPTIONS, RING, CONCURRENCY = 2, 3, 4, 8, 9, 21, 22, 23
PHASE_COLUMNS = (WALK, PED_CLEAR, MIN_GREEN, YELLOW, RED_CLEAR, OPTIONS, RING, CONCURRENCY)
ENABLED_BIT = 1

OPERATIONAL_MODE = f"{ASC}.4.1.0"
MAX_PATTERNS = f"{ASC}.4.5.0"
PATTERN_TABLE_TYPE = f"{ASC}.4.6.0"
MAX_SPLITS = f"{ASC}.4.8.0"
PATTERN_STATUS = f"{ASC}.4.10.0"
FREE_STATUS = f"{ASC}.4.11.0"
SYSTEM_PATTERN = f"{ASC}.4.14.0"
PATTERN, SPLIT = f"{ASC}.4.7.1", f"{ASC}.4.9.1"

PATTERN_SYNC = f"{ASC}.5.1.0"
MAX_ACTIONS = f"{ASC}.5.2.0"
ACTION_PATTERN = f"{ASC}.5.3.1.2"
ACTION_STATUS = f"{ASC}.5.4.0"

BACKUP_TIME = f"{ASC}.3.3.0"
FLASH_STATUS = f"{ASC}.3.6.0"
ALARMS = f"{ASC}.3.8.0"

MAX_RINGS = f"{ASC}.7.1.0"
SEQUENCE = f"{ASC}.7.3.1.3"

SET_ID = f"{GLOBAL}.1.1.0"
TRANSACTION = f"{GLOBAL}.2.1.0"
VERIFY_STATUS = f"{GLOBAL}.2.6.0"
VERIFY_ERROR = f"{GLOBAL}.2.7.0"
TIME = f"{GLOBAL}.3.1.0"

NORMAL, BUFFERING, VERIFYING, VERIFIED = 1, 2, 3, 6
"""States of the database transaction."""
NOT_FLASHING = 2
BAD_FREE = {7: "bad plan", 8: "bad cycle time", 9: "split overrun", 10: "invalid offset", 11: "failed"}
"""Why a controller runs free although a pattern is commanded."""
BAD_ALARMS = {0: "cycle fault", 1: "coordination fault", 2: "coordination failure", 3: "cycle failure", 4: "MMU flash"}
"""Bits of the alarm status that end a push."""
MIDNIGHT_BY_ACTION = 65_535
"""Value of the pattern sync that means: the time of the action."""

NAMES = {
    f"{PATTERN}.2": "patternCycleTime",
    f"{PATTERN}.3": "patternOffsetTime",
    f"{PATTERN}.4": "patternSplitNumber",
    f"{PATTERN}.5": "patternSequenceNumber",
    f"{SPLIT}.3": "splitTime",
    f"{SPLIT}.4": "splitMode",
    f"{SPLIT}.5": "splitCoordPhase",
    ACTION_PATTERN: "timebaseAscPattern",
    SYSTEM_PATTERN.removesuffix(".0"): "systemPatternControl",
}


def name_of(oid: str) -> str:
    """An object as people call it: `splitTime.11.2`; the number itself where it is none of ours."""
    for start, name in NAMES.items():
        if oid.startswith(f"{start}."):
            return f"{name}.{oid[len(start) + 1 :]}"
    return oid
