# SPDX-License-Identifier: GPL-2.0
#
# A thin front of the scripts below tests/. Everything runs inside the root that `make setup` makes.

# Which module drives the virtual GPUs: stock (Debian's kvmgt), as everywhere below tests/.
DRIVER ?= stock
# The kernel series: 7.3, or another one of which trixie-backports has linux-source.
KERNEL ?= 7.3
export KERNEL

in_root := tests/setup/enter
workspace := --manifest-path tests/Cargo.toml

help:
	@echo 'make setup    fetch and make what everything else needs, in ~/.cache/kvmgt (or $$KVMGT_CACHE)'
	@echo 'make demo     a guest with a virtual GPU on the emulated one: blit and store on every engine'
	@echo 'make test     formatting, clippy, unit tests, and the virtual machines as a smoke test'
	@echo 'make fmt      format the sources'
	@echo 'make clippy   lint the sources; a warning is an error'
	@echo 'make host     the device model in user space: its suites, properties, and a soak test'
	@echo 'make bench    what an access costs in the device model'
	@echo 'make fuzz-model   fuzz the device model, a minute for each target; tests/host/fuzz/run does it longer'
	@echo 'make fuzz     throw random scripts at the emulated GPU for a minute; tests/emulator/fuzz/run does it longer'
	@echo 'make doc      the documentation of the crates, in build/target/doc'
	@echo
	@echo 'DRIVER=$(DRIVER)   the module that drives the virtual GPUs in `demo`'
	@echo 'KERNEL=$(KERNEL)     the kernel series'

setup:
	@tests/setup/setup

demo: setup
	@tests/vm/demo --driver $(DRIVER)

# --- the device model in user space ---

host: setup
	@$(in_root) tests/host/run test
	@$(in_root) tests/host/run soak

bench: setup
	@$(in_root) tests/host/run bench

fuzz-model: setup
	@$(in_root) tests/host/fuzz/run all -max_total_time=60

.PHONY: host bench fuzz-model

test: setup
	@tests/test

fmt: setup
	@$(in_root) cargo fmt $(workspace) --all

clippy: setup
	@$(in_root) cargo clippy $(workspace) --all-targets --locked -- -D warnings

fuzz: setup
	@$(in_root) tests/emulator/fuzz/run -max_total_time=60

doc: setup
	@$(in_root) cargo doc $(workspace) --no-deps --locked

.PHONY: help setup demo test fmt clippy fuzz doc
