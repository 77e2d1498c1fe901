// SPDX-License-Identifier: GPL-2.0

//! What is counted of what a guest does.

use crate::{
    effect::Refusal,
    fault::{
        Fault,
        GuestFault, //
    }, //
};

/// Declares the counters, and the list of them with their names.
macro_rules! counters {
    ($(#[$about:meta])* pub struct Counters {
        $($(#[$meaning:meta])* $name:ident,)+
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$meaning])* pub $name: u64,)+
        }

        impl Counters {
            /// All counters with their names.
            pub fn list(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }
        }
    };
}

counters! {
    /// Counters of a vGPU, since it was made. None of them ever goes back to 0.
    pub struct Counters {
        /// Reads of registers, in pieces of 4 bytes.
        reads,
        /// Writes to registers, in pieces of 4 bytes.
        writes,
        /// Writes to the window to the GGTT.
        gtt_writes,
        /// Accesses to registers that are not modelled.
        untracked,
        /// Notifications by way of PVINFO.
        notifications,
        /// Message signalled interrupts.
        messages,
        /// Writes that a register did not take; the causes follow.
        refused,
        /// [`Refusal::NotOwnMemory`].
        refused_not_own_memory,
        /// [`Refusal::NoSuchFence`].
        refused_no_such_fence,
        /// [`Refusal::NotForUsers`].
        refused_not_for_users,
        /// [`Refusal::MixedPageSizes`].
        refused_mixed_page_sizes,
        /// [`Refusal::PhysicalAddresses`].
        refused_physical_addresses,
        /// [`Refusal::NotEnabled`], [`Refusal::NoContext`] and [`Refusal::QueueFull`].
        refused_submission,
        /// Contexts that were submitted.
        submissions,
        /// Words of commands that were looked at and given to the GPU.
        commands,
        /// Contexts that are done.
        completions,
        /// Times that an engine came to a halt, as work of the guest's could not be done.
        hangs,
        /// Writes to page tables that trapped.
        table_writes,
        /// Accesses that failed; the causes follow.
        faults,
        /// [`GuestFault::NoRegion`].
        fault_no_region,
        /// [`GuestFault::Width`].
        fault_width,
        /// [`GuestFault::OutOfRange`].
        fault_out_of_range,
        /// [`GuestFault::ReadOnly`].
        fault_read_only,
        /// [`GuestFault::OpRegion`].
        fault_opregion,
        /// [`GuestFault::EdidSize`], [`GuestFault::LinkState`], [`GuestFault::Edid`] and
        /// [`GuestFault::Mode`].
        fault_monitor,
        /// [`Fault::Host`].
        fault_host,
    }
}

impl Counters {
    /// A write that a register did not take.
    pub(crate) fn refuse(&mut self, reason: Refusal) {
        count(&mut self.refused);
        count(match reason {
            Refusal::NotOwnMemory => &mut self.refused_not_own_memory,
            Refusal::NoSuchFence => &mut self.refused_no_such_fence,
            Refusal::NotForUsers => &mut self.refused_not_for_users,
            Refusal::MixedPageSizes => &mut self.refused_mixed_page_sizes,
            Refusal::PhysicalAddresses => &mut self.refused_physical_addresses,
            Refusal::NotEnabled | Refusal::NoContext | Refusal::QueueFull => {
                &mut self.refused_submission
            }
        });
    }

    /// An access that failed.
    #[cold]
    pub(crate) fn fail(&mut self, fault: &Fault) {
        count(&mut self.faults);
        count(match fault {
            Fault::Guest(GuestFault::NoRegion { .. }) => &mut self.fault_no_region,
            Fault::Guest(GuestFault::Width { .. }) => &mut self.fault_width,
            Fault::Guest(GuestFault::OutOfRange { .. }) => &mut self.fault_out_of_range,
            Fault::Guest(GuestFault::ReadOnly { .. }) => &mut self.fault_read_only,
            Fault::Guest(GuestFault::OpRegion { .. }) => &mut self.fault_opregion,
            Fault::Guest(
                GuestFault::EdidSize { .. }
                | GuestFault::LinkState { .. }
                | GuestFault::Edid(_)
                | GuestFault::Mode(_),
            ) => &mut self.fault_monitor,
            Fault::Host(_) => &mut self.fault_host,
        });
    }
}

/// Counts one more; the counter would be full after some centuries.
#[inline]
pub(crate) fn count(counter: &mut u64) {
    *counter = counter.wrapping_add(1);
}
