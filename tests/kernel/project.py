# SPDX-License-Identifier: GPL-2.0
"""rust-analyzer's project: the kernel's crates, as its own script lists them, and ours behind them."""

from collections.abc import Iterable
from pathlib import Path

from kbuild import Compiled


def with_crates(project: dict, repository: Path, crates: Iterable[Compiled], environment: dict[str, str]) -> dict:
    """The project with our crates. The kernel's script finds a crate only beside a makefile that names it, and it does not
    know that one of them sees another, so what it found in the repository is replaced."""
    kept = [crate for crate in project["crates"] if not Path(crate["root_module"]).is_relative_to(repository)]
    # Crates refer to each other by index, and the script puts those of the repository last.
    if kept != project["crates"][: len(kept)]:
        raise ValueError("crates of the kernel stand behind those of the repository: their indices would move")
    index = {crate["display_name"]: number for number, crate in enumerate(kept)}
    kernel = kept[index["kernel"]]
    for crate in crates:
        seen = ["core", *crate.externs]
        entry = {
            "display_name": crate.name,
            "root_module": str(crate.root),
            "is_workspace_member": True,
            "deps": [{"crate": index[name], "name": name} for name in seen],
            "cfg": [*kernel["cfg"], "MODULE"],
            "edition": kernel["edition"],
            "env": {**crate.environment, **environment},
        }
        if "GVT_OBJ" in environment:
            folders = [str(crate.root.parent), environment["GVT_OBJ"]]
            entry["source"] = {"include_dirs": folders, "exclude_dirs": []}
        index[crate.name] = len(kept)
        kept.append(entry)
    return {**project, "crates": kept}


def outside(value: object, root: Path) -> object:
    """Paths that were found inside the Debian root, as they are called outside of it: /usr is the root's."""
    if isinstance(value, dict):
        return {key: outside(part, root) for key, part in value.items()}
    if isinstance(value, list):
        return [outside(part, root) for part in value]
    if isinstance(value, str) and (value == "/usr" or value.startswith("/usr/")):
        return f"{root}{value}"
    return value
