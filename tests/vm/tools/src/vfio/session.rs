// SPDX-License-Identifier: GPL-2.0
//! Runs a script: one request after the other, one answer each.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{bail, Context as _, Result};
use rustix::event::{eventfd, poll, EventfdFlags, PollFd, PollFlags, Timespec};
use serde_json::{json, Map, Value};

use super::guest::Access;
use super::machine::Machine;
use super::opened::{fields, Opened};
use super::request::{Amount, Arg, Code, IrqAction, IrqData, Part, Request, Target};
use super::{errno_name, ioctl, sweep, text, to_hex, Failure};
use crate::mapping::Mapping;
use crate::screen::{self, Plane};

/// How a script went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Requests done.
    pub requests: u64,
    /// Answers that were not as expected.
    pub unexpected: u64,
}

/// Everything that a script has made so far. Devices are dropped before their machines.
#[derive(Default)]
struct Session {
    devices: HashMap<String, Opened>,
    machines: HashMap<String, Machine>,
    events: HashMap<String, rustix::fd::OwnedFd>,
    buffers: HashMap<String, Mapping>,
    uuids: Vec<String>,
}

type Answer = Result<Map<String, Value>, Failure>;

/// Reads requests, writes answers; `uuids` are what `$1`, `$2` mean in the script.
///
/// # Errors
///
/// Names the line that is not a request, or the output that failed.
pub fn run(input: impl BufRead, mut output: impl Write, uuids: &[String]) -> Result<Summary> {
    let mut session = Session { uuids: uuids.to_vec(), ..Session::default() };
    let mut summary = Summary::default();
    for (number, line) in (1u64..).zip(input.lines()) {
        let line = line.context("cannot read the script")?;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let answer = answer(&mut session, number, line).with_context(|| format!("line {number}: {line}"))?;
        summary.requests += 1;
        summary.unexpected += u64::from(answer.contains_key("unexpected"));
        serde_json::to_writer(&mut output, &answer).context("cannot write an answer")?;
        output.write_all(b"\n").context("cannot write an answer")?;
        // Whoever drives this program through pipes waits for each answer.
        output.flush().context("cannot write an answer")?;
    }
    Ok(summary)
}

fn answer(session: &mut Session, number: u64, line: &str) -> Result<Map<String, Value>> {
    let mut object: Map<String, Value> = serde_json::from_str(line).context("not a JSON object")?;
    let id = object.remove("id");
    let expected = match object.remove("expect") {
        None => Map::new(),
        Some(Value::Object(expected)) => expected,
        Some(_) => bail!("expect is not an object"),
    };
    object.remove("note");
    let op = object.get("op").cloned().unwrap_or_default();
    let request: Request = serde_json::from_value(Value::Object(object)).context("not a request")?;

    let mut answer = fields(json!({ "line": number }));
    if let Some(id) = id {
        answer.insert("id".to_owned(), id);
    }
    answer.insert("op".to_owned(), op);
    match session.perform(request) {
        Ok(results) => {
            answer.insert("ok".to_owned(), true.into());
            answer.extend(results);
        }
        Err(failure) => {
            answer.insert("ok".to_owned(), false.into());
            match failure {
                Failure::Errno(number) => answer.insert("errno".to_owned(), errno_name(number).into()),
                Failure::Text(message) => answer.insert("error".to_owned(), message.into()),
            };
        }
    }
    if expected.iter().any(|(name, value)| answer.get(name) != Some(value)) {
        answer.insert("unexpected".to_owned(), true.into());
        answer.insert("expected".to_owned(), Value::Object(expected));
    }
    Ok(answer)
}

fn nothing() -> Answer {
    Ok(Map::new())
}

