/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gvt

#if !defined(_GVT_TRACE_H_) || defined(TRACE_HEADER_MULTI_READ)
#define _GVT_TRACE_H_

#include <linux/tracepoint.h>

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

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
