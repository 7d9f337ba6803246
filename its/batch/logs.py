"""What a run writes down as it goes: one JSON object per line, without secrets."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import structlog

from network_data.errors import InputError

SECRET_KEY = re.compile(
    r"(^|[_\-.])(password|passphrase|passwd|pwd|secret|token|community|credentials?|(api|auth|priv|private)[_\-]?key)s?$",
    re.I,
)
SECRET_IN_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.\-]*://[^\s:/@]*):[^\s@/]*@", re.I)
SECRET_IN_TEXT = re.compile(
    r"(?P<name>\b(?:password|passwd|pwd|secret|token)\b\s*[=:]\s*)(?:'[^']*'|\"[^\"]*\"|\S+)", re.I
)
HIDDEN = "[hidden]"
LogEvent = MutableMapping[str, Any]


def without_secrets(_logger: object, _name: str, event: LogEvent) -> LogEvent:
    """Put `[hidden]` in the place of whatever looks like a secret: by its name, or within a text."""
    return {key: HIDDEN if SECRET_KEY.search(key) else _clean(value) for key, value in event.items()}


def clean_text(text: str) -> str:
    """A text without passwords in addresses or after `password=`."""
    hidden = SECRET_IN_URL.sub(rf"\g<scheme>:{HIDDEN}@", text)
    return SECRET_IN_TEXT.sub(rf"\g<name>{HIDDEN}", hidden)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {k: HIDDEN if SECRET_KEY.search(str(k)) else _clean(v) for k, v in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list | tuple) else value


class _Lines:
    """Writes each line to a file and, where wanted, to stderr."""

    def __init__(self, stream: TextIO | None, to_stderr: bool) -> None:
        self._stream, self._to_stderr = stream, to_stderr

    def msg(self, line: str) -> None:
        """Write a line, at once."""
        if self._stream is not None:
            self._stream.write(line + "\n")
            self._stream.flush()
        if self._to_stderr:
            print(line, file=sys.stderr, flush=True)

    debug = info = warning = error = critical = msg


@contextmanager
def batch_log(path: Path | None, *, to_stderr: bool, **always: Any) -> Iterator[Any]:
    """A structlog logger of one run; `always` goes into every line.

    Parameters
    ----------
    path : Path, optional
        Lines are added at its end.
    to_stderr : bool
        Whether they also go to stderr.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a", encoding="utf-8") if path is not None else None
    except OSError as error:
        raise InputError(str(path), f"cannot be written: {error.strerror}; check path and rights") from None
    try:
        yield structlog.wrap_logger(
            _Lines(stream, to_stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
                without_secrets,
                structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=False),
            ],
            wrapper_class=structlog.BoundLogger,
            context_class=dict,
        ).bind(**always)
    finally:
        if stream is not None:
            stream.close()
