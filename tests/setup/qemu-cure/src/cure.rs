// SPDX-License-Identifier: GPL-2.0
//! The three faults, each as a search that gives the bytes to change or the reason why not.

use std::fmt;

use iced_x86::{Code, FlowControl, OpKind, Register};

use crate::code::{copied, store, Listing, Store, Value};
use crate::elf::{Exports, Function};

/// Bytes to write over an executable.
#[derive(Debug, PartialEq, Eq)]
pub struct Patch {
    /// What this does, for people.
    pub what: &'static str,
    /// Address in the executable, as disassemblers show it.
    pub address: u64,
    /// Offset in the file.
    pub offset: usize,
    /// The new bytes, as many as the instruction had.
    pub bytes: Vec<u8>,
}

/// Why nothing is changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal(String);

impl Refusal {
    /// A refusal with this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; this QEMU is not changed", self.0)
    }
}

const VMRUN: &str = "helper_vmrun";
const DELIVER: &str = "do_interrupt_x86_hardirq";
const INTERRUPT: &str = "do_interrupt_all";
const CLEAR_FLAG: &str = "cpu_clear_ignne";
const LOAD: &str = "x86_ldl_phys";
const STORE: &str = "x86_stl_phys";

/// Exception number of a non-maskable interrupt.
const NMI_VECTOR: u32 = 2;
/// All bits of an event but the highest one, which says that there is an event.
const ALL_BUT_VALID: u32 = 0x7fff_ffff;
/// All bits of `hflags2` but that of port 0xf0.
const ALL_BUT_FLAG: u32 = 0xffff_ff7f;
/// The prefix of an instruction that is to be atomic.
const LOCK: u8 = 0xf0;
/// `and` with a constant, of 32 bits and of 8.
const AND_DWORD: u8 = 0x81;
const AND_BYTE: u8 = 0x80;

fn exported<'a>(exports: &Exports<'a>, name: &str) -> Result<Function<'a>, Refusal> {
    exports.function(name).ok_or_else(|| Refusal::new(format!("it does not export the function {name}")))
}

fn decoded(function: &Function<'_>, name: &str) -> Result<Listing, Refusal> {
    Listing::decode(function).ok_or_else(|| Refusal::new(format!("{name} contains bytes that are no instruction")))
}

/// The index, if there is exactly one.
fn only(found: &[usize], what: &str, function: &str) -> Result<usize, Refusal> {
    match found {
        [index] => Ok(*index),
        [] => Err(Refusal::new(format!("{function} has no {what}"))),
        _ => Err(Refusal::new(format!("{function} has {} candidates for {what}, not one", found.len()))),
    }
}

/// VMRUN with an interrupt to inject: removes the store that makes QEMU deliver it twice.
///
/// `helper_vmrun` handles four types of event. For three of them it stores the vector in the CPU's
/// `exception_index` and leaves to the main loop, which delivers what it finds there and clears it. For an
/// external interrupt it makes the same store, but then delivers the interrupt itself, by calling
/// `do_interrupt_x86_hardirq(env, vector, 1)`, and returns. The index stays set; when the main loop next looks
/// before anything else overwrote it, it delivers the vector once more. So this one store must go; its only
/// other reader is a log line.
///
/// What makes a store this one, all of it needed:
///
/// * it lies straight before the only call of `do_interrupt_x86_hardirq`, with no call or jump between, so
///   it is executed for no other type of event;
/// * it stores the call's second argument, the vector. The fields stored beside it get the error code and
///   constants;
/// * its address is relative to the call's first argument, `env`, and lower. All that belongs to `env` is
///   above; below lies the generic part of the CPU, of which this function stores only one field;
/// * the constant 2 is stored at the same place elsewhere in the function. That is the vector of an NMI,
///   the type whose vector is not in the event. This ties the place to `exception_index` by its use.
///
/// Debian's QEMU 11.1.3 has, with `env` in `rbx`, `mov [rbx-0x3db0], esi` before the call, and
/// `mov dword [rbx-0x3db0], 2` in the case of an NMI.
pub fn injected_vector(exports: &Exports<'_>) -> Result<Patch, Refusal> {
    let deliver = exported(exports, DELIVER)?.address;
    injected_vector_in(&exported(exports, VMRUN)?, deliver)
}