/// A value in hexadecimal with as many digits as it has.
fn value(bytes: &[u8]) -> String {
    let number = bytes.iter().rev().fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{number:#0digits$x}", digits = 2 + 2 * bytes.len())
}

/// Bytes of a mapping.
fn bytes(memory: &Mapping, offset: u64, length: usize) -> Result<Vec<u8>, Failure> {
    let places = (0..length as u64).map(|place| offset.wrapping_add(place));
    Ok(places.map(|place| memory.read(place, 1).map(|byte| byte as u8)).collect::<Result<_, _>>()?)
}

impl Session {
    fn device(&self, name: &str) -> Result<&Opened, Failure> {
        self.devices.get(name).map_or_else(|| text(format!("device {name} is not open")), Ok)
    }

    fn machine(&self, name: &str) -> Result<&Machine, Failure> {
        self.machines.get(name).map_or_else(|| text(format!("there is no machine {name}")), Ok)
    }

    fn perform(&mut self, request: Request) -> Answer {
        match request {
            Request::Machine { machine, memory, map } => {
                if self.machines.contains_key(&machine) {
                    return text(format!("machine {machine} exists"));
                }
                self.machines.insert(machine, Machine::new(memory.0, map)?);
                nothing()
            }
            Request::CloseMachine { machine } => {
                if self.devices.values().any(|device| device.machine == machine) {
                    return text(format!("machine {machine} still has devices"));
                }
                match self.machines.remove(&machine) {
                    Some(_) => nothing(),
                    None => text(format!("there is no machine {machine}")),
                }
            }
            Request::Slot { machine, slot, gpa, offset, size } => {
                self.machine(&machine)?.slot(slot, gpa.0, offset.0, size.0).map(|()| Map::new())
            }
            Request::MemoryRead { machine, offset, size } => {
                let memory = self.machine(&machine)?.memory();
                let (length, as_value) = match size.amount() {
                    Amount::Width(width) => (width, true),
                    Amount::Length(length) => (length, false),
                };
                Ok(content(&bytes(memory, offset.0, length)?, as_value))
            }
            Request::MemoryWrite { machine, offset, data } => {
                let memory = self.machine(&machine)?.memory();
                for (place, byte) in (0u64..).zip(data.bytes()?) {
                    memory.write(offset.0.wrapping_add(place), 1, u64::from(byte))?;
                }
                nothing()
            }
            Request::MemoryFill { machine, offset, length, byte } => {
                let memory = self.machine(&machine)?.memory();
                for place in 0..length.0 {
                    memory.write(offset.0.wrapping_add(place), 1, u64::from(byte))?;
                }
                nothing()
            }
            Request::MemoryStall { machine, offset, size, milliseconds } => {
                let Some(place) = self.machines.get_mut(&machine) else {
                    return text(format!("there is no machine {machine}"));
                };
                place.stall(offset.0, size.0, milliseconds.map(Duration::from_millis))?;
                nothing()
            }
            Request::GuestWrite { machine, gpa, width, value } => {
                self.guest_access(&machine, gpa.0, width, Some(value.0))
            }
            Request::GuestRead { machine, gpa, width } => self.guest_access(&machine, gpa.0, width, None),
            Request::DmaMap { machine, iova, offset, size, read, write } => {
                self.machine(&machine)?.dma_map(iova.0, offset.0, size.0, read, write).map(|()| Map::new())
            }
            Request::DmaUnmap { machine, iova, size } => {
                let bytes = self.machine(&machine)?.dma_unmap(iova.0, size.0)?;
                Ok(fields(json!({ "size": format!("{bytes:#x}") })))
            }
            Request::Open { device, uuid, machine, kvm } => self.open(device, &uuid, &machine, kvm),
            Request::Close { device } => self.close(&device),
            Request::DeviceInfo { device } => self.device(&device)?.info(),
            Request::RegionInfo { device, region, relative } => self.device(&device)?.region_info(region, relative),
            Request::IrqInfo { device, index } => self.device(&device)?.irq_info(index),
            Request::Read { device, region, base, offset, size, minus } => {
                let (length, as_value) = match size.amount() {
                    Amount::Width(width) => (width, width <= 8),
                    Amount::Length(length) => (length, false),
                };
                let opened = self.device(&device)?;
                let mut bytes = opened.read(region, opened.counted(base, offset.0)?, length)?;
                if let Some(minus) = minus {
                    subtract(&mut bytes, opened.counted(minus, 0)?);
                }
                let mut answer = content(&bytes, as_value);
                if bytes.len() != length {
                    answer.insert("bytes".to_owned(), bytes.len().into());
                }
                Ok(answer)
            }
            Request::Write { device, region, base, offset, data } => {
                let bytes = data.bytes()?;
                let opened = self.device(&device)?;
                let count = opened.write(region, opened.counted(base, offset.0)?, &bytes)?;
                if count == bytes.len() {
                    return nothing();
                }
                Ok(fields(json!({ "bytes": count })))
            }
            Request::Sweep { device, region, offsets, steps } => {
                let offsets: Vec<u64> = offsets.iter().map(|offset| offset.0).collect();
                Ok(fields(json!({ "values": sweep::run(self.device(&device)?, region, &offsets, &steps)? })))
            }
            Request::Map { device, mapping, region, base, offset, size, write, private } => {
                let opened = self.device(&device)?;
                let made = opened.map(region, opened.counted(base, offset.0)?, size.0, write, private)?;
                if let Some(opened) = self.devices.get_mut(&device) {
                    opened.mappings.insert(mapping, made);
                }
                nothing()
            }
            Request::MapRead { device, mapping, offset, width } => {
                let found = self.mapping(&device, &mapping)?.read(offset.0, width)?;
                Ok(content(&found.to_le_bytes()[..width], true))
            }
            Request::MapWrite { device, mapping, offset, width, value } => {
                self.mapping(&device, &mapping)?.write(offset.0, width, value.0)?;
                nothing()
            }
            Request::Unmap { device, mapping } => {
                self.mapping(&device, &mapping)?;
                if let Some(opened) = self.devices.get_mut(&device) {
                    opened.mappings.remove(&mapping);
                }
                nothing()
            }
            Request::SetIrqs { device, index, start, count, data, action, eventfds, bools } => {
                let mut payload = match data {
                    IrqData::None => Vec::new(),
                    IrqData::Bool => bools.clone(),
                    IrqData::Eventfd => self.numbers(&eventfds)?,
                };
                let length = match data {
                    IrqData::Eventfd => eventfds.len(),
                    IrqData::None | IrqData::Bool => bools.len(),
                };
                let count = count.unwrap_or(length as u32);
                let flags = irq_flags(data, action);
                let mut structure = ioctl::dwords(&[20 + payload.len() as u32, flags, index, start, count]);
                structure.append(&mut payload);
                ioctl::vfio(self.device(&device)?.device(), "DEVICE_SET_IRQS", &mut structure)?;
                nothing()
            }
            Request::Reset { device } => {
                ioctl::vfio_number(self.device(&device)?.device(), "DEVICE_RESET", 0)?;
                nothing()
            }
            Request::Ioctl { device, request, arg, fd } => self.ioctl(&device, &request, arg, fd),
            Request::Plane { device, kind } => match Plane::query(self.device(&device)?.device(), kind)? {
                None => Ok(fields(json!({ "lit": false }))),
                Some(plane) => Ok(fields(json!({
                    "lit": true,
                    "format": String::from_utf8_lossy(&plane.format.to_le_bytes()),
                    "modifier": format!("{:#x}", plane.modifier),
                    "size": [plane.width, plane.height],
                    "stride": plane.stride,
                    "bytes": plane.size,
                    "position": [plane.position.0, plane.position.1],
                    "hot_spot": [plane.hot_spot.0, plane.hot_spot.1],
                    "number": plane.number,
                }))),
            },
            Request::Dmabuf { device, buffer, number } => {
                let device = self.device(&device)?.device();
                let lit = || Plane::query(device, 1)?.map_or_else(|| text("no plane is lit"), |plane| Ok(plane.number));
                let (mapping, size) = screen::map(&screen::dmabuf(device, number.map_or_else(lit, Ok)?)?)?;
                self.buffers.insert(buffer, mapping);
                Ok(fields(json!({ "bytes": size })))
            }
            Request::BufferRead { buffer, offset, size } => {
                let memory =
                    self.buffers.get(&buffer).map_or_else(|| text(format!("there is no buffer {buffer}")), Ok)?;
                let (length, as_value) = match size.amount() {
                    Amount::Width(width) => (width, true),
                    Amount::Length(length) => (length, false),
                };
                Ok(content(&bytes(memory, offset.0, length)?, as_value))
            }
            Request::CloseBuffer { buffer } => match self.buffers.remove(&buffer) {
                Some(_) => nothing(),
                None => text(format!("there is no buffer {buffer}")),
            },
            Request::Eventfd { event } => {
                self.events.insert(event, eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
                nothing()
            }
            Request::CloseEventfd { event } => match self.events.remove(&event) {
                Some(_) => nothing(),
                None => text(format!("there is no event {event}")),
            },
            Request::Signal { event } => {
                rustix::io::write(self.event(&event)?, &1u64.to_ne_bytes())?;
                nothing()
            }
            Request::Wait { event, milliseconds } => self.wait(&event, milliseconds),
            Request::Sleep { milliseconds } => {
                sleep(Duration::from_millis(milliseconds));
                nothing()
            }
        }
    }

    fn mapping(&self, device: &str, mapping: &str) -> Result<&crate::mapping::Mapping, Failure> {
        let found = self.device(device)?.mappings.get(mapping);
        found.map_or_else(|| text(format!("device {device} has no mapping {mapping}")), Ok)
    }

    fn event(&self, name: &str) -> Result<&rustix::fd::OwnedFd, Failure> {
        self.events.get(name).map_or_else(|| text(format!("there is no event {name}")), Ok)
    }

    /// The numbers of events, as they stand behind an IRQ request.
    fn numbers(&self, names: &[Option<String>]) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        for name in names {
            let number = match name {
                Some(name) => self.event(name)?.as_raw_fd(),
                None => -1,
            };
            bytes.extend(number.to_le_bytes());
        }
        Ok(bytes)
    }

    fn open(&mut self, device: String, uuid: &str, machine: &str, kvm: bool) -> Answer {
        if self.devices.contains_key(&device) {
            return text(format!("device {device} is open"));
        }
        let uuid = match uuid.strip_prefix('$') {
            None => uuid.to_owned(),
            Some(number) => {
                let place = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                match place.and_then(|place| self.uuids.get(place)) {
                    Some(given) => given.clone(),
                    None => return text(format!("no device {uuid} was given on the command line")),
                }
            }
        };
        if !self.machines.contains_key(machine) {
            self.machines.insert(machine.to_owned(), Machine::new(64 << 20, true)?);
        }
        let Some(place) = self.machines.get_mut(machine) else {
            return text(format!("there is no machine {machine}"));
        };
        let result = Opened::new(&uuid, machine, place, kvm);
        let alone = !self.devices.values().any(|device| device.machine == machine);
        if result.is_err() && alone {
            // The group that had joined is closed again, and the container lost its model with it.
            place.emptied();
        }
        self.devices.insert(device, result?);
        nothing()
    }

    fn close(&mut self, name: &str) -> Answer {
        let Some(device) = self.devices.remove(name) else {
            return text(format!("device {name} is not open"));
        };
        let machine = device.machine.clone();
        let Some(place) = self.machines.get_mut(&machine) else {
            return text(format!("there is no machine {machine}"));
        };
        let closed = device.close(place);
        if !self.devices.values().any(|device| device.machine == machine) {
            place.emptied();
        }
        closed.map(|()| Map::new())
    }

    fn guest_access(&mut self, machine: &str, gpa: u64, width: usize, written: Option<u64>) -> Answer {
        let Some(place) = self.machines.get_mut(machine) else {
            return text(format!("there is no machine {machine}"));
        };
        let (processor, memory) = place.processor()?;
        match processor.access(memory, gpa, width, written)? {
            Access::Mmio => Ok(fields(json!({ "mmio": true }))),
            Access::Memory(_) if written.is_some() => nothing(),
            Access::Memory(found) => Ok(content(&found.to_le_bytes()[..width], true)),
        }
    }

    fn wait(&self, name: &str, milliseconds: u64) -> Answer {
        let event = self.event(name)?;
        let limit = Timespec { tv_sec: (milliseconds / 1000) as _, tv_nsec: (milliseconds % 1000 * 1_000_000) as _ };
        let mut polled = [PollFd::new(event, PollFlags::IN)];
        let count = match poll(&mut polled, Some(&limit))? {
            0 => 0,
            _ => {
                let mut count = [0u8; 8];
                rustix::io::read(event, &mut count)?;
                u64::from_ne_bytes(count)
            }
        };
        Ok(fields(json!({ "count": count })))
    }

    fn target(&self, device: &str, fd: Target) -> Result<BorrowedFd<'_>, Failure> {
        // Without the device, a container or VM can still be meant: that of machine "0".
        let machine = || match self.devices.get(device) {
            Some(opened) => self.machine(&opened.machine),
            None => self.machine("0"),
        };
        Ok(match fd {
            Target::Device => self.device(device)?.device(),
            Target::Group => self.device(device)?.group(),
            Target::Container => machine()?.container(),
            Target::Vm => machine()?.vm(),
            Target::KvmVfio => machine()?.kvm_vfio(),
        })
    }

    fn ioctl(&self, device: &str, request: &Code, arg: Option<Arg>, fd: Target) -> Answer {
        let number = match request {
            Code::Number(number) => *number,
            Code::Name(name) => match ioctl::number(name) {
                Some(number) => number,
                None => match name.strip_prefix("0x").map(|digits| u32::from_str_radix(digits, 16)) {
                    Some(Ok(number)) => number,
                    _ => return text(format!("there is no VFIO request {name}")),
                },
            },
        };
        let target = self.target(device, fd)?;
        let mut answer = Map::new();
        let result = match arg {
            None => ioctl::with_number(target, number, 0),
            Some(Arg::Pointer { pointer }) => ioctl::with_number(target, number, pointer.0),
            Some(Arg::Parts(parts)) => {
                let mut structure = self.assemble(device, &parts)?;
                let secret = secret_places(&parts);
                let result = ioctl::with_struct(target, number, &mut structure);
                // Numbers of descriptors and addresses differ from run to run.
                for place in secret {
                    structure[place].fill(0);
                }
                answer.insert("arg".to_owned(), to_hex(&structure).into());
                result
            }
        };
        let code = result?;
        // A request that answers with a descriptor leaves it open to the end, as nothing else would be done with it.
        answer.insert("result".to_owned(), if code > 2 { "positive".into() } else { code.into() });
        Ok(answer)
    }

    fn assemble(&self, device: &str, parts: &[Part]) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        for part in parts {
            match part {
                Part::U8(number) => bytes.extend(&number.0.to_le_bytes()[..1]),
                Part::U16(number) => bytes.extend(&number.0.to_le_bytes()[..2]),
                Part::U32(number) => bytes.extend(&number.0.to_le_bytes()[..4]),
                Part::U64(number) => bytes.extend(number.0.to_le_bytes()),
                Part::Hex(digits) => bytes.extend(super::from_hex(digits)?),
                Part::Zero(count) if count.0 > 1 << 20 => return text("a structure has at most 1 MiB"),
                Part::Zero(count) => bytes.resize(bytes.len() + count.0 as usize, 0),
                Part::Eventfd(name) => {
                    let number = self.events.get(name).map_or(-1, |event| event.as_raw_fd());
                    bytes.extend(number.to_le_bytes());
                }
                Part::Memory(offset) => {
                    let machine = match self.devices.get(device) {
                        Some(opened) => self.machine(&opened.machine)?,
                        None => self.machine("0")?,
                    };
                    bytes.extend((machine.memory().address().wrapping_add(offset.0)).to_le_bytes());
                }
            }
        }
        Ok(bytes)
    }
}

