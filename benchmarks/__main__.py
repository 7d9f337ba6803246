"""`python -m benchmarks NAME [--quick] [--only CASE] [--json FILE]`: measure, print a table, write its rows.

Every module of this package with a function `benchmark(Options) -> Table` is a benchmark of that name; `all` runs them
one after the other.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import benchmarks
from benchmarks.tables import Options, Table, print_table, write_rows
from network_data.errors import SignalError

DONE, FAILED, USAGE = 0, 1, 2


def known_benchmarks() -> dict[str, Callable[[Options], Table]]:
    """The benchmarks of this package by name."""
    out = {}
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if not module.name.startswith("_"):
            function = getattr(importlib.import_module(f"benchmarks.{module.name}"), "benchmark", None)
            if function is not None:
                out[module.name] = function
    return out


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in _words(text))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks asked for; 1 where one failed, 2 where there is none of that name."""
    known = known_benchmarks()
    names = ", ".join([*known, "all"])
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=f"Known benchmarks: {names}.")
    parser.add_argument("name", metavar="NAME", help=f"one of: {names}")
    parser.add_argument("--quick", action="store_true", help="a small selection that ends within 2 minutes")
    parser.add_argument("--only", metavar="CASE", help="one case only")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where to write the rows")
    parser.add_argument("--remake", action="store_true", help="make what is missing of the stored answers")
    parser.add_argument("--soak", action="store_true", help="one long run instead of the cases (cycle_budget)")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep the files of each case there")
    parser.add_argument("--methods", metavar="A,B", type=_words, default=(), help="quality: these methods only")
    parser.add_argument(
        "--scales", metavar="1.0,0.9", type=_numbers, default=(), help="quality: these shares of demand"
    )
    parser.add_argument("--seeds", metavar="N", type=int, default=0, help="quality: so many of SUMO; fuzz: which draw")
    chosen = parser.parse_args(arguments)
    if chosen.name not in (*known, "all"):
        print(f"no benchmark {chosen.name!r}; known are {names}", file=sys.stderr)
        return USAGE
    options = Options(
        quick=chosen.quick,
        only=chosen.only,
        keep=chosen.keep,
        remake=chosen.remake,
        soak=chosen.soak,
        methods=chosen.methods,
        scales=chosen.scales,
        seeds=chosen.seeds,
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )
    code = DONE
    for name in known if chosen.name == "all" else [chosen.name]:
        try:
            table = known[name](options)
        except SignalError as error:
            print(f"error: {error}", file=sys.stderr)
            return USAGE
        print_table(table)
        if chosen.json is not None:
            path = chosen.json if chosen.name != "all" else chosen.json.with_name(f"{chosen.json.stem}-{name}.json")
            write_rows(path, name, table, quick=chosen.quick)
        code = max(code, FAILED if table.failed else DONE)
    return code


if __name__ == "__main__":
    sys.exit(main())
