// SPDX-License-Identifier: GPL-2.0
//! Decoding of command streams: how long a command is, and who executes it.
//!
//! Source: Broadwell PRM volume 2a and Skylake PRM volume 2a, "Command Reference: Instructions".

mod alu;
mod atomic;
mod display;
mod flow;
mod flush;
mod memory;
mod registers;
mod semaphore;

pub use display::ScanLines;

use crate::engine::runner::Runner;
use crate::engine::{cost, EngineId};
use crate::gtt::{Fault, Space};
use crate::{blt, gtt::GpuMemory};

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Executed, or skipped as the hardware would; the stream has moved on.
    Next,
    /// Not yet: the same command is tried again later.
    Wait,
    /// The engine stops until it is reset.
    Hang,
}

/// Longest command that is executed rather than skipped, in dwords: MI_LOAD_REGISTER_IMM with an 8-bit length.
const OPERANDS: usize = 257;

/// A command with its operands, read once.
pub struct Command {
    /// The first dword.
    pub header: u32,
    dwords: [u32; OPERANDS],
    length: usize,
}

impl Command {
    /// Dword `index` of the command (0 is the header), 0 beyond its end.
    pub fn dword(&self, index: usize) -> u32 {
        self.dwords().get(index).copied().unwrap_or(0)
    }

    /// Dwords `index` (low) and `index + 1` (high).
    pub fn qword(&self, index: usize) -> u64 {
        u64::from(self.dword(index)) | u64::from(self.dword(index + 1)) << 32
    }

    /// The address in dwords `index` and `index + 1`, dword-aligned, without the sign extension of canonical addresses.
    pub fn address(&self, index: usize) -> u64 {
        self.qword(index) & 0x0000_ffff_ffff_fffc
    }

    /// All dwords.
    pub fn dwords(&self) -> &[u32] {
        self.dwords.get(..self.length.min(OPERANDS)).unwrap_or(&self.dwords)
    }

    /// Length in dwords, also where only the first [`OPERANDS`] were read.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether bit `bit` of the header is set.
    pub fn flag(&self, bit: u32) -> bool {
        self.header & (1 << bit) != 0
    }
}

mod mi {
    pub const NOOP: u32 = 0x00;
    pub const SET_PREDICATE: u32 = 0x01;
    pub const USER_INTERRUPT: u32 = 0x02;
    pub const WAIT_FOR_EVENT: u32 = 0x03;
    pub const FLUSH: u32 = 0x04;
    pub const ARB_CHECK: u32 = 0x05;
    pub const RS_CONTROL: u32 = 0x06;
    pub const REPORT_HEAD: u32 = 0x07;
    pub const ARB_ON_OFF: u32 = 0x08;
    pub const URB_ATOMIC_ALLOC: u32 = 0x09;
    pub const BATCH_BUFFER_END: u32 = 0x0a;
    pub const SUSPEND_FLUSH: u32 = 0x0b;
    pub const PREDICATE: u32 = 0x0c;
    pub const TOPOLOGY_FILTER: u32 = 0x0d;
    pub const SET_APPID: u32 = 0x0e;
    pub const RS_CONTEXT: u32 = 0x0f;
    pub const LOAD_SCAN_LINES_INCL: u32 = 0x12;
    pub const LOAD_SCAN_LINES_EXCL: u32 = 0x13;
    pub const DISPLAY_FLIP: u32 = 0x14;
    pub const SET_CONTEXT: u32 = 0x18;
    pub const URB_CLEAR: u32 = 0x19;
    pub const MATH: u32 = 0x1a;
    pub const SEMAPHORE_SIGNAL: u32 = 0x1b;
    pub const SEMAPHORE_WAIT: u32 = 0x1c;
    pub const FORCE_WAKEUP: u32 = 0x1d;
    pub const STORE_DATA_IMM: u32 = 0x20;
    pub const STORE_DATA_INDEX: u32 = 0x21;
    pub const LOAD_REGISTER_IMM: u32 = 0x22;
    pub const UPDATE_GTT: u32 = 0x23;
    pub const STORE_REGISTER_MEM: u32 = 0x24;
    pub const FLUSH_DW: u32 = 0x26;
    pub const CLFLUSH: u32 = 0x27;
    pub const REPORT_PERF_COUNT: u32 = 0x28;
    pub const LOAD_REGISTER_MEM: u32 = 0x29;
    pub const LOAD_REGISTER_REG: u32 = 0x2a;
    pub const RS_STORE_DATA_IMM: u32 = 0x2b;
    pub const LOAD_URB_MEM: u32 = 0x2c;
    pub const STORE_URB_MEM: u32 = 0x2d;
    pub const COPY_MEM_MEM: u32 = 0x2e;
    pub const ATOMIC: u32 = 0x2f;
    pub const BATCH_BUFFER_START: u32 = 0x31;
    pub const CONDITIONAL_BATCH_BUFFER_END: u32 = 0x36;
}