/// The places of a structure whose content differs from run to run.
fn secret_places(parts: &[Part]) -> Vec<std::ops::Range<usize>> {
    let mut places = Vec::new();
    let mut start = 0;
    for part in parts {
        let length = match part {
            Part::U8(_) => 1,
            Part::U16(_) => 2,
            Part::U32(_) | Part::Eventfd(_) => 4,
            Part::U64(_) | Part::Memory(_) => 8,
            Part::Hex(digits) => digits.chars().filter(|digit| !digit.is_whitespace()).count() / 2,
            Part::Zero(count) => count.0 as usize,
        };
        if matches!(part, Part::Eventfd(_) | Part::Memory(_)) {
            places.push(start..start + length);
        }
        start += length;
    }
    places
}

/// Subtracts from a little-endian number of any length.
fn subtract(bytes: &mut [u8], number: u64) {
    let mut borrow = false;
    for (byte, taken) in bytes.iter_mut().zip(number.to_le_bytes().into_iter().chain(std::iter::repeat(0))) {
        let (rest, first) = byte.overflowing_sub(taken);
        let (rest, second) = rest.overflowing_sub(u8::from(borrow));
        (*byte, borrow) = (rest, first || second);
    }
}

fn irq_flags(data: IrqData, action: IrqAction) -> u32 {
    let data = match data {
        IrqData::None => 1 << 0,
        IrqData::Bool => 1 << 1,
        IrqData::Eventfd => 1 << 2,
    };
    let action = match action {
        IrqAction::Mask => 1 << 3,
        IrqAction::Unmask => 1 << 4,
        IrqAction::Trigger => 1 << 5,
    };
    data | action
}

