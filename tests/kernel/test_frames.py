# SPDX-License-Identifier: GPL-2.0
"""What is read from a disassembly."""

import unittest

from frames import frames

_LISTING = """
build/kvmgt.ko:     file format elf64-x86-64

0000000000000010 <_RNvMNtC3gvt4vgpu3new>:
      10:\tpush   %rbx
      11:\tsub    $0x2f8,%rsp
      18:\tadd    $0x2f8,%rsp

0000000000000020 <two_ways>:
      20:\tsub    $0x8,%rsp
      24:\tsub    $0x1000,%rsp
      2b:\tsub    $0x20000,%rax

0000000000000030 <none>:
      30:\tret
"""


class Frames(unittest.TestCase):
    """The biggest step of each function."""

    def test_listing(self) -> None:
        self.assertEqual(frames(_LISTING.splitlines()), {"_RNvMNtC3gvt4vgpu3new": 0x2F8, "two_ways": 0x1000})


if __name__ == "__main__":
    unittest.main()
