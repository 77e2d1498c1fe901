# SPDX-License-Identifier: GPL-2.0
"""The lane that runs the KUnit suites: builds them, boots them in a user-mode kernel, and judges what they print."""
