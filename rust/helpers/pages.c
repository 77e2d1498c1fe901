// SPDX-License-Identifier: GPL-2.0

#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include <drm/drm_cache.h>

#include "helpers.h"

void gvt_helper_get_page(struct page *page)
{
	get_page(page);
}

void gvt_helper_put_page(struct page *page)
{
	put_page(page);
}

bool gvt_helper_page_is_popular(struct page *page)
{
	return (unsigned int)page_ref_count(compound_head(page)) > INT_MAX / 2;
}

bool gvt_helper_page_is_memory(struct page *page)
{
	return !PageReserved(page) || is_zone_device_page(page);
}

int gvt_helper_dma_mapping_error(struct device *dev, dma_addr_t address)
{
	return dma_mapping_error(dev, address);
}

void gvt_helper_read_page(void *to, struct page *page, size_t offset, size_t length)
{
	memcpy_from_page(to, page, offset, length);
}

void gvt_helper_write_page(struct page *page, size_t offset, const void *from, size_t length)
{
	memcpy_to_page(page, offset, from, length);
}

int gvt_helper_remap_page(struct vm_area_struct *vma, unsigned long address, struct page *page)
{
	return remap_pfn_range(vma, address, page_to_pfn(page), PAGE_SIZE, vma->vm_page_prot);
}

void *gvt_helper_vmap(struct page **pages, unsigned int count)
{
	return vmap(pages, count, VM_MAP, PAGE_KERNEL_RO);
}

void gvt_helper_vunmap(const void *address)
{
	vunmap(address);
}

void gvt_helper_flush(void *address, unsigned long length)
{
	drm_clflush_virt_range(address, length);
}
