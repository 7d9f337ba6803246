"""What wins: command line, settings file, defaults."""

from pathlib import Path

import pytest

from its.requests import DemandSource, Effort, OptimizeRequest, effort_of
from network_data.settings import settings_from


@pytest.mark.parametrize(
    ("given", "search", "effort"),
    [
        ({}, {}, Effort(iterations=None, time_limit_s=60.0, workers=2)),
        ({"iterations": 9}, {}, Effort(iterations=9, time_limit_s=None, workers=2)),
        ({"iterations": 9, "time_limit_s": 5.0}, {}, Effort(iterations=9, time_limit_s=5.0, workers=2)),
        ({}, {"iterations": 7, "workers": 3}, Effort(iterations=7, time_limit_s=None, workers=3)),
        ({"iterations": 0, "workers": 1}, {"workers": 3}, Effort(iterations=0, time_limit_s=None, workers=1)),
        ({"time_limit_s": 5.0}, {"iterations": 7}, Effort(iterations=7, time_limit_s=5.0, workers=2)),
    ],
)
def test_effort(given: dict[str, float], search: dict[str, object], effort: Effort) -> None:
    """Options go before settings; iterations alone mean no time limit, so that the result can be repeated."""
    request = OptimizeRequest(network=Path("n"), out=Path("o"), source=DemandSource(turns=Path("t")), **given)  # type: ignore[arg-type]
    assert effort_of(request, settings_from({"search": search}, "test")) == effort


def test_files_by_option() -> None:
    """The files of a source are listed by the name of their option, for the hashes in run.json."""
    source = DemandSource(detectors=Path("d"), counts=Path("c"))
    assert source.files == {"detectors": Path("d"), "counts": Path("c")}
    assert DemandSource(routes=(Path("a"), Path("b"))).files == {"routes": Path("a"), "routes1": Path("b")}
