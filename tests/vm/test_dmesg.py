# SPDX-License-Identifier: GPL-2.0
"""What the scanner must find in a kernel log, and what it must leave alone."""

import tempfile
import unittest
from pathlib import Path

from rig.dmesg import Finding, Record, Scanner, as_dmesg, last_words, read_console, read_kmsg, without, without_duplicates

WARN = """------------[ cut here ]------------
WARNING: drivers/gpu/drm/i915/gvt/gtt.c:12 at ppgtt_free+0x12/0x40 [kvmgt], CPU#1: qemu/77
Modules linked in: kvmgt i915
CPU: 1 UID: 0 PID: 77 Comm: qemu Not tainted 7.3.4 #1
RIP: 0010:ppgtt_free+0x12/0x40
Call Trace:
 <TASK>
 release+0x1/0x2
 </TASK>
---[ end trace 0000000000000000 ]---
i915 0000:00:02.0: all is well again"""


def scan(text: str, *allowed: str) -> list[Finding]:
    return Scanner(allowed).scan("L1", [Record(6, line) for line in text.splitlines()])


class Scan(unittest.TestCase):
    def test_a_warning_with_its_trace_is_one_finding(self) -> None:
        findings = scan(WARN)
        self.assertEqual(len(findings), 1)
        self.assertTrue(findings[0].title.startswith("WARNING: drivers/gpu"))
        self.assertEqual(findings[0].lines[-1], "---[ end trace 0000000000000000 ]---")

    def test_two_warnings_are_two_findings(self) -> None:
        self.assertEqual(len(scan(f"{WARN}\n{WARN}")), 2)

    def test_two_warnings_at_once_are_two_findings(self) -> None:
        both = [WARN.splitlines(), WARN.replace("ppgtt_free", "known").splitlines()]
        lines = [Record(6, line, caller=f"T{task}") for pair in zip(*both, strict=True) for task, line in enumerate(pair)]
        found = Scanner().scan("L1", lines)
        self.assertEqual([finding.lines for finding in found], [tuple(lines[:-1]) for lines in both])
        self.assertEqual(Scanner(["known"]).scan("L1", lines), found[:1])

    def test_what_a_warning_says_belongs_to_it(self) -> None:
        said = WARN.replace("WARNING:", "RPM raw-wakeref not held\nWARNING:")
        self.assertEqual(len(scan(said)), 1)
        self.assertIn("RPM raw-wakeref not held", scan(said)[0].lines)
        self.assertEqual(scan(said, "raw-wakeref not held"), [])

    def test_a_report_of_lockdep_is_one_finding(self) -> None:
        lines = (
            "WARNING: suspicious RCU usage",
            "7.3.4 #3 Tainted: G     U     O       ",
            "-----------------------------",
            "include/linux/kvm_host.h:1093 suspicious rcu_dereference_check() usage!",
            "\nother info that might help us debug this:\n",
            "\nrcu_scheduler_active = 2, debug_locks = 1",
            "locks held by qemu-system-x86/149: 3, last CPU#0:",
            " #0: ffff88810fe65650 (&group->group_lock){+.+.}-{4:4}, at: vfio_group_fops_unl_ioctl+0x4a8/0x8c0 [vfio]",
            "\nstack backtrace:",
            "CPU: 0 UID: 0 PID: 149 Comm: qemu-system-x86 Tainted: G     U     O        7.3.4 #3 PREEMPTLAZY  ",
            "Call Trace:",
            " <TASK>",
            " kvm_page_track_register_notifier+0x488/0x520 [kvm]",
            " </TASK>",
            "i915 0000:00:02.0: all is well again",
        )
        records = [Record(4, line) for line in lines]
        self.assertEqual([finding.lines for finding in Scanner().scan("L1", records)], [lines[:-1]])
        self.assertEqual(Scanner(["kvm_page_track_register_notifier"]).scan("L1", records), [])

    def test_a_report_of_locks_in_circles_is_one_finding(self) -> None:
        lines = (
            "WARNING: possible circular locking dependency detected",
            "7.3.4 #2 Tainted: G     U     O       ",
            "------------------------------------------------------",
            "vfioraw/130 is trying to acquire lock:",
            "ffff888010d43e80 (&iommu->lock){+.+.}-{4:4}, at: vfio_iommu_type1_unpin_pages+0x72/0x150 [vfio_iommu_type1]",
            "\nbut task is already holding lock:",
            "ffff888010d43f20 (&iommu->device_list_lock){+.+.}-{4:4}, at: vfio_notify_dma_unmap+0x46/0x110 [vfio_iommu_type1]",
            "\nwhich lock already depends on the new lock.\n",
            "\nthe existing dependency chain (in reverse order) is:",
            "\n-> #1 (&iommu->device_list_lock){+.+.}-{4:4}:",
            "       __mutex_lock+0xac/0x10e0",
            "\nother info that might help us debug this:\n",
            " Possible unsafe locking scenario:\n",
            "       CPU0                    CPU1",
            "\n *** DEADLOCK ***\n",
            "2 locks held by vfioraw/130:",
            "\nstack backtrace:",
            "CPU: 1 UID: 0 PID: 130 Comm: vfioraw Tainted: G     U     O        7.3.4 #2 PREEMPTLAZY  ",
            "Tainted: [U]=USER, [O]=OOT_MODULE",
            "Call Trace:",
            " <TASK>",
            " vfio_notify_dma_unmap+0xc0/0x110 [vfio_iommu_type1]",
            " </TASK>",
            "i915 0000:00:02.0: all is well again",
        )
        records = [Record(4, line) for line in lines]
        self.assertEqual([finding.lines for finding in Scanner().scan("L1", records)], [lines[:-1]])
        self.assertEqual(Scanner(["device_list_lock"]).scan("L1", records), [])

    def test_each_kind_is_found(self) -> None:
        for line in (
            "WARNING: possible circular locking dependency detected",
            "BUG: kernel NULL pointer dereference, address: 0000000000000010",
            "BUG: KASAN: slab-use-after-free in foo+0x1/0x2",
            "watchdog: BUG: soft lockup - CPU#0 stuck for 26s!",
            "Oops: general protection fault, probably for non-canonical address",
            "Kernel panic - not syncing: Attempted to kill init!",
            "INFO: task modprobe:77 blocked for more than 120 seconds.",
            "rcu: INFO: rcu_preempt self-detected stall on CPU",
            "UBSAN: array-index-out-of-bounds in drivers/foo.c:3:1",
            "i915 0000:00:02.0: [drm] GPU HANG: ecode 9:1:85dffffb, in gemtest [135]",
            "i915 0000:00:02.0: [drm] Resetting rcs0 for preemption time out",
            "i915 0000:00:02.0: [drm] gemtest[135] context reset due to GPU hang",
            "i915 0000:00:02.0: [drm] CI tainted: 0x9 by intel_gt_init [i915]",
            "refcount_t: underflow; use-after-free.",
            "KVM internal error. Suberror: 3",
            "gemtest[12]: segfault at 0 ip 0 sp 0 error 4",
        ):
            self.assertEqual([finding.title for finding in scan(line)], [line])

    def test_harmless_lines_are_left_alone(self) -> None:
        for line in (
            "i915 0000:00:02.0: [drm] Found skylake (device ID 1912)",
            "Spectre V2 : Vulnerable",
            "clocksource: Switched to clocksource tsc",
            "kvmgt: loading out-of-tree module taints kernel.",
            "Unknown DRM client none",
            "usb: debugging support enabled",
            "DEBUG: nothing",
        ):
            self.assertEqual(scan(line), [])

    def test_an_allowed_line_allows_its_whole_trace(self) -> None:
        self.assertEqual(scan(WARN, r"gvt/gtt\.c:12"), [])
        self.assertEqual(len(scan(WARN, r"gvt/mmio\.c")), 1)

    def test_an_allowed_hang_does_not_hide_a_warning_behind_it(self) -> None:
        findings = scan(f"i915: [drm] GPU HANG: ecode 9\n{WARN}", "GPU HANG")
        self.assertEqual([finding.title[:8] for finding in findings], ["WARNING:"])

    def test_a_trace_without_an_end_stops_at_the_next_ordinary_line(self) -> None:
        findings = scan("BUG: scheduling while atomic: x\nCall Trace:\n foo+0x1\nusb 1-1: new device")
        self.assertEqual(findings[0].lines, ("BUG: scheduling while atomic: x", "Call Trace:", " foo+0x1"))

    def test_strict_finds_warnings_of_the_gpu_drivers_only(self) -> None:
        records = [
            Record(4, "i915 0000:00:02.0: [drm] something odd"),
            Record(4, "pci 0000:00:01.0: something odd"),
            Record(6, "i915 0000:00:02.0: [drm] fine"),
            Record(3, "gvt: vgpu 1: fail"),
        ]
        titles = [finding.title for finding in Scanner(strict=True).scan("L1", records)]
        self.assertEqual(titles, ["i915 0000:00:02.0: [drm] something odd", "gvt: vgpu 1: fail"])
        self.assertEqual(Scanner().scan("L1", records), [])