const CLIENT_MI: u32 = 0;
const CLIENT_2D: u32 = 2;
const CLIENT_3D: u32 = 3;
/// PIPE_CONTROL without its length.
const PIPE_CONTROL: u32 = 0x7a00;
/// 3DPRIMITIVE, GPGPU_WALKER, MEDIA_OBJECT and MEDIA_OBJECT_WALKER without their lengths.
const DRAWS: [u32; 4] = [0x7b00, 0x7105, 0x7100, 0x7103];

fn opcode(header: u32) -> u32 {
    (header >> 23) & 0x3f
}

/// Length of a command in dwords, or nothing for one that this engine does not know.
pub fn length(id: EngineId, header: u32) -> Option<u32> {
    let field = |bits: u32| (header & ((1 << bits) - 1)) + 2;
    match header >> 29 {
        CLIENT_MI => mi_length(id, header),
        CLIENT_2D if id == EngineId::Bcs && blt::is_known(header) => Some(field(8)),
        CLIENT_3D => {
            let (pipeline, family) = ((header >> 27) & 3, (header >> 24) & 7);
            match (id, pipeline, family) {
                // One dword: PIPELINE_SELECT, 3DSTATE_VF_STATISTICS, MFX_WAIT.
                (_, 1, _) => Some(1),
                (EngineId::Rcs, 0, 0 | 1) => Some(field(8)),
                (EngineId::Rcs, 2, 0..=2) => Some(field(16)),
                (EngineId::Rcs, 3, 0..=3) => Some(field(8)),
                (EngineId::Vcs0 | EngineId::Vcs1, 2, _) => Some(field(12)),
                (EngineId::Vecs, 2, 4) => Some(field(12)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn mi_length(id: EngineId, header: u32) -> Option<u32> {
    let field = |bits: u32| (header & ((1 << bits) - 1)) + 2;
    let render = id == EngineId::Rcs;
    Some(match opcode(header) {
        mi::RS_CONTROL | mi::URB_ATOMIC_ALLOC | mi::PREDICATE | mi::RS_CONTEXT if !render => return None,
        mi::URB_CLEAR | mi::RS_STORE_DATA_IMM | mi::LOAD_URB_MEM | mi::STORE_URB_MEM if !render => return None,
        mi::NOOP
        | mi::SET_PREDICATE
        | mi::USER_INTERRUPT
        | mi::WAIT_FOR_EVENT
        | mi::FLUSH
        | mi::ARB_CHECK
        | mi::RS_CONTROL
        | mi::REPORT_HEAD
        | mi::ARB_ON_OFF
        | mi::URB_ATOMIC_ALLOC
        | mi::BATCH_BUFFER_END
        | mi::SUSPEND_FLUSH
        | mi::PREDICATE
        | mi::TOPOLOGY_FILTER
        | mi::SET_APPID
        | mi::RS_CONTEXT => 1,
        mi::LOAD_SCAN_LINES_INCL | mi::LOAD_SCAN_LINES_EXCL => field(6),
        mi::FLUSH_DW | mi::REPORT_PERF_COUNT => field(6),
        mi::STORE_DATA_IMM | mi::UPDATE_GTT | mi::CLFLUSH => field(10),
        mi::DISPLAY_FLIP
        | mi::SET_CONTEXT
        | mi::URB_CLEAR
        | mi::MATH
        | mi::SEMAPHORE_SIGNAL
        | mi::SEMAPHORE_WAIT
        | mi::FORCE_WAKEUP
        | mi::STORE_DATA_INDEX
        | mi::LOAD_REGISTER_IMM
        | mi::STORE_REGISTER_MEM
        | mi::LOAD_REGISTER_MEM
        | mi::LOAD_REGISTER_REG
        | mi::RS_STORE_DATA_IMM
        | mi::LOAD_URB_MEM
        | mi::STORE_URB_MEM
        | mi::COPY_MEM_MEM
        | mi::ATOMIC
        | mi::BATCH_BUFFER_START
        | mi::CONDITIONAL_BATCH_BUFFER_END => field(8),
        _ => return None,
    })
}

/// Executes the command at `address` and moves the stream past it.
pub fn execute(runner: &mut Runner<'_>, space: Space, address: u64, header: u32) -> Result<Outcome, Fault> {
    let id = runner.engine.id;
    let Some(length) = length(id, header) else {
        log::error!("{}: unknown command {header:#010x} at {space:?} {address:#x}", id.name());
        return Ok(Outcome::Hang);
    };
    runner.gpu.stats.command(id, header);
    if runner.execution.predicated && !(header >> 29 == CLIENT_MI && opcode(header) == mi::SET_PREDICATE) {
        runner.advance(length);
        return Ok(Outcome::Next);
    }
    match header >> 29 {
        CLIENT_MI if length == 1 => single(runner, header),
        CLIENT_MI => {
            let command = fetch(runner, space, address, header, length)?;
            compound(runner, &command)
        }
        CLIENT_2D => {
            let command = fetch(runner, space, address, header, length)?;
            blit(runner, &command)
        }
        _ if id == EngineId::Rcs && header >> 16 == PIPE_CONTROL => {
            let command = fetch(runner, space, address, header, length)?;
            flush::pipe_control(runner, &command)?;
            runner.advance(length);
            Ok(Outcome::Next)
        }
        _ => {
            // State, and work whose result nobody here can compute: it takes its time and its place in the stream.
            if id != EngineId::Rcs || DRAWS.contains(&(header >> 16)) {
                runner.spend(cost::DRAW);
            }
            runner.advance(length);
            Ok(Outcome::Next)
        }
    }
}

fn fetch(runner: &mut Runner<'_>, space: Space, address: u64, header: u32, length: u32) -> Result<Command, Fault> {
    let length = length as usize;
    let mut command = Command { header, dwords: [0; OPERANDS], length };
    let mut bytes = [0; OPERANDS * 4];
    if let Some(rest) = bytes.get_mut(..(length.min(OPERANDS) - 1) * 4) {
        runner.read_stream(space, address.wrapping_add(4), rest)?;
    }
    command.dwords[0] = header;
    for (dword, bytes) in command.dwords[1..].iter_mut().zip(bytes.chunks_exact(4)) {
        *dword = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    Ok(command)
}

/// The MI commands of one dword.
fn single(runner: &mut Runner<'_>, header: u32) -> Result<Outcome, Fault> {
    match opcode(header) {
        mi::SET_PREDICATE => flow::set_predicate(runner, header),
        mi::USER_INTERRUPT => runner.user_interrupt(),
        mi::ARB_ON_OFF if !runner.is_privileged() => runner.drop_privileged("MI_ARB_ON_OFF"),
        mi::ARB_ON_OFF => {
            runner.execution.arbitration = header & 1 != 0;
            if runner.execution.arbitration {
                runner.look_again();
            }
        }
        mi::BATCH_BUFFER_END => return Ok(flow::batch_end(runner)),
        mi::PREDICATE => flow::predicate(runner, header),
        mi::WAIT_FOR_EVENT => return Ok(display::wait_for_event(runner, header)),
        mi::REPORT_HEAD => runner.report_head()?,
        _ => {}
    }
    runner.advance(1);
    Ok(Outcome::Next)
}

/// The MI commands with operands.
fn compound(runner: &mut Runner<'_>, command: &Command) -> Result<Outcome, Fault> {
    match opcode(command.header) {
        mi::BATCH_BUFFER_START => return Ok(flow::batch_start(runner, command)),
        mi::CONDITIONAL_BATCH_BUFFER_END => return flow::conditional_end(runner, command),
        mi::SEMAPHORE_WAIT => return semaphore::wait(runner, command),
        mi::SEMAPHORE_SIGNAL => semaphore::signal(runner, command),
        mi::STORE_DATA_IMM => memory::store_data_imm(runner, command)?,
        mi::STORE_DATA_INDEX => memory::store_data_index(runner, command)?,
        mi::COPY_MEM_MEM => memory::copy(runner, command)?,
        mi::UPDATE_GTT => memory::update_gtt(runner, command),
        mi::REPORT_PERF_COUNT => memory::report_perf_count(runner, command)?,
        mi::ATOMIC => atomic::execute(runner, command)?,
        mi::LOAD_REGISTER_IMM => registers::load_immediate(runner, command),
        mi::LOAD_REGISTER_MEM => registers::load_memory(runner, command)?,
        mi::LOAD_REGISTER_REG => registers::load_register(runner, command),
        mi::STORE_REGISTER_MEM => registers::store_memory(runner, command)?,
        mi::MATH => alu::execute(runner, command),
        mi::FLUSH_DW => flush::flush_dw(runner, command)?,
        mi::LOAD_SCAN_LINES_INCL | mi::LOAD_SCAN_LINES_EXCL => display::load_scan_lines(runner, command),
        mi::DISPLAY_FLIP => display::flip(runner, command),
        _ => {}
    }
    runner.advance(command.len() as u32);
    Ok(Outcome::Next)
}

fn blit(runner: &mut Runner<'_>, command: &Command) -> Result<Outcome, Fault> {
    let tiling = runner.gpu.bar0.load(BCS_SWCTRL);
    match runner.blit(command.dwords(), tiling) {
        Ok(bytes) => {
            runner.spend(cost::blit(bytes));
            runner.advance(command.len() as u32);
            Ok(Outcome::Next)
        }
        Err(blt::BltError::Interrupted) => Ok(Outcome::Wait),
        Err(blt::BltError::Fault(fault)) => Err(fault),
        Err(error) => {
            log::error!("{}: blit {:#010x}: {error}", runner.engine.id.name(), command.header);
            Ok(Outcome::Hang)
        }
    }
}

const BCS_SWCTRL: u32 = 0x2_2200;

impl Runner<'_> {
    fn read_stream(&mut self, space: Space, address: u64, data: &mut [u8]) -> Result<(), Fault> {
        self.mmu.read(space, address, data)
    }
}
