# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # shared variables are set by setup and lib.sh
#
# A user-mode kernel with Rust and KUnit, of the same source as the stock kernel: the suites of tests/kunit run in
# it as a process, within a second. Made only when asked for (`setup --uml`). Sourced by `setup`.
#
# In $kernel_dir/uml: source/, build/ (the kernel is build/linux), source-version (what source/ is of), stamp.

# Raise this when the way the kernel is made changes.
uml_recipe=1
kunit_config=$repo_dir/kconfig/kunitconfig

uml_stamp() {
	stamp_of "uml $uml_recipe" "$series" "$(kernel_version)" "$(installed_version rustc gcc-14 bindgen)" \
		"$(settings_asked "$kunit_config")"
}

uml_is_ready() {
	[[ -x $kernel_dir/uml/build/linux && $(cat -- "$kernel_dir/uml/stamp" 2>/dev/null) == "$(uml_stamp)" ]]
}

# settings_asked FILE: the lines of a configuration without its comments; "is not set" looks like one, but says
# something.
settings_asked() {
	grep -E '^CONFIG_|^# CONFIG_[A-Z0-9_]+ is not set$' -- "$1"
}

# refuse_dropped ASKED GOT: Kconfig drops without a word what depends on something that is off.
refuse_dropped() {
	local dropped
	dropped=$(settings_asked "$1" | grep -vxF -f "$2" || true)
	if [[ -n $dropped ]]; then
		fail "linux $(kernel_version) does not take these lines of ${1##*/}: $(xargs <<<"$dropped")" \
			"see what they depend on; for CONFIG_RUST: make -C $kernel_dir/uml/source rustavailable"
	fi
}

# A clean copy of the source, for this stage and for that of debug.sh.
need_source() {
	if [[ $(cat -- "$kernel_dir/uml/source-version" 2>/dev/null) != "$(kernel_version)" ]]; then
		link_source
	fi
}

# link_source: tree/ is prepared in place, and Kbuild refuses to build elsewhere from such a tree. So the kernel gets
# one of its own, without what preparing made: hard links to those files of tree/ that are in the package.
link_source() {
	local uml=$kernel_dir/uml
	rm -rf -- "$uml/source" "$uml/build" "$uml/source-version"
	mkdir -p -- "$uml/source"
	dpkg-deb --fsys-tarfile "$(deb_of "linux-source-$series")" |
		tar -xO "./usr/src/linux-source-$series.tar.xz" |
		xz -dc -T0 |
		tar -t |
		sed -n -e '/\/$/d' -e 's,^[^/]*/,,p' >"$uml/files"
	cd -- "$kernel_dir/tree" || exit 1
	in_root cpio --quiet --pass-through --link --make-directories "$uml/source" <"$uml/files"
	rm -f -- "$uml/files"
	kernel_version >"$uml/source-version"
}

stage_uml() {
	local uml=$kernel_dir/uml make
	note "uml: building a user-mode kernel with Rust and KUnit"
	mkdir -p -- "$uml"
	rm -f -- "$uml/stamp"
	need_source
	cd -- "$uml" || exit 1
	mkdir -p -- build
	make=(make -C source ARCH=um "O=$uml/build" "${kernel_make[@]}")
	in_root env "KCONFIG_ALLCONFIG=$kunit_config" "${make[@]}" allnoconfig
	refuse_dropped "$kunit_config" build/.config
	# The other stages are waited for by more people than this one.
	nice -n 5 "$setup_dir/enter" "${make[@]}" "-j$(nproc)"
	uml_stamp >"$uml/stamp"
}
