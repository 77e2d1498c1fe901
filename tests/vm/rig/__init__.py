# SPDX-License-Identifier: GPL-2.0
"""The parts of the virtual machine rig that `tests/vm/run` puts together."""