fn content(bytes: &[u8], as_value: bool) -> Map<String, Value> {
    if as_value {
        fields(json!({ "value": value(bytes) }))
    } else {
        fields(json!({ "data": to_hex(bytes) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(script: &str) -> (Vec<Value>, Summary) {
        let mut output = Vec::new();
        let summary = run(script.as_bytes(), &mut output, &[]).expect("every line is a request");
        let lines = String::from_utf8(output).expect("JSON is UTF-8");
        (lines.lines().map(|line| serde_json::from_str(line).expect("an answer is JSON")).collect(), summary)
    }

    #[test]
    fn events_and_expectations() {
        let (answers, summary) = answers(
            r#"
            # a comment
            {"op":"eventfd","event":"a"}
            {"op":"signal","event":"a","id":7}
            {"op":"wait","event":"a","expect":{"count":1}}
            {"op":"wait","event":"a","milliseconds":1,"expect":{"count":1}}
            {"op":"close_eventfd","event":"a"}
            {"op":"signal","event":"a","expect":{"ok":false}}
            "#,
        );
        assert_eq!(summary, Summary { requests: 6, unexpected: 1 });
        assert_eq!(answers[1], json!({"line": 4, "id": 7, "op": "signal", "ok": true}));
        assert_eq!(answers[3]["unexpected"], true);
        assert_eq!(answers[5]["error"], "there is no event a");
    }

    #[test]
    fn requests_without_device_say_so() {
        let (answers, _) = answers(
            r#"{"op":"read","region":0,"offset":0}
               {"op":"open","uuid":"no-such-device","machine":"x"}
               {"op":"open","uuid":"$1"}
               {"op":"ioctl","request":"DEVICE_RESET"}"#,
        );
        assert_eq!(answers[0]["error"], "device 0 is not open");
        assert_eq!(answers[1]["ok"], false);
        assert_eq!(answers[2]["error"], "no device $1 was given on the command line");
        assert_eq!(answers[3]["error"], "device 0 is not open");
    }

    #[test]
    fn a_wrong_line_ends_the_script() {
        for script in ["{\"op\":\"sleep\"}", "[]", "{\"op\":\"fly\"}", "{", "{\"op\":\"reset\",\"expect\":1}"] {
            assert!(run(script.as_bytes(), Vec::new(), &[]).is_err(), "{script}");
        }
    }

    #[test]
    fn values_have_all_their_digits() {
        assert_eq!(value(&[0x86, 0x80]), "0x8086");
        assert_eq!(value(&[1, 0, 0, 0]), "0x00000001");
    }

    #[test]
    fn numbers_are_subtracted_with_borrow() {
        let mut bytes = [0x00, 0x20, 0x08, 0x00];
        subtract(&mut bytes, 0x8_2000);
        assert_eq!(bytes, [0; 4]);
        let mut bytes = [0x00, 0x00, 0x01];
        subtract(&mut bytes, 1);
        assert_eq!(bytes, [0xff, 0xff, 0x00]);
    }

    #[test]
    fn addresses_do_not_show() {
        let parts = [
            Part::U32(super::super::request::Num(1)),
            Part::Eventfd("a".into()),
            Part::Hex("00 11".into()),
            Part::Memory(super::super::request::Num(0)),
        ];
        assert_eq!(secret_places(&parts), [4..8, 10..18]);
    }
}
