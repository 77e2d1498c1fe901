# SPDX-License-Identifier: GPL-2.0
"""The errors that the rig reports to its caller, each with its exit code."""


class RigError(Exception):
    """A run could not be carried out; the text says why and what to do."""

    exit_code = 3


class UsageError(RigError):
    """The request itself, or the set-up that it needs, is not there."""

    exit_code = 2
