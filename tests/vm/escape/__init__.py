# SPDX-License-Identifier: GPL-2.0
"""The escape suite: hostile guests and VMMs, and whether they were contained."""
