// SPDX-License-Identifier: GPL-2.0

#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/suspend.h>

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

int gvt_helper_pm_get(struct device *dev)
{
	return pm_runtime_resume_and_get(dev);
}

void gvt_helper_pm_put(struct device *dev)
{
	pm_runtime_put_autosuspend(dev);
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

void gvt_helper_debugfs_folder(const char *name, struct dentry *parent)
{
	debugfs_create_dir(name, parent);
}

struct dentry *gvt_helper_debugfs_find(const char *name, struct dentry *parent)
{
	return IS_ENABLED(CONFIG_DEBUG_FS) ? debugfs_lookup(name, parent) : NULL;
}

void gvt_helper_debugfs_file(const char *name, umode_t mode, struct dentry *parent, void *data,
			     const struct file_operations *ops)
{
	debugfs_create_file(name, mode, parent, data, ops);
}

bool gvt_helper_debugfs_is_file(struct dentry *entry)
{
	return d_is_reg(entry);
}

void gvt_helper_debugfs_remove(struct dentry *entry)
{
	debugfs_remove(entry);
}

int gvt_helper_pm_notifier_add(struct notifier_block *block)
{
	return register_pm_notifier(block);
}

void gvt_helper_pm_notifier_remove(struct notifier_block *block)
{
	unregister_pm_notifier(block);
}

void gvt_helper_trace_mmio(u32 vgpu, bool write, u64 offset, u64 value, u32 width)
{
	trace_mmio(vgpu, write, offset, value, width);
}

void gvt_helper_trace_write_ir(u32 vgpu, const char *name, u32 offset, u32 new, u32 old)
{
	trace_write_ir(vgpu, name, offset, new, old);
}

void gvt_helper_trace_propagate_event(u32 vgpu, const char *event, u32 bit)
{
	trace_propagate_event(vgpu, event, bit);
}

void gvt_helper_trace_inject_msi(u32 vgpu, bool sent)
{
	trace_inject_msi(vgpu, sent);
}

void gvt_helper_trace_workload_submit(u32 vgpu, const char *engine, u32 len)
{
	trace_workload_submit(vgpu, engine, len);
}

void gvt_helper_trace_workload_complete(u32 vgpu, const char *engine, u32 len, bool done, u64 time)
{
	trace_workload_complete(vgpu, engine, len, done, time);
}
