// SPDX-License-Identifier: GPL-2.0

#include <linux/ratelimit.h>

#include "helpers.h"

void gvt_helper_ratelimit_init(struct ratelimit_state *state)
{
	ratelimit_state_init(state, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);
}
