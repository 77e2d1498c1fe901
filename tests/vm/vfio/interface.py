# SPDX-License-Identifier: GPL-2.0
"""Requests about the device as a whole: ioctls, interrupts, opening and closing."""

import random
from itertools import product

from .script import CONFIG, GET_INFO, IRQ_INFO, REGION_INFO, SET_IRQS, Script, words, zero

# Addresses that are none: nothing mapped, not aligned, the kernel's, not canonical.
_NOWHERE = (0, 1, 0xFFFF888000000000, 0x800000000000, 0xFFFFFFFFFFFFFFFF)
_HUGE = 0xFFFFFFFF
_DATA = {"none": 1, "bool": 2, "eventfd": 4}
_ACTION = {"mask": 8, "unmask": 16, "trigger": 32}


def information(script: Script) -> None:
    """What the device says about itself, asked rightly and wrongly."""
    script.block("info")
    script.add("device_info")
    for index in (*range(13), 63, 255, 0x7FFFFFFF, _HUGE):
        script.add("region_info", region=index, relative=True)
        script.add("irq_info", index=index)
    for argsz in (0, 4, 15, 16, 17, 20, 24, 64, _HUGE):
        script.ioctl(GET_INFO, words(argsz, _HUGE, _HUGE, _HUGE, _HUGE, _HUGE), zero(40))
    for index, argsz in product((0, 1, 2, 7, 9, 10, 11), (0, 4, 8, 24, 31, 32, 33, 40, 48, 63, 65, 100, _HUGE)):
        if index == 2 and argsz >= 64:
            continue  # the place of the device's part would show
        script.ioctl(REGION_INFO, words(argsz, _HUGE, index, _HUGE, _HUGE, _HUGE, _HUGE, _HUGE), zero(96))
    for index, argsz in product((0, 1, 2, 3, 4, 5, _HUGE), (0, 4, 8, 15, 16, 17, 64, _HUGE)):
        script.ioctl(IRQ_INFO, words(argsz, _HUGE, index, _HUGE), zero(48))
    for request, minimum in ((GET_INFO, 16), (REGION_INFO, 32), (IRQ_INFO, 16), (SET_IRQS, 20)):
        for address in _NOWHERE:
            script.pointer(request, address)
        for length in (0, 4, 8, minimum - 4, minimum):
            script.ioctl(request, words(minimum, 33, 1, 0, 0, 0, 0, 0, 0), fd="device")
            script.ioctl(request, {"hex": (minimum.to_bytes(4, "little") + bytes(minimum))[:length].hex()})


def other_requests(script: Script, numbers: random.Random) -> None:
    """Ioctls that a device of this kind need not know, and display planes."""
    script.block("ioctl")
    for request in (
        "DEVICE_GET_PCI_HOT_RESET_INFO",
        "DEVICE_PCI_HOT_RESET",
        "DEVICE_IOEVENTFD",
        "DEVICE_BIND_IOMMUFD",
        "DEVICE_ATTACH_IOMMUFD_PT",
        "DEVICE_DETACH_IOMMUFD_PT",
    ):
        for argsz in (0, 16, 32, _HUGE):
            script.ioctl(request, words(argsz), zero(60))
        script.pointer(request, 0)
    for feature, kind in product((*range(13), 0xFFFF), (0, 1, 2, 4, 5, 6, 7)):
        script.ioctl("DEVICE_FEATURE", words(24, feature | kind << 16), zero(56))
    for argsz in (0, 7, 8, _HUGE):
        script.ioctl("DEVICE_FEATURE", words(argsz, 1 << 16 | 1 << 18), zero(24))
    for flags, plane in product(range(9), (0, 1, 2, 3, _HUGE)):
        script.ioctl("DEVICE_QUERY_GFX_PLANE", words(64, flags, plane), zero(52))
    for argsz in (0, 59, 60, 64, _HUGE):
        script.ioctl("DEVICE_QUERY_GFX_PLANE", words(argsz, 2, 1), zero(52))
    for address in _NOWHERE:
        script.pointer("DEVICE_QUERY_GFX_PLANE", address)
        script.pointer("DEVICE_GET_GFX_DMABUF", address)
    for identity in (0, 1, 2, 1000, _HUGE):
        script.ioctl("DEVICE_GET_GFX_DMABUF", words(identity))
    for argument in (0, 1, 0xFFFFFFFFFFFFFFFF):
        script.pointer("DEVICE_RESET", argument)
    # Numbers of VFIO's own range, and of other kinds with other directions and sizes.
    for number in range(0x3B64, 0x3B80):
        if number not in (0x3B6F, 0x3B73):  # reset and the dma-buf were called above
            script.ioctl(number, zero(64))
    for _ in range(64):
        number = numbers.getrandbits(32)
        # 'T' are those that the kernel itself answers for every file.
        if number >> 8 & 0xFF != ord("T"):
            script.ioctl(number, zero(64))


