# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # shared variables are set by setup and lib.sh
#
# The copy of QEMU on which the outer virtual machine runs: without bugs of its nested SVM that freeze inner
# guests (Documentation/testing.rst tells them). Sourced by `setup`.

qemu_stamp() {
	{
		installed_version qemu-system-x86
		cat -- "$setup_dir"/qemu-cure/Cargo.toml "$setup_dir"/qemu-cure/src/*.rs
	} | sha256sum | cut -d ' ' -f 1
}

qemu_is_ready() {
	[[ -x $KVMGT_CACHE/qemu/qemu-system-x86_64 && $(cat -- "$KVMGT_CACHE/qemu/stamp" 2>/dev/null) == "$(qemu_stamp)" ]]
}

# stage_qemu: builds the tool and runs it. When it refuses (exit code 3: not exactly one such store), the
# copy is QEMU as it is, and a note says so beside it and on the screen.
stage_qemu() {
	local qemu=$KVMGT_CACHE/qemu tool=$repo_dir/build/target/release/qemu-cure code=0
	mkdir -p -- "$qemu"
	note "qemu: building the tool that cures QEMU's nested SVM"
	in_root cargo build --release --locked --manifest-path "$repo_dir/tests/Cargo.toml" -p qemu-cure
	in_root "$tool" --input /usr/bin/qemu-system-x86_64 --output "$qemu/qemu-system-x86_64" \
		2>"$qemu/message" || code=$?
	cat -- "$qemu/message"
	case $code in
	0) rm -f -- "$qemu/UNCURED" ;;
	3)
		mv -- "$qemu/message" "$qemu/UNCURED"
		in_root cp -- /usr/bin/qemu-system-x86_64 "$qemu/qemu-system-x86_64.partial"
		mv -- "$qemu/qemu-system-x86_64.partial" "$qemu/qemu-system-x86_64"
		note "qemu: NOT cured, inner guests can freeze: $(tail -n 1 -- "$qemu/UNCURED")"
		;;
	*) fail "qemu-cure ended with exit code $code: $(tail -n 1 -- "$qemu/message")" "see the log" ;;
	esac
	rm -f -- "$qemu/message"
	qemu_stamp >"$qemu/stamp"
}
