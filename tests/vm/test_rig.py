# SPDX-License-Identifier: GPL-2.0
"""The parts of the rig that need no virtual machine."""

import contextlib
import io
import json
import lzma
import os
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Sequence
from pathlib import Path

from rig import qemu
from rig.cli import Request, megabytes
from rig.cli import parse as parse_for
from rig.cpio import Archive
from rig.dmesg import Finding
from rig.errors import UsageError
from rig.events import Event, parse_event
from rig.follow import Follower
from rig.kernel import unpack_image
from rig.modules import ModuleTree, module_name, plain_name
from rig.outcome import Outcome
from rig.paths import Layout
from rig.process import Children
from rig.stages import LIMITS, Stages
from rig.summary import rows_of_run, rows_of_script, table


def parse(arguments: Sequence[str], built_module: Path = Path("/none/kvmgt.ko")) -> Request:
    """The request of a command line, in a repository where the module is not built."""
    return parse_for(arguments, built_module)


class Folder(unittest.TestCase):
    """A test with a scratch folder."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)


class CommandLine(Folder):
    def refused(self, *arguments: str) -> str:
        with self.assertRaises((UsageError, SystemExit)) as caught, contextlib.redirect_stderr(io.StringIO()) as text:
            parse(arguments)
        return f"{caught.exception} {text.getvalue()}"

    def test_defaults(self) -> None:
        request = parse(["--driver", "stock"])
        self.assertEqual((request.guests, request.mdevs, request.platform, request.aperture), (0, 0, "skl", "512M"))
        self.assertFalse(request.display)

    def test_a_guest_script_means_one_guest(self) -> None:
        script = self.folder / "script"
        script.touch()
        request = parse(["--driver", "stock", "--l2", str(script)])
        self.assertEqual((request.guests, request.mdevs), (1, 1))
        self.assertIn("--guests", self.refused("--driver", "stock", "--l2", str(script), "--guests", "0"))

    def test_memory_grows_with_the_guests(self) -> None:
        one = megabytes(parse(["--driver", "stock", "--guests", "1"]).memory)
        three = megabytes(parse(["--driver", "stock", "--guests", "3"]).memory)
        self.assertEqual(three - one, 2 * (512 + 256))
        self.assertEqual(parse(["--driver", "stock", "--memory", "5G"]).memory, "5120M")

    def test_refusals_name_the_argument(self) -> None:
        self.assertIn("--driver", self.refused())
        self.assertIn("--driver", self.refused("--driver", "mine"))
        self.assertIn("make modules", self.refused("--driver", "ours"))
        self.assertIn("no such module", self.refused("--driver", "stock", "--module", str(self.folder / "none")))
        self.assertIn("--push", self.refused("--driver", "stock", "--push", str(self.folder / "none")))
        self.assertIn("no such script", self.refused("--driver", "stock", "--l1", str(self.folder / "none")))
        self.assertIn("--allow", self.refused("--driver", "stock", "--allow", "("))
        self.assertIn("--name", self.refused("--driver", "stock", "--name", "../x"))
        self.assertIn("--no-gpu", self.refused("--driver", "stock", "--no-gpu"))
        self.assertIn("positive", self.refused("--driver", "stock", "--timeout", "0"))
        self.assertIn("not a size", self.refused("--driver", "stock", "--memory", "lots", "--l2-memory", "1T"))

    def test_our_module_is_the_one_that_was_built(self) -> None:
        built, other = self.folder / "kvmgt.ko", self.folder / "other.ko"
        built.touch()
        other.touch()
        self.assertEqual(parse(["--driver", "ours"], built).module, built)
        self.assertEqual(parse(["--driver", "ours", "--module", str(other)], built).module, other)
        self.assertIsNone(parse(["--driver", "stock"], built).module)
        self.assertEqual(parse(["--driver", "stock", "--module", str(other)], built).module, other)

    def test_guests_do_without_i915_when_told(self) -> None:
        self.assertTrue(parse(["--driver", "stock", "--guests", "1"]).guest_i915)
        self.assertFalse(parse(["--driver", "stock", "--guests", "1", "--no-guest-i915"]).guest_i915)
        self.assertFalse(parse(["--driver", "none", "--guests", "1"]).guest_i915)


class Commands(unittest.TestCase):
    layout = Layout(Path("/repository"), Path("/cache"), "7.3")

    def test_the_gpu_is_at_its_address_and_shares_the_memory(self) -> None:
        request = parse(["--driver", "stock", "--guests", "2"])
        sockets = qemu.Sockets(Path("/short"))
        command = qemu.l1_command(request, self.layout, sockets, Path("/out"), Path("/k"), Path("/i"))
        devices = [json.loads(word) for word in command if word.startswith("{")]
        self.assertEqual([(device["driver"], device["addr"]) for device in devices], [("vfio-user-pci", "0x2")])
        self.assertIn(f"memory-backend-memfd,id=ram,size={request.memory},share=on", command)
        self.assertEqual(len(set(qemu.mdev_uuids(request))), 2)

    def test_without_a_gpu_there_is_none(self) -> None:
        request = parse(["--driver", "none", "--no-gpu"])
        command = qemu.l1_command(request, self.layout, qemu.Sockets(Path("/short")), Path("/out"), Path("/k"), Path("/i"))
        self.assertNotIn("vfio-user-pci", " ".join(command))

    def test_display_is_off_unless_asked_for(self) -> None:
        off, on = parse(["--driver", "stock"]), parse(["--driver", "stock", "--display"])
        self.assertEqual(qemu.i915_options(off), "dmc_firmware_path=/dev/null enable_gvt=1 disable_display=1")
        self.assertEqual(qemu.i915_options(on), "dmc_firmware_path=/dev/null enable_gvt=1")

    def test_extra_arguments_reach_their_program(self) -> None:
        request = parse(["--driver", "none", "--emulator-arg=--vcs1", "--kernel-arg", "one=1", "--l2-kernel-arg", "two=2"])
        emulator = qemu.emulator_command(request, self.layout, qemu.Sockets(Path("/short")), Path("/out"))
        self.assertEqual(emulator[-1], "--vcs1")
        self.assertTrue(qemu.l1_kernel_line(request).endswith(" one=1"))
        self.assertTrue(qemu.l2_kernel_line(request).endswith(" two=2"))


class Clock(unittest.TestCase):
    def test_the_frequency_is_told_where_it_is_known(self) -> None:
        virtual = "flags\t\t: fpu constant_tsc hypervisor\ncpu MHz\t\t: 2596.152\n"
        self.assertEqual(qemu.tsc_option(virtual), ["tsc_early_khz=2596152"])

    def test_a_host_that_changes_its_clock_is_not_believed(self) -> None:
        self.assertEqual(qemu.tsc_option("flags\t\t: fpu constant_tsc\ncpu MHz\t\t: 800.000\n"), [])
        self.assertEqual(qemu.tsc_option(""), [])

    def test_a_host_that_pauses_does_not_end_the_boot(self) -> None:
        self.assertIn("no_timer_check", qemu.l1_kernel_line(parse(["--driver", "none"])).split())


class Watchdog(unittest.TestCase):
    def setUp(self) -> None:
        self.now = 100.0
        self.said: list[str] = []

    def stages(self, patience: float = 1.0, whole: float | None = None) -> Stages:
        return Stages(lambda: self.now, self.said.append, patience, whole)

    def test_the_stage_that_stalls_is_named(self) -> None:
        stages = self.stages()
        stages.enter("L1", "boot")
        self.now += LIMITS["boot"]
        self.assertIsNone(stages.stalled())
        self.now += 1
        self.assertIn("L1: stage 'boot' stalled", str(stages.stalled()))

    def test_a_stage_that_ended_does_not_stall(self) -> None:
        stages = self.stages()
        stages.enter("L2-1", "guest boot")
        stages.leave("L2-1")
        self.now += 10_000
        self.assertIsNone(stages.stalled())

    def test_lanes_are_watched_one_by_one(self) -> None:
        stages = self.stages()
        stages.enter("L1", "guests")
        stages.enter("L2-1", "workload")
        stages.enter("L2-2", "guest probe")
        self.now += LIMITS["guest probe"] + 1
        stall = stages.stalled()
        self.assertEqual((stall.lane, stall.stage) if stall else None, ("L2-2", "guest probe"))

    def test_the_workload_is_limited_by_the_whole_run(self) -> None:
        stages = self.stages(whole=1000)
        stages.enter("L1", "guests")
        stages.enter("L2-1", "workload")
        self.now += 999
        self.assertIsNone(stages.stalled())
        self.now += 2
        self.assertIn("L2-1: the run's limit of 1000 s passed in stage 'workload'", str(stages.stalled()))

    def test_patience_stretches_the_limits(self) -> None:
        stages = self.stages(patience=2)
        stages.enter("L1", "probe")
        self.now += LIMITS["probe"] * 2 - 1
        self.assertIsNone(stages.stalled())
        self.now += 2
        self.assertIsNotNone(stages.stalled())

    def test_times_are_reported(self) -> None:
        stages = self.stages()
        stages.enter("L1", "boot")
        self.now += 4
        stages.enter("L1", "probe")
        self.now += 2
        stages.leave("L1")
        self.assertEqual(stages.table(), [("L1", "boot", 4.0), ("L1", "probe", 2.0)])
        self.assertEqual(self.said[1], "[   4.0 s] L1: boot took 4.0 s")


class Files(Folder):
    def test_archive_is_what_cpio_reads(self) -> None:
        (self.folder / "tree" / "sub").mkdir(parents=True)
        (self.folder / "tree" / "sub" / "file").write_text("content")
        archive = Archive()
        archive.tree(self.folder / "tree", "push")
        archive.symlink("bin/sh", "busybox")
        archive.character_device("dev/null", 1, 3)
        blob = archive.finish()
        self.assertEqual(len(blob) % 512, 0)
        names = []
        position = 0
        while True:
            self.assertEqual(blob[position : position + 6], b"070701")
            fields = [int(blob[position + 6 + 8 * n : position + 14 + 8 * n], 16) for n in range(13)]
            name = blob[position + 110 : position + 110 + fields[11] - 1].decode()
            if name == "TRAILER!!!":
                break
            names.append(name)
            start = position + (110 + fields[11] + 3) // 4 * 4
            if name == "push/sub/file":
                self.assertEqual(blob[start : start + fields[6]], b"content")
            position = start + (fields[6] + 3) // 4 * 4
        self.assertEqual(names, ["push", "push/sub", "push/sub/file", "bin", "bin/sh", "dev", "dev/null"])

    def test_modules_come_behind_what_they_need(self) -> None:
        (self.folder / "modules.dep").write_text("k/a.ko.xz: k/b-x.ko.xz k/c.ko.xz\nk/b-x.ko.xz: k/c.ko.xz\nk/c.ko.xz:\n")
        (self.folder / "modules.builtin").write_text("kernel/d.ko\n")
        (self.folder / "k").mkdir()
        (self.folder / "k" / "c.ko.xz").write_bytes(lzma.compress(b"module"))
        tree = ModuleTree(self.folder)
        self.assertEqual(tree.load_order(["a", "d"]), ["c", "b_x", "a"])
        self.assertEqual(tree.content("c"), b"module")
        self.assertEqual((module_name("k/b-x.ko.zst"), plain_name("k/b-x.ko.xz")), ("b_x", "k/b-x.ko"))
        with self.assertRaisesRegex(UsageError, "no module nothing"):
            tree.load_order(["nothing"])

    def test_kernel_image_is_unpacked(self) -> None:
        payload = lzma.compress(b"\x7fELF and so on")
        image = bytearray(1024) + payload + struct.pack("<I", 14)
        image[0x1F1] = 1
        image[0x202:0x206] = b"HdrS"
        struct.pack_into("<H", image, 0x206, 0x20F)
        struct.pack_into("<II", image, 0x248, 0, len(payload) + 4)
        self.assertEqual(unpack_image(bytes(image)), b"\x7fELF and so on")
        image[0x202] = 0
        with self.assertRaises(UsageError):
            unpack_image(bytes(image))

    def test_follower_gives_each_complete_line_once(self) -> None:
        path = self.folder / "log"
        follower = Follower(path)
        self.assertEqual(follower.lines(), [])
        path.write_text("one\ntw")
        self.assertEqual(follower.lines(), ["one"])
        path.write_text("one\ntwo\nrest")
        self.assertEqual(follower.lines(), ["two"])
        self.assertEqual(follower.rest(), ["rest"])
        self.assertEqual(follower.rest(), [])

    def test_events(self) -> None:
        self.assertEqual(parse_event("12.5 stage guest probe"), Event(12.5, "stage", "guest probe"))
        self.assertEqual(parse_event("12.5 done"), Event(12.5, "done", ""))
        self.assertIsNone(parse_event("garbage"))
        self.assertIsNone(parse_event("not an event"))

    def test_outcome(self) -> None:
        self.assertEqual(Outcome(exits={"L1": 0}).exit_code, 0)
        self.assertEqual(Outcome(exits={"L1": 0, "L2-1": 2}).exit_code, 1)
        self.assertEqual(Outcome(findings=[Finding("L1", ("BUG: x",))]).exit_code, 1)
        failed = Outcome(exits={"L1": 0}, failures=["L1: stage 'boot' stalled"], stages=[("L1", "boot", 1.5)])
        self.assertEqual(failed.exit_code, 3)
        failed.store(self.folder / "result.json")
        stored = json.loads((self.folder / "result.json").read_text())
        self.assertEqual(stored["stages"], [{"lane": "L1", "stage": "boot", "seconds": 1.5}])
        self.assertEqual(stored["exit_code"], 3)


class Summary(Folder):
    def test_checks_of_a_script(self) -> None:
        text = "gemtest 1\nPASS blit/bcs0 12.5\nFAIL store-dword/rcs0 wrong value 0x0\nSKIP predicate no\nMETRIC x 1 s\nPASSED\n"
        expected = [
            ("L2-1", "blit/bcs0", "PASS 12.5"),
            ("L2-1", "store-dword/rcs0", "FAIL wrong value 0x0"),
            ("L2-1", "predicate", "SKIP no"),
        ]
        self.assertEqual(rows_of_script("L2-1", text), expected)

    def test_whole_run(self) -> None:
        self.assertIn("no result", rows_of_run(self.folder, [])[-1][2])
        (self.folder / "l2-1.out").write_text("PASS a\n")
        outcome = Outcome(exits={"L2-1": 1}, findings=[Finding("L1", ("------[ cut here ]------", "WARNING: x"))])
        outcome.failures.append("L1: broken")
        outcome.stages.append(("L1", "boot", 2.0))
        outcome.store(self.folder / "result.json")
        rows = rows_of_run(self.folder, [("L2-1", "l2-1.out")])
        self.assertEqual([row[2] for row in rows], ["PASS", "FAIL exit code 1", "FAIL WARNING: x", "FAIL L1: broken", "2.0 s"])

    def test_columns(self) -> None:
        self.assertEqual(table([("a", "bb"), ("ccc", "d")]), "  a    bb\n  ccc  d")
        self.assertEqual(table([]), "")


class Processes(Folder):
    def gone(self, process: int) -> bool:
        """Whether a process ended; one that only waits to be collected counts as ended."""
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], stdout=subprocess.PIPE, text=True, check=False)
        return state.stdout.strip()[:1] in ("", "Z")

    def test_grandchildren_are_ended_too(self) -> None:
        numbers = self.folder / "numbers"
        script = f"sleep 600 & echo $! >>{numbers}; echo $$ >>{numbers}; wait"
        with self.assertRaises(KeyboardInterrupt), Children() as children:
            children.start("shell", ["sh", "-c", script], self.folder / "log")
            deadline = time.monotonic() + 10
            while len(numbers.read_text().split() if numbers.exists() else []) < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            raise KeyboardInterrupt
        processes = [int(number) for number in numbers.read_text().split()]
        self.assertEqual(len(processes), 2)
        for process in processes:
            self.assertTrue(self.gone(process), f"process {process} is still there")

    def test_a_child_that_ignores_the_request_is_killed(self) -> None:
        ready = self.folder / "ready"
        with Children() as children:
            child = children.start("stubborn", ["sh", "-c", f"trap '' TERM; touch {ready}; sleep 600"], None)
            while not ready.exists():
                time.sleep(0.01)
            begin = time.monotonic()
            child.end(grace=0.2)
        self.assertLess(time.monotonic() - begin, 3)
        self.assertIsNotNone(child.status)

    def test_children_die_when_the_rig_is_killed(self) -> None:
        code = (
            "import sys, time; from pathlib import Path; from rig.process import Children\n"
            "c = Children(); c.start('x', ['sh', '-c', 'echo $$ >number; exec sleep 600'], Path('log')); time.sleep(600)"
        )
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent)}
        rig = subprocess.Popen([sys.executable, "-c", code], cwd=self.folder, env=environment)
        number = self.folder / "number"
        while not (number.exists() and number.read_text().strip()):
            time.sleep(0.01)
        rig.kill()
        rig.wait()
        deadline = time.monotonic() + 5
        while not self.gone(int(number.read_text())) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertTrue(self.gone(int(number.read_text())))


if __name__ == "__main__":
    unittest.main()
