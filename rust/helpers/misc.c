// SPDX-License-Identifier: GPL-2.0

#include <linux/device.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "helpers.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

MODULE_SOFTDEP("pre: vfio_iommu_type1");

void gvt_helper_kvm_get(struct kvm *kvm)
{
	kvm_get_kvm(kvm);
}

void gvt_helper_kvm_put(struct kvm *kvm)
{
	kvm_put_kvm(kvm);
}

void gvt_helper_device_lock(struct device *dev)
{
	device_lock(dev);
}

void gvt_helper_device_unlock(struct device *dev)
{
	device_unlock(dev);
}

struct pci_dev *gvt_helper_next_display(struct pci_dev *from)
{
	return pci_get_base_class(PCI_BASE_CLASS_DISPLAY, from);
}

struct device *gvt_helper_pci_device(struct pci_dev *pdev)
{
	return &pdev->dev;
}

const char *gvt_helper_driver_name(struct pci_dev *pdev)
{
	return pdev->dev.driver ? pdev->dev.driver->name : NULL;
}

void gvt_helper_trace_inject_msi(u32 vgpu, bool sent)
{
	trace_inject_msi(vgpu, sent);
}
