# SPDX-License-Identifier: GPL-2.0
"""The same suites under `cargo test`: what ran there, and where that differs from what KUnit ran."""

import re
from collections import defaultdict
from collections.abc import Iterable

from .results import Suite

_TEST = re.compile(r"^test (?:\w+::)*(\w+)::(\w+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)\b", re.MULTILINE)
# Suites of rust/kunit.rs: they test the kernel's objects, which user space does not have.
_KERNEL_ONLY = "gvt_kapi_"
_VERDICTS = {"ok": "PASS", "FAILED": "FAIL", "ignored": "SKIP"}


def tests_of(output: str) -> dict[str, dict[str, str]]:
    """Verdicts by suite and test. The innermost module is the suite, as tests/host/kunit-macro sees to."""
    suites: dict[str, dict[str, str]] = defaultdict(dict)
    for suite, test, verdict in _TEST.findall(output):
        suites[suite][test] = _VERDICTS[verdict]
    return dict(suites)


def differences(kunit: Iterable[Suite], cargo: dict[str, dict[str, str]]) -> list[str]:
    """A sentence for each suite that did not run alike. A test that one side skips may be missing on the other."""
    # What stands in parentheses is no suite, but what the kernel or the parser had to say.
    by_kunit = {suite.name: dict(suite.tests) for suite in kunit if not suite.name.startswith(("(", _KERNEL_ONLY))}
    found = []
    for name in sorted(by_kunit.keys() | cargo.keys()):
        ours, theirs = _ran(by_kunit.get(name, {})), _ran(cargo.get(name, {}))
        if ours == theirs:
            continue
        parts = [f"{name}: KUnit ran {len(ours)} tests, cargo {len(theirs)}"]
        parts += [f"only KUnit: {', '.join(sorted(ours.keys() - theirs.keys()))}"] if ours.keys() - theirs.keys() else []
        parts += [f"only cargo: {', '.join(sorted(theirs.keys() - ours.keys()))}"] if theirs.keys() - ours.keys() else []
        unlike = sorted(test for test in ours.keys() & theirs.keys() if ours[test] != theirs[test])
        parts += [f"{test}: {ours[test]} under KUnit, {theirs[test]} under cargo" for test in unlike]
        found.append("; ".join(parts))
    return found


def _ran(tests: dict[str, str]) -> dict[str, str]:
    return {test: verdict for test, verdict in tests.items() if verdict != "SKIP"}
