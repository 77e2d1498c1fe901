# SPDX-License-Identifier: GPL-2.0
#
# A thin front of the scripts below tests/. Everything runs inside the root that `make setup` makes.

# Which module drives the virtual GPUs of the demonstration: ours, or stock (Debian's kvmgt), as everywhere below tests/.
DRIVER ?= ours
# The kernel series: 7.3, or another one of which trixie-backports has linux-source.
KERNEL ?= 7.3
export KERNEL

in_root := tests/setup/enter
workspace := --manifest-path tests/Cargo.toml

help:
	@echo 'make setup    fetch and make what everything else needs, in ~/.cache/kvmgt (or $$KVMGT_CACHE)'
	@echo 'make modules  kvmgt.ko, in build/kmod-$$(KERNEL); KDIR=FOLDER builds it against another kernel tree'
	@echo 'make clean    remove what `make modules` made'
	@echo 'make demo     two guests on one emulated GPU: each draws a picture and shows it, and both are compared'
	@echo 'make test     formatting, clippy, unit tests, and the virtual machines as a smoke test'
	@echo 'make install  put kvmgt.ko into /lib/modules/$$(KREL)/updates (INSTALL_MOD_PATH is honoured); make uninstall undoes it'
	@echo 'make dkms     put the source where DKMS finds it'
	@echo 'make kunit    the suites of the device model under KUnit, in a user-mode kernel'
	@echo 'make fmt      format the sources'
	@echo 'make clippy   lint the sources; a warning is an error'
	@echo 'make host     the device model in user space: its suites, properties, and a soak test'
	@echo 'make bench    what an access costs in the device model'
	@echo 'make bench-vm what a virtual GPU costs in a virtual machine, beside the stock driver'
	@echo 'make shares   four guests of different weight on a busy engine, and what share of it each gets'
	@echo 'make escape   try to escape from virtual GPUs of both drivers, with a report of what came of each attack'
	@echo 'make vm-debug our module on a kernel with KASAN and lockdep: raw requests, guests with work, hangs, attacks; an hour'
	@echo 'make vm-soak  four guests with work for half an hour, each inside its own memory, and what the host keeps for them'
	@echo 'make fuzz-model   fuzz the device model, a minute for each target; tests/host/fuzz/run does it longer'
	@echo 'make fuzz     throw random scripts at the emulated GPU for a minute; tests/emulator/fuzz/run does it longer'
	@echo 'make doc      the documentation of the crates, in build/doc and, for those of the tests, in build/target/doc'
	@echo 'make rust-analyzer   rust-project.json, for editors'
	@echo
	@echo 'DRIVER=$(DRIVER)   the module that drives the virtual GPUs in `demo`'
	@echo 'KERNEL=$(KERNEL)     the kernel series'

setup:
	@KERNEL=$(KERNEL:-debug=) tests/setup/setup

# The module is built against the whole, prepared source of a kernel: KDIR, or the one that `make setup` prepared, and
# then with the compilers of the root.
output := $(CURDIR)/build/kmod-$(KERNEL)
ifneq ($(origin KDIR),undefined)
ifeq ($(strip $(KDIR)),)
$(error KDIR is empty: what was to print the folder of the kernel's source has failed)
endif
endif
ifdef KDIR
kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR) MO=$(output)
else
cache := $(or $(KVMGT_CACHE),$(HOME)/.cache/kvmgt)
# The kernel with KASAN and lockdep has its own configuration and compiler.
debug := $(filter %-debug,$(KERNEL))
kbuild = $(in_root) $(MAKE) -C $(cache)/kernel/$(KERNEL)/$(if $(debug),build,tree) $(if $(debug),LLVM=1,CC=gcc-14 HOSTCC=gcc-14)
kbuild += M=$(CURDIR) MO=$(output)
stamp := $(cache)/kernel/$(KERNEL)/$(if $(debug),stamp,tree.stamp)
endif

# What was built against another configuration of the kernel does not fit, and Kbuild does not see all of it.
modules: $(if $(KDIR),,setup)
	@$(if $(stamp),cmp -s $(stamp) $(output)/kernel.stamp || rm -rf $(output))
	@mkdir -p $(output)
	@$(if $(stamp),cp $(stamp) $(output)/kernel.stamp)
	+@$(kbuild) modules

clean:
	@rm -rf build/kmod-*

demo: setup
	@tests/vm/demo --driver $(DRIVER)

# --- the device model in user space ---

host: setup
	@$(in_root) tests/host/run test
	@$(in_root) tests/host/run soak

bench: setup
	@$(in_root) tests/host/run bench

bench-vm: modules
	@tests/vm/bench

shares: modules
	@tests/vm/shares

# On a host kernel with KASAN and lockdep, which is made first: half an hour on two cores, and as much for the stages.
vm-debug: setup
	@tests/setup/setup --debug
	+@$(MAKE) --no-print-directory modules KERNEL=$(KERNEL:-debug=)-debug
	@KERNEL=$(KERNEL:-debug=)-debug KVMGT_PATIENCE=5 tests/test --only '^(build|raw|work-skl|hang|sleep|escape)$$'

# On a machine with nothing else to do.
vm-soak: modules
	@tests/test --only '^(build|vm-soak)$$'

escape: modules
	@tests/vm/escape/run

fuzz-model: setup
	@$(in_root) tests/host/fuzz/run all -max_total_time=60

.PHONY: host bench bench-vm shares vm-debug vm-soak escape fuzz-model

test: setup-uml
	@tests/test

fmt: setup
	@$(in_root) cargo fmt $(workspace) --all
	@tests/kernel/crates fmt

clippy: setup-uml
	@$(in_root) cargo clippy $(workspace) --all-targets --locked -- -D warnings
	@tests/kernel/crates clippy

fuzz: setup
	@$(in_root) tests/emulator/fuzz/run -max_total_time=60

doc: modules
	@$(in_root) cargo doc $(workspace) --no-deps --locked
	@tests/kernel/crates doc

rust-analyzer: modules
	@tests/kernel/crates rust-analyzer

# --- KUnit ---

setup-uml:
	@tests/setup/setup --uml

kunit: setup-uml
	@tests/kunit/run

.PHONY: setup-uml kunit

# --- installing ---

# The kernel to install for, and the root that its modules are in.
KREL ?= $(shell uname -r)
export INSTALL_MOD_PATH
KO ?= $(output)/kvmgt.ko

install:
	@packaging/install --kernel '$(KREL)' '$(KO)'

uninstall:
	@packaging/install --remove --kernel '$(KREL)' '$(KO)'

# The source for DKMS: what the module is built of, with dkms.conf at its top.
dkms_version := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"$$/\1/p' packaging/dkms.conf)
dkms_source = $(DESTDIR)/usr/src/kvmgt-$(dkms_version)

dkms:
	@rm -rf '$(dkms_source)' && mkdir -p '$(dkms_source)'
	@cp -r Kbuild LICENSE src rust packaging '$(dkms_source)'
	@mv '$(dkms_source)/packaging/dkms.conf' '$(dkms_source)/dkms.conf'
	@echo 'the source is in $(dkms_source); now: dkms install kvmgt/$(dkms_version)'

.PHONY: install uninstall dkms

.PHONY: help modules clean setup demo test fmt clippy fuzz doc rust-analyzer
