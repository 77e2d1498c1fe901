# SPDX-License-Identifier: GPL-2.0
"""The same raw VFIO requests to two drivers, and what their answers differ in."""
