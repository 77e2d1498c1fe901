# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What `setup` and `enter` share: where things are, and how to get the right to mount.
# Sourced, never run.

# The folder of these scripts and the top of the repository, links resolved: both are bound into the
# root at the same path, so they must be the real ones.
setup_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck disable=SC2034 # used by those who source this
repo_dir=$(cd -- "$setup_dir/../.." && pwd -P)

# say_error CAUSE [CURE...]: one line per argument on standard error, under the script's name.
say_error() {
	local line prefix
	prefix="$(basename -- "$0"): "
	for line in "$@"; do
		printf '%s%s\n' "$prefix" "$line" >&2
		prefix="    "
	done
}

# locate_cache: sets and exports KVMGT_CACHE, an absolute path with links resolved.
locate_cache() {
	if [[ -z ${KVMGT_CACHE:-} && -z ${HOME:-} ]]; then
		say_error "neither KVMGT_CACHE nor HOME is set, so there is no place for the cache" \
			"set KVMGT_CACHE to a folder with 10 GB free"
		return 1
	fi
	KVMGT_CACHE=$(realpath -m -- "${KVMGT_CACHE:-$HOME/.cache/kvmgt}")
	export KVMGT_CACHE
}

# choose_namespace: fills the array `namespace` with the unshare(1) options that give the right to
# mount. Root needs a mount namespace only. Anybody else gets a user namespace in which he is root and
# his subordinate ids are 1 and up, so that the root's files keep their owners.
choose_namespace() {
	namespace=(--mount --propagation private)
	if (($(id -u) != 0)); then
		namespace+=(--user --map-root-user --map-auto)
	fi
	if unshare "${namespace[@]}" -- true 2>/dev/null; then
		return 0
	fi
	if (($(id -u) == 0)); then
		say_error "root may not make a mount namespace here (a container without CAP_SYS_ADMIN?)" \
			"run this on the machine itself, or in a container with that capability"
	else
		say_error "you are not root, and user namespaces with subordinate ids do not work here" \
			"run this as root, or allow them: apt-get install uidmap; a line for $(id -un) in" \
			"/etc/subuid and /etc/subgid (usermod --add-subuids 100000-165535 --add-subgids" \
			"100000-165535 $(id -un)); where these exist: sysctl kernel.unprivileged_userns_clone=1" \
			"and sysctl kernel.apparmor_restrict_unprivileged_userns=0"
	fi
	return 1
}
