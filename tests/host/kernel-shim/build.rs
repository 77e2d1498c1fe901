// SPDX-License-Identifier: GPL-2.0

//! Takes those files of the kernel crate that need no kernel, as they are.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

const FILES: [&str; 5] = ["bitfield.rs", "build_assert.rs", "num.rs", "num/bounded.rs", "num/casts.rs"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=KDIR");
    println!("cargo::rerun-if-env-changed=KVMGT_CACHE");
    println!("cargo::rerun-if-env-changed=KERNEL");
    let source = kernel_tree()?.join("rust/kernel");
    let target = PathBuf::from(env::var("OUT_DIR")?);
    fs::create_dir_all(target.join("num"))?;
    let mut modules = String::new();
    for file in FILES {
        let from = source.join(file);
        println!("cargo::rerun-if-changed={}", from.display());
        fs::copy(&from, target.join(file)).map_err(|error| {
            format!("{}: {error}; run `make setup`, or set KDIR to a kernel source tree", from.display())
        })?;
        if let Some(module) = file.strip_suffix(".rs").filter(|module| !module.contains('/')) {
            modules += &format!("pub mod {module};\n");
        }
    }
    // A file that is named by a path looks for its modules beside it, and they look below their own names.
    fs::write(target.join("files.rs"), modules)?;
    fs::write(
        target.join("include.rs"),
        format!("#[allow(unused_imports)]\n#[path = {:?}]\nmod files;\n", target.join("files.rs")),
    )?;
    Ok(())
}

/// `$KDIR`, or the tree that `make setup` made.
fn kernel_tree() -> Result<PathBuf, Box<dyn Error>> {
    if let Some(tree) = env::var_os("KDIR") {
        return Ok(tree.into());
    }
    let cache = match env::var_os("KVMGT_CACHE") {
        Some(cache) => PathBuf::from(cache),
        None => {
            PathBuf::from(env::var_os("HOME").ok_or("neither KDIR, KVMGT_CACHE nor HOME is set")?).join(".cache/kvmgt")
        }
    };
    let series = env::var("KERNEL").unwrap_or_else(|_| "7.3".into());
    Ok(cache.join("kernel").join(series).join("tree"))
}
