// SPDX-License-Identifier: GPL-2.0
//! Generates the Rust form of the DRM interfaces from the kernel headers of the build root.

use std::env;
use std::path::PathBuf;
use std::process::{exit, Command};

fn main() {
    println!("cargo::rerun-if-changed=uapi.h");
    println!("cargo::rerun-if-env-changed=RUSTC_WORKSPACE_WRAPPER");
    if env::var_os("RUSTC_WORKSPACE_WRAPPER").is_none() {
        println!(
            "cargo::warning=the tools are linked dynamically and will not start in the guest's initramfs: \
             build inside the repository, where .cargo/config.toml names the wrapper that links them statically"
        );
    }

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("uapi.rs");
    let status = Command::new("bindgen")
        .args(["--with-derive-default", "--no-doc-comments", "--no-prepend-enum-name"])
        .args([
            "--allowlist-type",
            "(drm_i915_(gem|getparam|query|engine_info|reset_stats)|i915_|drm_syncobj|drm_gem_close|drm_version).*",
        ])
        .args(["--allowlist-var", "(I915_|EXEC_OBJECT_|DRM_I915_|__I915_|DRM_SYNCOBJ_).*"])
        .args(["--use-core", "--output"])
        .arg(&out)
        .arg("uapi.h")
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => {
            eprintln!("bindgen ended with {status}: are the kernel headers (linux-libc-dev) installed?");
            exit(1);
        }
        Err(error) => {
            eprintln!("cannot start bindgen ({error}): build inside the root made by `make setup`");
            exit(1);
        }
    }
}
