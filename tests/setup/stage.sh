# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # shared variables are set by setup and lib.sh
#
# Stages: a stage is a shell function that runs in the background with a log of its own. This file starts
# them, tells how far they are, and says what went wrong. Sourced by `setup`.
#
# File descriptor 3 is the user's screen; a stage's standard output and error are its log.

declare -A stage_pid=() stage_began=()

# note TEXT: one line for the user, with the time since set-up began.
note() {
	printf '[%4d s] %s\n' "$SECONDS" "$*" >&3
}

# fail CAUSE [CURE]: ends the stage that calls it, with this as the explanation.
fail() {
	printf '%s\n' "$@" >"$log_dir/$stage_name.cause"
	exit 1
}

# start_stage NAME FUNCTION: runs FUNCTION in the background, in a process group of its own so that all it
# started can be ended together.
start_stage() {
	local name=$1 function=$2
	rm -f -- "$log_dir/$name.cause"
	stage_began[$name]=$SECONDS
	set -m
	(
		set +m
		trap - INT TERM EXIT
		set -euo pipefail
		stage_name=$name
		"$function"
	) </dev/null >"$log_dir/$name.log" 2>&1 &
	stage_pid[$name]=$!
	set +m
}

# await_stages NAME...: waits for all of them. Tells the end of each, and each 30 s what the others are at.
# The first one that fails ends the others and the set-up.
await_stages() {
	local waiting=("$@") left name code told=$SECONDS
	while ((${#waiting[@]} > 0)); do
		left=()
		for name in "${waiting[@]}"; do
			if kill -0 "${stage_pid[$name]}" 2>/dev/null; then
				left+=("$name")
				continue
			fi
			code=0
			wait "${stage_pid[$name]}" || code=$?
			unset "stage_pid[$name]"
			if ((code != 0)); then
				end_stages
				explain_failure "$name" "$code"
				exit 1
			fi
			note "$name: done after $((SECONDS - stage_began[$name])) s"
		done
		waiting=(${left[@]+"${left[@]}"})
		if ((${#waiting[@]} > 0)); then
			if ((SECONDS - told >= 30)); then
				told=$SECONDS
				for name in "${waiting[@]}"; do
					note "$name: at work for $((SECONDS - stage_began[$name])) s$(last_line "$name")"
				done
			fi
			sleep 0.2
		fi
	done
}

# end_stages: ends every stage still running, and waits until it is gone.
end_stages() {
	local name
	for name in "${!stage_pid[@]}"; do
		kill -TERM -- "-${stage_pid[$name]}" 2>/dev/null || true
	done
	for name in "${!stage_pid[@]}"; do
		wait "${stage_pid[$name]}" 2>/dev/null || true
		kill -KILL -- "-${stage_pid[$name]}" 2>/dev/null || true
	done
	stage_pid=()
}

# last_line NAME: what a stage last said in its log, to put behind a line; nothing if it said nothing.
last_line() {
	tail -n 1 -- "$log_dir/$1.log" 2>/dev/null | tr '\r\t' '  ' | cut -c 1-80 | sed 's/^ */, /'
}

# explain_failure NAME CODE: stage, cause, log.
explain_failure() {
	local name=$1 code=$2 log=$log_dir/$1.log cause=$log_dir/$1.cause
	{
		printf '\nset-up failed in stage "%s" after %s s (exit code %s)\n' \
			"$name" "$((SECONDS - stage_began[$name]))" "$code"
		if [[ -s $cause ]]; then
			sed -e '1s/^/  cause: /' -e '2,$s/^/  cure:  /' -- "$cause"
		else
			guess_cause "$log"
			echo '  last lines of the log:'
			tail -n 5 -- "$log" | awk '{ print "    " $0 }'
		fi
		echo "  log:   $log"
	} >&2
}

# guess_cause LOG: what apt, tar, make and cargo say when the trouble is not theirs.
guess_cause() {
	local cause cure
	if grep -q 'No space left on device' -- "$1"; then
		cause="the disk that holds $KVMGT_CACHE is full ($(df -h --output=avail -- "$KVMGT_CACHE" | tail -n 1 | tr -d ' ') left)"
		cure="make room, or set KVMGT_CACHE to a folder on a larger disk; then call again"
	elif grep -qE 'Could not resolve|Temporary failure|Unable to connect|Could not connect|Connection (failed|refused|timed out)|Network is unreachable|Could not resolve host|Couldn.t connect' -- "$1"; then
		cause="a server cannot be reached ($(grep -ohE "(Could not|Unable to|Failed to|Couldn't) (resolve|connect)[^(]*" -- "$1" | head -n 1))"
		cure="check the network, and http_proxy where it takes one; then call again, what was fetched stays"
	elif grep -qE 'NO_PUBKEY|not signed|EXPKEYSIG' -- "$1"; then
		cause="the package lists' signatures cannot be checked with this host's keys"
		cure="apt-get install debian-archive-keyring (2023.3+deb12u1 or newer)"
	elif grep -qE 'Hash Sum mismatch|404  *Not Found|File has unexpected size' -- "$1"; then
		cause="the mirror changed while it was being read"
		cure="call again"
	else
		return 0
	fi
	printf '  cause: %s\n  cure:  %s\n' "$cause" "$cure"
}
