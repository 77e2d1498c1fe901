# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # shared variables are set by setup and lib.sh
#
# What the host must give: architecture, programs, disk space, the right to mount. Sourced by `setup`.

# Programs, and the Debian packages they come in. Everything else that set-up uses is Essential.
host_programs=(
	mmdebstrap:mmdebstrap
	xz:xz-utils
	flock:util-linux
	unshare:util-linux
	mount:mount
)

# check_architecture: the emulated GPU, the stock kernel and KVM's nested SVM are all x86-64.
check_architecture() {
	local machine
	machine=$(uname -m)
	if [[ $machine != x86_64 ]]; then
		say_error "this machine is $machine; the testbed runs on x86_64 only" \
			"use an x86-64 machine with Debian 12 or 13"
		exit 1
	fi
	if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
		say_error "this host has no apt-get and dpkg-deb; set-up is made for Debian 12 and 13" \
			"use a Debian host, or a Debian container that may make mount namespaces"
		exit 1
	fi
}

# missing_packages: the packages whose programs are not there, one a line.
missing_packages() {
	local entry programs=("${host_programs[@]}")
	if (($(id -u) != 0)); then
		programs+=(newuidmap:uidmap)
	fi
	for entry in "${programs[@]}"; do
		if ! command -v "${entry%%:*}" >/dev/null; then
			echo "${entry#*:}"
		fi
	done
	if [[ ! -e $host_keyring ]]; then
		echo debian-archive-keyring
	fi
}

# stage_host: installs what is missing. Only root can; others are told the line to type.
stage_host() {
	local missing
	mapfile -t missing < <(missing_packages | sort -u)
	if ((${#missing[@]} == 0)); then
		return 0
	fi
	if (($(id -u) != 0)); then
		fail "this host lacks: ${missing[*]}" "as root: apt-get install ${missing[*]}"
	fi
	note "host: installing ${missing[*]}"
	apt-get -o APT::Update::Error-Mode=any update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

# check_space MEGABYTES: before the work, not after ten minutes of it.
check_space() {
	local free
	free=$(($(df --output=avail -B 1M -- "$KVMGT_CACHE" | tail -n 1)))
	if ((free < $1)); then
		say_error "the disk that holds $KVMGT_CACHE has $free MB left; what is still to be made needs $1 MB" \
			"make room, or set KVMGT_CACHE to a folder on a larger disk"
		exit 1
	fi
}
