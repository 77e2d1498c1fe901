/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gvt

#if !defined(_GVT_TRACE_H_) || defined(TRACE_HEADER_MULTI_READ)
#define _GVT_TRACE_H_

#include <linux/tracepoint.h>

TRACE_EVENT(mmio,
	TP_PROTO(u32 vgpu, bool write, u64 offset, u64 value, u32 width),
	TP_ARGS(vgpu, write, offset, value, width),

	TP_STRUCT__entry(
		__field(u64, offset)
		__field(u64, value)
		__field(u32, vgpu)
		__field(u32, width)
		__field(bool, write)
	),

	TP_fast_assign(
		__entry->offset = offset;
		__entry->value = value;
		__entry->vgpu = vgpu;
		__entry->width = width;
		__entry->write = write;
	),

	TP_printk("VM%u %s %#llx: %#llx, %u bytes", __entry->vgpu, __entry->write ? "write" : "read", __entry->offset,
		  __entry->value, __entry->width)
);

TRACE_EVENT(write_ir,
	TP_PROTO(u32 vgpu, const char *name, u32 offset, u32 new, u32 old),
	TP_ARGS(vgpu, name, offset, new, old),

	TP_STRUCT__entry(
		__field(u32, vgpu)
		__field(u32, offset)
		__field(u32, new)
		__field(u32, old)
		__string(name, name)
	),

	TP_fast_assign(
		__entry->vgpu = vgpu;
		__entry->offset = offset;
		__entry->new = new;
		__entry->old = old;
		__assign_str(name);
	),

	TP_printk("VM%u write [%s] %x, new %08x, old %08x, changed %08x", __entry->vgpu, __get_str(name), __entry->offset,
		  __entry->new, __entry->old, __entry->new ^ __entry->old)
);

TRACE_EVENT(propagate_event,
	TP_PROTO(u32 vgpu, const char *event, u32 bit),
	TP_ARGS(vgpu, event, bit),

	TP_STRUCT__entry(
		__field(u32, vgpu)
		__field(u32, bit)
		__string(event, event)
	),

	TP_fast_assign(
		__entry->vgpu = vgpu;
		__entry->bit = bit;
		__assign_str(event);
	),

	TP_printk("Set bit (%u) for (%s) for vgpu (%u)", __entry->bit, __get_str(event), __entry->vgpu)
);

TRACE_EVENT(inject_msi,
	TP_PROTO(u32 vgpu, bool sent),
	TP_ARGS(vgpu, sent),

	TP_STRUCT__entry(
		__field(u32, vgpu)
		__field(bool, sent)
	),

	TP_fast_assign(
		__entry->vgpu = vgpu;
		__entry->sent = sent;
	),

	TP_printk("VM%u MSI %s", __entry->vgpu, __entry->sent ? "sent" : "dropped: no trigger")
);

TRACE_EVENT(workload_submit,
	TP_PROTO(u32 vgpu, const char *engine, u32 len),
	TP_ARGS(vgpu, engine, len),

	TP_STRUCT__entry(
		__field(u32, vgpu)
		__string_len(engine, engine, len)
	),

	TP_fast_assign(
		__entry->vgpu = vgpu;
		__assign_str(engine);
	),

	TP_printk("VM%u %s", __entry->vgpu, __get_str(engine))
);

TRACE_EVENT(workload_complete,
	TP_PROTO(u32 vgpu, const char *engine, u32 len, bool done, u64 time),
	TP_ARGS(vgpu, engine, len, done, time),

	TP_STRUCT__entry(
		__field(u64, time)
		__field(u32, vgpu)
		__field(bool, done)
		__string_len(engine, engine, len)
	),

	TP_fast_assign(
		__entry->time = time;
		__entry->vgpu = vgpu;
		__entry->done = done;
		__assign_str(engine);
	),

	TP_printk("VM%u %s %s, %llu ns in all", __entry->vgpu, __get_str(engine), __entry->done ? "done" : "failed",
		  __entry->time)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