def interrupts(script: Script, numbers: random.Random) -> None:
    """Every form of SET_IRQS."""
    script.block("irq")
    script.add("eventfd", event="a")
    script.add("eventfd", event="b")
    # MSI is on, in the capability that the host's GPU has at 0xac.
    script.write(CONFIG, 0xAE, 1, 2)
    for index, data, action in product(range(6), _DATA, _ACTION):
        for count, start in product((0, 1, 2, _HUGE), (0, 1, _HUGE)):
            flags = _DATA[data] | _ACTION[action]
            payload = {"eventfd": [{"eventfd": "a"}, zero(8)], "bool": [{"hex": "01"}, zero(7)], "none": []}[data]
            size = {"eventfd": 4, "bool": 1, "none": 0}[data]
            argsz = min(20 + size * count, _HUGE)
            script.ioctl(SET_IRQS, words(argsz, flags, index, start, count), *payload)
            if index in (1, 4) and action == "trigger" and (count, start) == (1, 0):
                # The other one shows whether it was replaced.
                script.add("wait", event="a", milliseconds=0)
                script.add("wait", event="b", milliseconds=0)
    script.block("irq-flags")
    for flags in (*range(64), 64, 0x80, 0x100, 0x80000021, _HUGE):
        script.ioctl(SET_IRQS, words(24, flags, 1, 0, 1), {"eventfd": "a"})
    for _ in range(128):
        flags = numbers.choice((1, 2, 4)) | numbers.choice((8, 16, 32))
        script.ioctl(
            SET_IRQS,
            words(numbers.randrange(32), flags, numbers.randrange(6), numbers.randrange(3), numbers.randrange(3)),
            {"eventfd": "a"},
        )
    _triggers(script)


def _triggers(script: Script) -> None:
    """Eventfds that are set, fired, replaced, closed, taken away."""
    for index in (1, 4):
        script.block(f"trigger-{index}")
        if index == 1:
            script.write(CONFIG, 0xAE, 1, 2)
        set_one = {"op": "set_irqs", "index": index, "action": "trigger"}

        def trigger(data: str, set_one: dict[str, object] = set_one, **fields: object) -> None:
            script.add(**set_one, data=data, **fields)
            for event in ("a", "b"):
                script.add("wait", event=event, milliseconds=0)

        trigger("none", count=1)
        trigger("eventfd", eventfds=["a"])
        trigger("none", count=1)
        trigger("bool", bools=[1])
        trigger("bool", bools=[0])
        trigger("bool", bools=[255])
        trigger("eventfd", eventfds=["b"])
        trigger("none", count=1)
        trigger("eventfd", eventfds=[None])
        trigger("none", count=1)
        trigger("eventfd", eventfds=["a"])
        trigger("none", count=0)
        trigger("none", count=1)
        trigger("eventfd", eventfds=["a", "b"])
        # Descriptors that are none, and one that is no eventfd.
        for number in (-2, 0x7FFFFFFF, 1):
            script.ioctl(SET_IRQS, words(24, 36, index, 0, 1, number))
        trigger("eventfd", eventfds=["a"])
        script.add("signal", event="a")
        script.add("close_eventfd", event="a")
        script.add(**set_one, data="none", count=1)
        script.add("eventfd", event="a")
        trigger("none", count=1)
        script.add("reset")
        trigger("eventfd", eventfds=["b"])
        script.add("reset")
        trigger("none", count=1)
        # With interrupts off in the configuration space.
        if index == 1:
            script.write(CONFIG, 0xAE, 0, 2)
            trigger("none", count=1)
        trigger("none", count=0)


def sessions(script: Script) -> None:
    """Opening and closing, two machines, a machine that wants a second device, one without KVM."""
    script.block("session")
    script.add("open", uuid="$1", device="again", machine="other")
    script.add("open", uuid="$2", device="second", machine="0")
    script.add("machine", machine="2", memory=0x1000000)
    script.add("open", uuid="$2", device="second", machine="2")
    script.add("device_info", device="second")
    script.write(CONFIG, 0x3C, 0x77, 1, device="second")
    script.read(CONFIG, 0x3C, 1, device="second")
    script.read(CONFIG, 0x3C, 1)
    script.read(0, 0x7800C)
    script.read(0, 0x7800C, device="second")
    script.add("region_info", region=2, relative=True, device="second")
    # The other one's part of the aperture is nobody's here.
    script.add("read", region=2, base="low", offset=0, width=4, device="second")
    script.add("close", device="second")
    script.add("read", region=CONFIG, offset=0, device="second")
    script.add("open", uuid="$2", device="second", machine="2")
    script.read(CONFIG, 0x3C, 1, device="second")
    script.add("close", device="second")
    script.add("close_machine", machine="2")
    script.add("open", uuid="$2", device="second", machine="3", kvm=False)
    script.add("open", uuid="$2", device="second", machine="3")
    script.add("reset", device="second")
    script.add("close", device="second")
    script.add("dma_unmap", iova=0, size=0x4000000)
    script.add("read", region=CONFIG, offset=0)
    script.add("dma_map", iova=0, offset=0, size=0x4000000)
    script.write(CONFIG, 0x3C, 0x55, 1)
    script.add("close")
    script.add("close")
    script.add("open", uuid="$1")
    script.read(CONFIG, 0x3C, 1)
    script.add("reset")
    script.read(CONFIG, 0x3C, 1)
