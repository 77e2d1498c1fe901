# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # shared variables are set by setup, lib.sh and uml.sh
#
# A kernel for the host machine with KASAN, lockdep and everything else that finds mistakes (kconfig/debug.config), of
# the same source as the stock kernel. Made only when asked for (`setup --debug`): half an hour on two cores. Sourced
# by `setup`, after uml.sh, whose clean copy of the source it is built from.
#
# In $KVMGT_CACHE/kernel/SERIES-debug: what the rig wants of a kernel (release, vmlinuz, modules/), build/, stamp.

# Raise this when the way the kernel is made changes.
debug_recipe=1
debug_config=$repo_dir/kconfig/debug.config

debug_dir() { echo "$KVMGT_CACHE/kernel/$series-debug"; }

debug_stamp() {
	stamp_of "debug $debug_recipe" "$series" "$(kernel_version)" "$(installed_version rustc clang-19 bindgen)" \
		"$(settings_asked "$debug_config")"
}

debug_is_ready() {
	[[ -s $(debug_dir)/vmlinuz && $(cat -- "$(debug_dir)/stamp" 2>/dev/null) == "$(debug_stamp)" ]]
}

# KASAN needs Clang where Rust is on.
stage_debug() {
	local dir make release
	dir=$(debug_dir)
	note "debug: building a kernel with KASAN and lockdep; this takes half an hour"
	mkdir -p -- "$dir/build"
	rm -f -- "$dir/stamp"
	mkdir -p -- "$kernel_dir/uml"
	need_source
	make=(make -C "$kernel_dir/uml/source" LLVM=1 "O=$dir/build")
	in_root env "KCONFIG_ALLCONFIG=$debug_config" "${make[@]}" allnoconfig
	refuse_dropped "$debug_config" "$dir/build/.config"
	nice -n 5 "$setup_dir/enter" "${make[@]}" "-j$(nproc)" bzImage modules
	release=$(cat -- "$dir/build/include/config/kernel.release")
	rm -rf -- "$dir/modules"
	in_root "${make[@]}" "INSTALL_MOD_PATH=$dir/modules" INSTALL_MOD_STRIP=1 modules_install
	cp -- "$dir/build/arch/x86/boot/bzImage" "$dir/vmlinuz"
	echo "$release" >"$dir/release"
	debug_stamp >"$dir/stamp"
}
