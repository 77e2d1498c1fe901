# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # shared variables are set by setup and lib.sh
#
# The stock kernel of one series: found, fetched and unpacked with the host's apt and dpkg-deb, so that it
# need not wait for the root; then prepared for external modules with the root's compilers. Sourced by `setup`.
#
# In $kernel_dir: debs/ (as fetched), version and release (what they are), vmlinuz, modules/, tree/.

# Raise this when the way the tree is prepared changes.
kernel_recipe=1

kernel_packages() {
	local version=$1 release=$2
	printf '%s\n' "linux-source-$series=$version" "linux-config-$series=$version" \
		"linux-base-$release=$version" "linux-binary-$release=$version" \
		"linux-modules-$release=$version" "linux-headers-$release=$version"
}

kernel_release() { cat -- "$kernel_dir/release" 2>/dev/null; }
kernel_version() { cat -- "$kernel_dir/version" 2>/dev/null; }

# stamp_of TEXT...: the hash that a stamp file holds.
stamp_of() {
	printf '%s\n' "recipe $kernel_recipe" "$@" | sha256sum | cut -d ' ' -f 1
}

modules_stamp() { stamp_of "$series" "$(kernel_version)" "$(kernel_release)"; }

# The tree holds Rust metadata and programs made by the root's compilers: others need another tree.
tree_stamp() {
	stamp_of "$series" "$(kernel_version)" "$(kernel_release)" \
		"$(installed_version rustc gcc-14 bindgen pahole)"
}

# The version that tree/ or tree.partial/ was unpacked from.
unpacked_version() { cat -- "$kernel_dir/$1/unpacked-version" 2>/dev/null; }

# Image and modules are there, but kmod's indices need not be.
modules_are_unpacked() {
	[[ -s $kernel_dir/vmlinuz && -n $(kernel_release) && -d $kernel_dir/modules/lib/modules/$(kernel_release) ]]
}

kernel_is_unpacked() {
	modules_are_unpacked && [[ $(unpacked_version tree) == "$(kernel_version)" ]]
}

modules_are_ready() {
	modules_are_unpacked && [[ $(cat -- "$kernel_dir/modules.stamp" 2>/dev/null) == "$(modules_stamp)" ]]
}

tree_is_ready() {
	[[ -s $kernel_dir/tree/Module.symvers && $(cat -- "$kernel_dir/tree.stamp" 2>/dev/null) == "$(tree_stamp)" ]]
}

# An apt of our own: the host's lists need not know backports, and need not be root's to read.
prepare_apt() {
	local apt=$KVMGT_CACHE/apt
	mkdir -p -- "$apt/etc/apt" "$apt/var/lib/apt/lists/partial" "$apt/var/cache/apt/archives/partial"
	echo "deb [signed-by=$host_keyring] $mirror $suite-backports main" >"$apt/etc/apt/sources.list"
	cat >"$apt/apt.conf" <<-CONF
		Dir "$apt";
		Dir::State "var/lib/apt";
		Dir::State::status "/dev/null";
		Dir::Cache "var/cache/apt";
		Dir::Etc::parts "/dev/null";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; };
		APT::Sandbox::User "";
		APT::Update::Error-Mode "any";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Acquire::http::Timeout "20";
	CONF
}

own_apt() {
	APT_CONFIG=$KVMGT_CACHE/apt/apt.conf "$@"
}

