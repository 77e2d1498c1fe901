// SPDX-License-Identifier: GPL-2.0

#include <linux/sched/signal.h>

#include "helpers.h"

void gvt_helper_allow_kill(void)
{
	allow_kernel_signal(SIGKILL);
}

void gvt_helper_kill(struct task_struct *task)
{
	send_sig(SIGKILL, task, 1);
}

bool gvt_helper_is_killed(void)
{
	return fatal_signal_pending(current);
}

void gvt_helper_forget_kill(void)
{
	flush_signals(current);
}
