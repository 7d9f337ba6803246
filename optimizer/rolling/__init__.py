"""Once a cycle: the rolling optimizer."""

from optimizer.rolling.options import RollingOptions
from optimizer.rolling.rolling import Decision, Rolling

__all__ = ["Decision", "Rolling", "RollingOptions"]