class Files(unittest.TestCase):
    def setUp(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.path = Path(self._folder.name) / "log"

    def test_kmsg(self) -> None:
        self.path.write_text(
            "6,1,1000,-;first\n SUBSYSTEM=pci\n4,2,2500000,-;tab\\x09end\n6,1,1000,-;first\n12,3,2600000,-;user\nnonsense\n"
        )
        records = read_kmsg(self.path)
        self.assertEqual(records, [Record(6, "first", 0.001), Record(4, "tab\tend", 2.5), Record(4, "user", 2.6)])
        self.assertIn("<4>[    2.500000] tab\tend\n", as_dmesg(records))
        self.path.write_text("6,1,1000,-,caller=T77;told\n")
        self.assertEqual(read_kmsg(self.path), [Record(6, "told", 0.001, "T77")])

    def test_pieces_of_lines_go_to_their_callers(self) -> None:
        pieces = [("-", 1, " #0: "), ("-", 2, " #1: "), ("c", 1, "ffff ("), ("c", 2, "eeee "), ("c", 1, "&a"), ("c", 2, "(&b)")]
        lines = [f"4,{number},9,{flag},caller=T{task};{text}\n" for number, (flag, task, text) in enumerate(pieces)]
        self.path.write_text("".join(lines) + "4,9,9,c,caller=T3;alone\n")
        self.assertEqual([record.text for record in read_kmsg(self.path)], [" #0: ffff (&a", " #1: eeee (&b)", "alone"])

    def test_console(self) -> None:
        self.path.write_bytes(b"SeaBIOS\r\n[    1.234567] WARNING: x\r\n[    1.3][    T1] BUG: y\r\n")
        self.assertEqual([record.text for record in read_console(self.path)], ["SeaBIOS", "WARNING: x", "BUG: y", ""])

    def test_the_last_words_are_those_of_a_panic_if_there_was_one(self) -> None:
        self.path.write_bytes(b"[    0.1] apic: no timer\r\n[    0.2] Kernel panic - not syncing: x\r\n[    0.3] Rebooting\r\n\r\n")
        self.assertEqual(last_words(self.path), "Kernel panic - not syncing: x")
        self.path.write_bytes(b"[    0.1] one\r\n[    0.2] two\r\n\r\n")
        self.assertEqual(last_words(self.path), "two")
        self.path.write_bytes(b"")
        self.assertEqual(last_words(self.path), "nothing at all")

    def test_a_missing_file_is_an_empty_log(self) -> None:
        self.assertEqual(read_kmsg(self.path), [])
        self.assertEqual(read_console(self.path), [])

    def test_the_console_counts_only_where_it_says_more(self) -> None:
        console = [Record(6, "------------[ cut here ]------------"), Record(6, "Kernel panic - not syncing: x")]
        self.assertEqual(without(console, [Record(4, "------------[ cut here ]------------")]), console[1:])

    def test_the_same_message_counts_once(self) -> None:
        findings = [Finding("L1", ("BUG: a",)), Finding("L1", ("BUG: a", "Call Trace:")), Finding("L2-1", ("BUG: a",))]
        self.assertEqual(len(without_duplicates(findings)), 2)


if __name__ == "__main__":
    unittest.main()
