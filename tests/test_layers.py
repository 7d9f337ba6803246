"""The rooms and the way imports may point."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("network_data", "sim", "optimizer", "its")
OUTSIDE = ("tests", "benchmarks", "examples")


def imported_packages(path: Path) -> set[str]:
    """First names of all modules that a file imports, wherever in the file."""
    out = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            out |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the full name"
            out.add(str(node.module).split(".")[0])
    return out


def test_imports_point_only_left() -> None:
    """network_data ← sim ← optimizer ← its: no file imports a room to the right of its own, or tests and benchmarks."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for n, room in enumerate(ROOMS)
        for path in sorted((ROOT / room).rglob("*.py"))
        for name in sorted(imported_packages(path) & {*ROOMS[n + 1 :], *OUTSIDE})
    ]
    assert wrong == []


def test_only_its_meets_the_command_line() -> None:
    """typer, rich and subprocesses are met only in `its`."""
    outer = {"typer", "rich", "subprocess", "argparse", "socket"}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for room in ROOMS[:-1]
        for path in sorted((ROOT / room).rglob("*.py"))
        for name in sorted(imported_packages(path) & outer)
    ]
    assert wrong == []


def test_libsumo_is_never_imported() -> None:
    """SUMO runs in its own process: libsumo clashes with pyarrow inside one."""
    files = [path for room in (*ROOMS, "benchmarks") for path in sorted((ROOT / room).rglob("*.py"))]
    assert [str(path) for path in files if "libsumo" in imported_packages(path)] == []
