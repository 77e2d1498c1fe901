# SPDX-License-Identifier: GPL-2.0
"""The command lines of the emulated GPU and of L1's QEMU."""

import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path

from .cli import Request
from .paths import Layout

# What both kernels are told. The mitigations cost a lot on an emulated processor, and addresses that stay the same
# make traces comparable. Expedited grace periods shorten every module load and every removal.
_COMMON = ["console=ttyS0", "quiet", "panic=-1", "mitigations=off", "nokaslr", "rcupdate.rcu_expedited=1"]
# No framebuffer console: it would draw through the aperture, each access to which is a trap, and on a virtual GPU a trap
# through two levels. An empty name of the kernel's own client is what i915 accepts without a warning.
_NO_FBDEV = ["drm_client_lib.active=", "drm_kms_helper.fbdev_emulation=0"]
# With nested virtualization, and without what TCG would only warn that it lacks.
_CPU = "EPYC,+svm,+npt,-fxsr-opt,-misalignsse,-osvw,-topoext,-nrip-save,-xsavec"
# While it boots, L1's kernel waits for five ticks of the timer chip, as long as the time stamp counter says, and panics
# without them. QEMU has no ticks to give while the host does not run it, but the counter goes on. In guests KVM sees to it.
_L1_KERNEL = [*_COMMON, *_NO_FBDEV, "no_timer_check"]
_L2_KERNEL = [*_COMMON, *_NO_FBDEV, "highres=off", "nohz=off"]


@dataclass(frozen=True)
class Sockets:
    """The sockets of one run; their paths must be short."""

    folder: Path

    @property
    def gpu(self) -> Path:
        """Where QEMU meets the emulated GPU."""
        return self.folder / "gpu.sock"

    @property
    def control(self) -> Path:
        """Requests to the emulated GPU, one JSON object a line."""
        return self.folder / "control.sock"

    @property
    def monitor(self) -> Path:
        """The monitor of L1's QEMU."""
        return self.folder / "monitor.sock"


def mdev_uuids(request: Request) -> list[str]:
    """The names of the virtual GPUs: the same in every run, so that logs can be compared."""
    return [str(uuid.UUID(int=0x4000_8000_0000_0000_0000 + number, version=4)) for number in range(1, request.mdevs + 1)]


def emulator_command(request: Request, layout: Layout, sockets: Sockets, output: Path) -> list[str]:
    """The emulated GPU as the request wants it."""
    return [
        *layout.enter,
        str(layout.emulator),
        *("--socket", str(sockets.gpu)),
        *("--platform", request.platform),
        *("--aperture", request.aperture),
        *("--audit", str(output / "audit.jsonl")),
        *("--control", str(sockets.control)),
        *("--log", str(output / "emulator.log")),
        *("--stats", str(output / "stats.json")),
        *("--pictures", str(output)),
        *request.emulator_args,
    ]


def tsc_option(cpuinfo: str) -> list[str]:
    """What L1's kernel is told of its time stamp counter, which under TCG is the host's own.

    The kernel would measure it against the timer chip, in a few milliseconds; on a busy host QEMU's processor thread may
    not run for just as long, and L1's clock then goes many times too fast. In a virtual machine the host's kernel shows
    the counter's frequency as that of the processor; elsewhere it is not known, and L1's kernel has to measure.
    """
    frequency = re.search(r"^cpu MHz\s*: (\d+)\.(\d{3})", cpuinfo, re.MULTILINE)
    flags = re.search(r"^flags\s*: (.*)", cpuinfo, re.MULTILINE)
    if not frequency or not flags or not {"hypervisor", "constant_tsc"} <= set(flags[1].split()):
        return []
    return [f"tsc_early_khz={frequency[1]}{frequency[2]}"]


def l1_kernel_line(request: Request) -> str:
    """The kernel command line of L1."""
    tsc = tsc_option(Path("/proc/cpuinfo").read_text())
    return " ".join([*_L1_KERNEL, *tsc, *request.l1_kernel_args])


def l2_kernel_line(request: Request) -> str:
    """The kernel command line of every guest."""
    return " ".join([*_L2_KERNEL, *request.l2_kernel_args])


def i915_options(request: Request) -> str:
    """The module options with which L1 loads i915."""
    # Debian's kernel comes without the display's microcode; i915 is told to do without it, or it would warn.
    options = ["dmc_firmware_path=/dev/null"]
    if request.driver != "none":
        options.append("enable_gvt=1")
    if not request.display:
        options.append("disable_display=1")
    return " ".join(options)


def qemu_binary(layout: Layout) -> tuple[list[str], bool]:
    """QEMU for L1, and whether it is the copy in which nested virtualization is cured."""
    cured = layout.cache / "qemu" / "qemu-system-x86_64"
    if cured.is_file():
        # The copy lies elsewhere than Debian's own, and looks for its firmware beside itself.
        return [str(cured), "-L", "/usr/share/qemu", "-L", "/usr/share/seabios"], True
    return ["/usr/bin/qemu-system-x86_64"], False


def l1_command(
    request: Request,
    layout: Layout,
    sockets: Sockets,
    output: Path,
    kernel: Path,
    initrd: Path,
) -> list[str]:
    """QEMU with L1 in it."""
    binary, _ = qemu_binary(layout)
    command = [
        *layout.enter,
        *binary,
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-name", f"kvmgt-{request.name},debug-threads=on"),
        *("-machine", "q35,memory-backend=ram,hpet=off"),
        *("-accel", "tcg,thread=multi,tb-size=512"),
        *("-cpu", _CPU),
        *("-smp", str(request.l1_cpus), "-m", request.memory),
        # Shared, because the emulated GPU reads and writes this memory itself.
        *("-object", f"memory-backend-memfd,id=ram,size={request.memory},share=on"),
        *("-kernel", str(kernel), "-initrd", str(initrd), "-append", l1_kernel_line(request)),
        *_share("root", layout.root, read_only=True, address="4"),
        *_share("images", layout.images, read_only=True, address="5"),
        *_share("run", output, read_only=False, address="6"),
    ]
    console = output / "l1.log"
    if request.shell:
        command += ["-chardev", f"stdio,id=console,mux=on,signal=off,logfile={console}"]
        command += ["-object", "monitor-hmp,id=keys,chardev=console"]
    else:
        command += ["-chardev", f"file,id=console,path={console}"]
    command += ["-serial", "chardev:console"]
    command += ["-chardev", f"socket,id=monitor,path={sockets.monitor},server=on,wait=off"]
    command += ["-object", "monitor-hmp,id=requests,chardev=monitor"]
    command += ["-device", "virtio-serial-pci,addr=7"]
    if request.gpu:
        device = {
            "driver": "vfio-user-pci",
            "socket": {"path": str(sockets.gpu), "type": "unix"},
            "addr": "0x2",
        }
        command += ["-device", json.dumps(device)]
        # So that a script in L1 can talk to the emulated GPU: /dev/virtio-ports/emulated-gpu.control
        command += ["-chardev", f"socket,id=control,path={sockets.control},reconnect-ms=200"]
        command += ["-device", "virtserialport,chardev=control,name=emulated-gpu.control"]
    return command


def _share(tag: str, folder: Path, read_only: bool, address: str) -> list[str]:
    # Several file systems of the host under one folder would have colliding inode numbers, hence "remap".
    access = "readonly=on," if read_only else ""
    return [
        "-fsdev",
        f"local,id={tag},path={folder},security_model=none,{access}multidevs=remap",
        "-device",
        f"virtio-9p-pci,fsdev={tag},mount_tag={tag},addr={address}",
    ]