fn injected_vector_in(vmrun: &Function<'_>, deliver: u64) -> Result<Patch, Refusal> {
    let listing = decoded(vmrun, VMRUN)?;
    let call = only(&listing.calls(deliver), "call of do_interrupt_x86_hardirq", VMRUN)?;

    // The registers of which it is known, going up from the call, that they hold its first and its second
    // argument at that point.
    let mut env = vec![Register::RDI];
    let mut vector = vec![Register::RSI];
    let mut found = Vec::new();
    for index in listing.straight_before(call) {
        let instruction = listing.at(index);
        if let Some(Store { base, displacement, value: Value::Register(value) }) = store(instruction) {
            if env.contains(&base) && vector.contains(&value) && displacement < 0 {
                let nmi = Store { base, displacement, value: Value::Constant(NMI_VECTOR) };
                if listing.all().iter().any(|other| store(other) == Some(nmi)) {
                    found.push(index);
                }
            }
        }
        for argument in [&mut env, &mut vector] {
            follow_up(argument, instruction);
        }
    }
    let index = only(&found, "store of the vector before it is delivered", VMRUN)?;
    if listing.is_entered_inside(index) {
        return Err(Refusal::new("a jump leads into the middle of the store"));
    }
    let instruction = listing.at(index);
    Ok(Patch {
        what: "interrupt delivered twice",
        address: instruction.ip(),
        offset: vmrun.offset + listing.offset(index),
        bytes: nops(instruction.len()),
    })
}

/// Given registers that hold one value after `instruction`, leaves those that hold it before.
fn follow_up(holders: &mut Vec<Register>, instruction: &iced_x86::Instruction) {
    if let Some((to, from)) = copied(instruction) {
        if holders.contains(&to) {
            holders.retain(|&register| register != to);
            if !holders.contains(&from) {
                holders.push(from);
            }
        } else if holders.contains(&from) {
            // Both hold it afterwards, but only the source did before; it is in the list already.
        }
        return;
    }
    let mut factory = iced_x86::InstructionInfoFactory::new();
    for used in factory.info(instruction).used_registers() {
        if !matches!(used.access(), iced_x86::OpAccess::Read | iced_x86::OpAccess::CondRead) {
            holders.retain(|&register| register != used.register().full_register());
        }
    }
}

/// An exception inside the guest: has the whole event cleared after it, not only its highest bit.
///
/// While `do_interrupt_all` delivers an exception to a guest, it keeps it in the field of the guest's control
/// block that is meant for injected events. Then it clears the bit that makes it valid and leaves the rest,
/// which the next exit from the guest copies to the field for an event that was interrupted. KVM looks at
/// that field's type without asking for the valid bit, takes it for an exception whose delivery caused the
/// exit, and gives up when the exit needs an instruction emulated. With everything cleared the field says
/// what it should, nothing. QEMU itself never looks at the other bits of an event that is not valid.
///
/// The place: the only `and` with 0x7fffffff in the function, straight between a call that reads the
/// control block (`x86_ldl_phys`) and one that writes it (`x86_stl_phys`). Its constant becomes 0.
pub fn event_leftover(exports: &Exports<'_>) -> Result<Patch, Refusal> {
    let load = exported(exports, LOAD)?.address;
    let store = exported(exports, STORE)?.address;
    event_leftover_in(&exported(exports, INTERRUPT)?, load, store)
}

fn event_leftover_in(interrupt: &Function<'_>, load: u64, store: u64) -> Result<Patch, Refusal> {
    let listing = decoded(interrupt, INTERRUPT)?;
    let found = listing.indices(|instruction| {
        matches!(instruction.code(), Code::And_EAX_imm32 | Code::And_rm32_imm32)
            && instruction.op0_kind() == OpKind::Register
            && instruction.immediate32() == ALL_BUT_VALID
    });
    let index = only(&found, "instruction that clears the valid bit of an event", INTERRUPT)?;
    let last = listing.all().len() - 1;
    let is_call_of = |index: usize, target: u64| listing.calls(target).contains(&index);
    let before = listing.straight_before(index).last().unwrap_or(index);
    let after = (index..last).find(|&next| listing.at(next).flow_control() != FlowControl::Next).unwrap_or(last);
    if before == 0 || !is_call_of(before - 1, load) || !is_call_of(after, store) {
        return Err(Refusal::new(format!("the valid bit is not cleared between {LOAD} and {STORE}")));
    }
    if listing.is_entered_inside(index) {
        return Err(Refusal::new("a jump leads into the middle of the instruction that clears the valid bit"));
    }
    let instruction = listing.at(index);
    let start = listing.offset(index);
    let mut bytes = interrupt.code[start..start + instruction.len()].to_vec();
    // The constant is the end of the instruction in both of its encodings.
    let constant = bytes.len() - size_of::<u32>();
    bytes[constant..].fill(0);
    Ok(Patch { what: "event left over", address: instruction.ip(), offset: interrupt.offset + start, bytes })
}

