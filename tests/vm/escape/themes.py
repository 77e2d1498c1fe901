# SPDX-License-Identifier: GPL-2.0
"""All attacks, by theme."""

from escape import commands, contexts, monitors, registers, tables  # noqa: F401  each adds its own
from escape.arena import ATTACKS

__all__ = ["ATTACKS"]
