#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The second half of `enter`: already in a private mount namespace, it lays out what the command will see and
# changes root into it. Arguments: the number of additional folders, these folders, the command.
#
# The top level is a tmpfs, not the root's own top folder. So mount points for the repository and the cache
# come and go with the namespace, and the root, which virtual machines also boot from, stays as Debian made it.

set -euo pipefail
# shellcheck source=tests/setup/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

shown=("$repo_dir" "$KVMGT_CACHE")
count=$1
shift
shown+=("${@:1:count}")
shift "$count"

root=$KVMGT_CACHE/root
top=$KVMGT_CACHE/mnt
mkdir -p -- "$top"
mount -t tmpfs -o mode=755 kvmgt-top "$top"

for entry in "$root"/*; do
	name=${entry##*/}
	if [[ -L $entry ]]; then
		cp -P -- "$entry" "$top/$name"
		continue
	fi
	mkdir -p -- "$top/$name"
	case $name in
	usr | etc | var | opt | srv | boot) mount --bind -- "$entry" "$top/$name" ;;
	dev | proc | sys | tmp) mount --rbind -- "/$name" "$top/$name" ;;
	esac
done
mkdir -p -- "$top/run/lock" "$top/root"

for folder in "${shown[@]}"; do
	mkdir -p -- "$top$folder"
	mount --bind -- "$folder" "$top$folder"
done

# Names are resolved as on the host, and its certificates are trusted: a host behind a proxy that
# re-signs has that proxy's certificate in its own bundle only.
lay_file() {
	if [[ ! -e $2 ]]; then
		mkdir -p -- "${2%/*}"
		: >"$2"
	fi
	mount --bind -- "$1" "$2"
}
if [[ -e /etc/resolv.conf ]]; then
	if [[ -L $top/etc/resolv.conf ]]; then
		rm -f -- "$top/etc/resolv.conf"
	fi
	lay_file "$(realpath -- /etc/resolv.conf)" "$top/etc/resolv.conf"
fi
bundle=/etc/ssl/certs/ca-certificates.crt
if [[ -z ${KVMGT_OWN_CERTIFICATES:-} ]]; then
	for file in "${SSL_CERT_FILE:-}" "${CURL_CA_BUNDLE:-}" "$bundle"; do
		if [[ -n $file && -f $file ]]; then
			lay_file "$(realpath -- "$file")" "$top$bundle"
			break
		fi
	done
fi

if [[ ! -d $top$PWD ]]; then
	say_error "the folder $PWD cannot be seen from inside the root" \
		"call from the repository, the cache or /tmp, or give --bind $PWD"
	exit 1
fi

# What tells the host's programs where their things are is wrong inside.
unset SSL_CERT_DIR LD_LIBRARY_PATH LD_PRELOAD RUSTUP_HOME RUSTUP_TOOLCHAIN RUSTC RUSTC_WRAPPER \
	PYTHONHOME PYTHONPATH
export HOME=/root USER=root LOGNAME=root SHELL=/bin/bash LC_ALL=C.UTF-8 TMPDIR=/tmp
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export SSL_CERT_FILE=$bundle CURL_CA_BUNDLE=$bundle CARGO_HTTP_CAINFO=$bundle
export CARGO_HOME=$KVMGT_CACHE/cargo CARGO_TARGET_DIR=$repo_dir/build/target
export KVMGT_INSIDE=1

# env -C: the current folder is looked up after the change of root.
exec chroot "$top" env -C "$PWD" "$@"
