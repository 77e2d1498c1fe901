# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # shared variables are set by setup and lib.sh
#
# The Debian root: made with mmdebstrap, or brought up to a changed package list. Sourced by `setup`.

# Raise this when the way the root is made changes, not only what is in it.
root_recipe=1

root_packages() {
	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' -- "$setup_dir/packages.txt" | sort -u
}

root_stamp() {
	{
		echo "recipe $root_recipe"
		root_packages
	} | sha256sum | cut -d ' ' -f 1
}

root_is_ready() {
	[[ -x $KVMGT_CACHE/root/usr/bin/env && $(cat -- "$KVMGT_CACHE/root.stamp" 2>/dev/null) == "$(root_stamp)" ]]
}

# installed_version PACKAGE...: the versions dpkg has on record in the root, read without entering it.
installed_version() {
	awk -v wanted=" $* " '
		/^Package: / { name = $2 }
		/^Version: / && index(wanted, " " name " ") { print name, $2 }
	' "$KVMGT_CACHE/root/var/lib/dpkg/status"
}

# The keyring has the same path on the host and in the root.
apt_sources() {
	local components="main non-free-firmware" pocket
	for pocket in "$suite" "$suite-updates" "$suite-backports"; do
		echo "deb [signed-by=$host_keyring] $mirror $pocket $components"
	done
}

# QEMU with vfio-user is in backports only, and its parts must be of one version: a pin by source package
# brings all of them, where naming packages would miss their dependencies.
apt_preferences() {
	printf 'Package: %s\nPin: release n=%s-backports\nPin-Priority: 600\n\n' \
		src:qemu "$suite" src:seabios "$suite"
}

stage_root() {
	if [[ -x $KVMGT_CACHE/root/usr/bin/env ]]; then
		update_root
	else
		make_root
	fi
	root_stamp >"$KVMGT_CACHE/root.stamp"
	rm -rf -- "$KVMGT_CACHE/root.debs"
}

# An existing root is a whole one (it gets its name last), so it only lacks packages. What another list once
# brought stays installed.
update_root() {
	local packages
	mapfile -t packages < <(root_packages)
	note "root: bringing the existing root up to the package list (${#packages[@]} packages)"
	apt_sources >"$KVMGT_CACHE/root.sources"
	apt_preferences >"$KVMGT_CACHE/root.preferences"
	# The host's certificates are not laid over the root's here: dpkg could not replace that file.
	# shellcheck disable=SC2016 # for the shell inside
	KVMGT_OWN_CERTIFICATES=1 DEBIAN_FRONTEND=noninteractive "$setup_dir/enter" bash -euc '
		cache=$1
		shift
		mkdir -p /etc/apt/preferences.d
		cp "$cache/root.sources" /etc/apt/sources.list
		cp "$cache/root.preferences" /etc/apt/preferences.d/testbed
		dpkg --configure -a
		apt-get -o APT::Update::Error-Mode=any update
		apt-get install -y --no-install-recommends "$@"
		apt-get clean
	' update "$KVMGT_CACHE" "${packages[@]}"
	rm -f -- "$KVMGT_CACHE/root.sources" "$KVMGT_CACHE/root.preferences"
}

make_root() {
	local packages sources
	packages=$(root_packages | paste -sd ,)
	note "root: making a Debian $suite root ($(root_packages | wc -l) packages and what they depend on)"
	export KVMGT_DEBS=$KVMGT_CACHE/root.debs
	apt_preferences >"$KVMGT_CACHE/root.preferences"
	export KVMGT_PREFERENCES=$KVMGT_CACHE/root.preferences
	mkdir -p -- "$KVMGT_DEBS"
	# A root that was interrupted is thrown away, but not the packages it had fetched: they lie in a folder
	# of their own that is only mounted into it. Both this mount and mmdebstrap's own ones are made in a
	# namespace and end with it, whatever ends it, so what is removed here is never a mount.
	unshare "${namespace[@]}" -- rm -rf --one-file-system -- "$KVMGT_CACHE/root.partial"
	mapfile -t sources < <(apt_sources)
	# Not forced to disk package by package: a root that a crash caught in the making is made again.
	# shellcheck disable=SC2016 # the hooks are for mmdebstrap's shell
	unshare "${namespace[@]}" -- mmdebstrap --mode=root --variant=apt --format=directory \
		--aptopt='Acquire::Retries "3"' \
		--aptopt='Acquire::Languages "none"' \
		--aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='force-unsafe-io' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--skip=download/empty,essential/unlink \
		--setup-hook='mkdir -p "$1/var/cache/apt/archives" "$1/etc/apt/preferences.d"' \
		--setup-hook='cp "$KVMGT_PREFERENCES" "$1/etc/apt/preferences.d/testbed"' \
		--setup-hook='mount --bind "$KVMGT_DEBS" "$1/var/cache/apt/archives"' \
		--customize-hook='umount "$1/var/cache/apt/archives"' \
		--include="$packages" "$suite" "$KVMGT_CACHE/root.partial" "${sources[@]}"
	mv -T -- "$KVMGT_CACHE/root.partial" "$KVMGT_CACHE/root"
	rm -f -- "$KVMGT_PREFERENCES"
}
