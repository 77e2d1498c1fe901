# SPDX-License-Identifier: GPL-2.0
"""Kbuild's .cmd files, and rust-analyzer's project made of them."""

import tempfile
import unittest
from pathlib import Path

from kbuild import Compiled, crate_of, crates_below
from project import outside, with_crates

_DRIVER = (
    "savedcmd_src/gvt.o := OBJTREE=/k RUST_MODFILE=./kvmgt rustc --edition=2021 -Zcrate-attr='feature(a,b)' "
    "--extern gvt_kapi --extern kernel @/k/rustc_cfg -L /k/rust/ --out-dir src/ --emit=dep-info=src/.gvt.o.d "
    "--emit=obj=src/gvt.o /r/src/gvt.rs  ; ./objtool --orc src/gvt.o\n\nsource_src/gvt.o := /r/src/gvt.rs\n"
)
_KAPI = "savedcmd_rust/gvt_kapi.o := clippy-driver --extern kernel --emit=metadata=./x.rmeta /r/rust/gvt_kapi.rs\n"
_C = "savedcmd_helpers/misc.o := gcc-14 -DMODULE -c -o helpers/misc.o /r/helpers/misc.c\n"


class CmdFiles(unittest.TestCase):
    """What is read from them."""

    def test_driver(self) -> None:
        crate = crate_of(_DRIVER)
        self.assertEqual((crate.name, crate.root), ("gvt", Path("/r/src/gvt.rs")))
        self.assertEqual(crate.environment, {"OBJTREE": "/k", "RUST_MODFILE": "./kvmgt"})
        self.assertEqual(crate.externs, ["gvt_kapi", "kernel"])
        self.assertIn("-Zcrate-attr=feature(a,b)", crate.arguments)
        left_out = {"--out-dir", "src/", ";", "./objtool", "/r/src/gvt.rs"}
        self.assertFalse(left_out & set(crate.arguments))
        self.assertFalse([argument for argument in crate.arguments if argument.startswith("--emit")])

    def test_c_is_no_crate(self) -> None:
        self.assertIsNone(crate_of(_C))
        self.assertIsNone(crate_of(""))

    def test_each_crate_after_those_that_it_sees(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("a/.gvt.o.cmd", _DRIVER), ("b/.gvt_kapi.o.cmd", _KAPI), (".misc.o.cmd", _C)):
                path = Path(folder) / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
            self.assertEqual([crate.name for crate in crates_below(Path(folder))], ["gvt_kapi", "gvt"])


class Project(unittest.TestCase):
    """rust-analyzer's project."""

    def _project(self, *extra: dict) -> dict:
        core = {"display_name": "core", "root_module": "/usr/lib/core.rs"}
        kernel = {"display_name": "kernel", "root_module": "/k/rust/kernel/lib.rs", "cfg": ["CONFIG_X"], "edition": "2021"}
        return {"crates": [core, kernel, *extra], "sysroot": "/usr"}

    def test_crates_see_each_other(self) -> None:
        probe = {"display_name": "probe", "root_module": "/r/probe.rs"}
        kapi = Compiled("gvt_kapi", Path("/r/rust/gvt_kapi.rs"), {}, ["--extern", "kernel"])
        gvt = Compiled("gvt", Path("/r/src/gvt.rs"), {"OBJTREE": "/k"}, ["--extern", "gvt_kapi", "--extern", "kernel"])
        crates = with_crates(self._project(probe), Path("/r"), [kapi, gvt], {"GVT_OBJ": "/r/build"})["crates"]
        self.assertEqual([crate["display_name"] for crate in crates], ["core", "kernel", "gvt_kapi", "gvt"])
        seen = [(crates[dep["crate"]]["display_name"], dep["name"]) for dep in crates[3]["deps"]]
        self.assertEqual(seen, [("core", "core"), ("gvt_kapi", "gvt_kapi"), ("kernel", "kernel")])
        self.assertEqual(crates[3]["env"], {"OBJTREE": "/k", "GVT_OBJ": "/r/build"})
        self.assertEqual(crates[3]["cfg"], ["CONFIG_X", "MODULE"])

    def test_indices_that_would_move_are_noticed(self) -> None:
        project = self._project()
        project["crates"].insert(0, {"display_name": "probe", "root_module": "/r/probe.rs"})
        with self.assertRaisesRegex(ValueError, "indices"):
            with_crates(project, Path("/r"), [], {})

    def test_paths_of_the_root(self) -> None:
        found = outside({"a": ["/usr/lib/x", "/k/usr/y", "/usrlocal"], "sysroot": "/usr"}, Path("/c/root"))
        self.assertEqual(found, {"a": ["/c/root/usr/lib/x", "/k/usr/y", "/usrlocal"], "sysroot": "/c/root/usr"})


if __name__ == "__main__":
    unittest.main()