/// FNINIT on one processor while the first one leaves a guest: has the flag that it clears cleared atomically.
///
/// The flag that port 0xf0 sets, to have a pending error of the FPU ignored, is kept with the first processor, in the
/// word that also tells whether that is in a guest with nested paging (`hflags2`). Every FNINIT clears it, on whatever
/// processor, by `cpu_clear_ignne`: with a plain `and` from another thread. Linux executes one for each
/// `kernel_fpu_begin()`. Meanwhile the first processor may exit from a guest, which clears the bit for nested paging; if
/// the other thread has read the word before and writes it after, the bit is back. Then the outer machine's own page
/// tables are taken for a guest's, the next fetch of an instruction fails as a nested page fault, and what is saved as
/// the guest's state is the state of the outer machine. Guests hang, triple fault, and take the outer machine with them.
///
/// The place: the only `and` of memory with 0xffffff7f in `cpu_clear_ignne`. It becomes a locked `and` of the one byte
/// with the flag. The first processor's own changes need no lock: what is lost then is at most the clearing of a flag
/// that nobody has set.
///
/// Debian's QEMU 11.1.3 has `and dword [rax+0x41a4], 0xffffff7f`.
pub fn unlocked_flag(exports: &Exports<'_>) -> Result<Patch, Refusal> {
    unlocked_flag_in(&exported(exports, CLEAR_FLAG)?)
}

fn unlocked_flag_in(function: &Function<'_>) -> Result<Patch, Refusal> {
    let listing = decoded(function, CLEAR_FLAG)?;
    let found = listing.indices(|instruction| {
        instruction.code() == Code::And_rm32_imm32
            && instruction.op0_kind() == OpKind::Memory
            && instruction.immediate32() == ALL_BUT_FLAG
            && !instruction.has_lock_prefix()
    });
    let index = only(&found, "plain instruction that clears the flag", CLEAR_FLAG)?;
    if listing.is_entered_inside(index) {
        return Err(Refusal::new("a jump leads into the middle of the instruction that clears the flag"));
    }
    let instruction = listing.at(index);
    let start = listing.offset(index);
    let old = &function.code[start..start + instruction.len()];
    // Prefixes, opcode, place, constant: all but two of them stay.
    let opcode = old.iter().position(|&byte| byte == AND_DWORD).unwrap_or_default();
    let constant = old.len() - size_of::<u32>();
    let mut bytes = vec![LOCK];
    bytes.extend_from_slice(&old[..opcode]);
    bytes.push(AND_BYTE);
    bytes.extend_from_slice(&old[opcode + 1..constant]);
    bytes.push(ALL_BUT_FLAG.to_le_bytes()[0]);
    bytes.extend(nops(old.len() - bytes.len()));
    Ok(Patch { what: "flag cleared without a lock", address: instruction.ip(), offset: function.offset + start, bytes })
}

/// The no-operation of a length, in the forms that the manuals of the processors recommend.
fn nops(length: usize) -> Vec<u8> {
    const FORMS: [&[u8]; 9] = [
        &[0x90],
        &[0x66, 0x90],
        &[0x0f, 0x1f, 0x00],
        &[0x0f, 0x1f, 0x40, 0x00],
        &[0x0f, 0x1f, 0x44, 0x00, 0x00],
        &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
        &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
        &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
        &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    ];
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let form = FORMS[(length - bytes.len()).min(FORMS.len()) - 1];
        bytes.extend_from_slice(form);
    }
    bytes
}

#[cfg(test)]
#[path = "cure_tests.rs"]
mod tests;