# stage_lists: what backports offers of this series. The newest source that has a stock image of the same
# version wins: the signed image can be a day later than the source. `found` is read after this stage.
stage_lists() {
	local version image release
	prepare_apt
	own_apt apt-get update
	while read -r version; do
		for image in $(own_apt apt-cache pkgnames "linux-image-$series."); do
			release=${image#linux-image-}
			# Flavours (cloud, rt) and debug symbols have a dash more.
			if [[ $release =~ ^[0-9.]+\+[a-z0-9.]+-amd64$ ]] && has_version "$image" "$version"; then
				printf '%s %s\n' "$version" "$release" >"$kernel_dir/found"
				return 0
			fi
		done
	done < <(versions_of "linux-source-$series")
	fail "$suite-backports on $mirror has no linux-source-$series with a stock amd64 kernel of the same version" \
		"choose a series it has: $(own_apt apt-cache pkgnames linux-source- | grep -oE '[0-9]+\.[0-9]+$' | sort -V | xargs)"
}

# versions_of PACKAGE: newest first, as apt orders them.
versions_of() {
	own_apt apt-cache madison "$1" | awk -F '|' '$3 ~ /Packages/ { gsub(/ /, "", $2); print $2 }'
}

has_version() {
	versions_of "$1" | grep -qxF -- "$2"
}

# stage_kernel: fetches the packages; unpacks image, modules and source, as far as they are not there.
stage_kernel() {
	local version release same=
	read -r version release <"$kernel_dir/found"
	[[ "$(kernel_version) $(kernel_release)" != "$version $release" ]] || same=yes
	mkdir -p -- "$kernel_dir/debs"
	note "kernel: fetching linux $version"
	fetch_debs "$version" "$release"
	if [[ -z $same ]] || ! modules_are_unpacked; then
		unpack_modules "$release"
	fi
	unpack_source "$version"
	# All of the new version is there: only now it takes the place of an old one.
	if [[ -d $kernel_dir/modules.partial ]]; then
		rm -f -- "$kernel_dir/modules.stamp"
		rm -rf -- "$kernel_dir/modules"
		mv -T -- "$kernel_dir/modules.partial/vmlinuz" "$kernel_dir/vmlinuz"
		mv -T -- "$kernel_dir/modules.partial" "$kernel_dir/modules"
	fi
	if [[ -d $kernel_dir/tree.partial ]]; then
		rm -f -- "$kernel_dir/tree.stamp"
		rm -rf -- "$kernel_dir/tree"
		mv -T -- "$kernel_dir/tree.partial" "$kernel_dir/tree"
	fi
	echo "$version" >"$kernel_dir/version"
	echo "$release" >"$kernel_dir/release"
}

# unpack_modules RELEASE: into modules.partial, with the image beside lib/.
unpack_modules() {
	local release=$1 name unpacked=$kernel_dir/modules.unpacking
	note "kernel: unpacking the image and the modules of $release"
	rm -rf -- "$unpacked" "$kernel_dir/modules.partial"
	mkdir -p -- "$unpacked"
	for name in base binary modules; do
		dpkg-deb -x "$(deb_of "linux-$name-$release")" "$unpacked"
	done
	mv -- "$unpacked/usr/lib" "$unpacked/lib"
	rm -rf -- "${unpacked:?}/usr"
	mv -- "$unpacked/lib/modules/$release/vmlinuz" "$unpacked/vmlinuz"
	mv -T -- "$unpacked" "$kernel_dir/modules.partial"
}

# deb_of PACKAGE: the file it was fetched as.
deb_of() {
	find "$kernel_dir/debs" -name "$1_*.deb" -print -quit
}

# fetch_debs VERSION RELEASE: those that are there in full are kept, others of an older version go.
fetch_debs() {
	local wanted uris file size
	mapfile -t wanted < <(kernel_packages "$1" "$2")
	uris=$(own_apt apt-get --print-uris download "${wanted[@]}" | grep "^'")
	cd -- "$kernel_dir/debs" || exit 1
	for file in *.deb; do
		if ! grep -qF " $file " <<<"$uris"; then
			rm -f -- "$file"
		fi
	done
	while read -r _ file size _; do
		if [[ ! -e $file || $(stat -c %s -- "$file") != "$size" ]]; then
			own_apt apt-get download "${wanted[@]}"
			break
		fi
	done <<<"$uris"
	cd -- "$repo_dir" || exit 1
}

# unpack_source VERSION: into tree.partial, unless it or tree/ is of that version already.
unpack_source() {
	local unpacked=$kernel_dir/tree.unpacking
	if [[ $(unpacked_version tree) == "$1" || $(unpacked_version tree.partial) == "$1" ]]; then
		return 0
	fi
	note "kernel: unpacking the source"
	rm -rf -- "$unpacked" "$kernel_dir/tree.partial"
	mkdir -p -- "$unpacked"
	dpkg-deb --fsys-tarfile "$(deb_of "linux-source-$series")" |
		tar -xO "./usr/src/linux-source-$series.tar.xz" |
		xz -dc -T0 |
		tar -x --strip-components=1 -C "$unpacked"
	echo "$1" >"$unpacked/unpacked-version"
	mv -T -- "$unpacked" "$kernel_dir/tree.partial"
}

# stage_modules: what kmod needs to find modules; the host need not have kmod.
stage_modules() {
	local release
	release=$(kernel_release)
	in_root depmod -b "$kernel_dir/modules" "$release"
	modules_stamp >"$kernel_dir/modules.stamp"
}

# stage_tree: configuration, generated headers, host programs, Rust metadata, the stock kernel's symbols.
stage_tree() {
	local release version headers="usr/src/linux-headers-"
	release=$(kernel_release)
	note "tree: preparing linux $release for external modules"
	rm -f -- "$kernel_dir/tree.stamp"
	cd -- "$kernel_dir/tree" || exit 1
	dpkg-deb --fsys-tarfile "$(deb_of "linux-config-$series")" |
		tar -xO "./usr/src/linux-config-$series/config.amd64_none_amd64.xz" | xz -dc >.config.partial
	# The suffix goes into the configuration, so that every make in this tree has it and none needs an
	# argument: vermagic must be the stock kernel's to the letter.
	version=$(in_root make -s kernelversion)
	if [[ $release != "$version"* ]]; then
		fail "the source says it is $version, the stock kernel $release" "this is a fault of the packages: report it"
	fi
	in_root scripts/config --file .config.partial --set-str LOCALVERSION "${release#"$version"}"
	if ! cmp -s .config.partial .config.asked; then
		cp -- .config.partial .config.asked
		cp -- .config.partial .config
	fi
	rm -f -- .config.partial
	in_root make "${kernel_make[@]}" olddefconfig
	compare_config "$release"
	in_root make "${kernel_make[@]}" "-j$(nproc)" prepare modules_prepare
	if [[ $(cat -- include/config/kernel.release) != "$release" ]]; then
		fail "the tree calls itself $(cat -- include/config/kernel.release), the stock kernel $release" \
			"remove $kernel_dir/tree and call again; if it stays, report it"
	fi
	dpkg-deb --fsys-tarfile "$(deb_of "linux-headers-$release")" |
		tar -xO "./$headers$release/Module.symvers" >Module.symvers.partial
	mv -- Module.symvers.partial Module.symvers
	tree_stamp >"$kernel_dir/tree.stamp"
}

# compare_config RELEASE: an option that the root's tools cannot do would be dropped silently (Rust, with
# another rustc or bindgen), and a dropped option can change the layout of structures.
compare_config() {
	local stock=$kernel_dir/modules/lib/modules/$1/config differing
	differing=$(diff <(settings "$stock") <(settings .config) | grep '^[<>]' || true)
	if [[ -n $differing ]]; then
		echo "$differing"
		fail "the root's tools do not give the stock kernel's configuration: $(head -n 3 <<<"$differing" | xargs)" \
			"see the log for all differences; compilers of another version than Debian used are the usual reason"
	fi
}

# settings FILE: without the suffix that set-up adds, the compiler's name for itself, and what Debian leaves
# open in its package: the salt of build ids, and how modules are signed when they are installed.
settings() {
	grep -E '^CONFIG_' -- "$1" |
		grep -vE '^CONFIG_(LOCALVERSION|CC_VERSION_TEXT|BUILD_SALT|MODULE_SIG_ALL|MODULE_SIG_KEY|SYSTEM_TRUSTED_KEYS)='
}
