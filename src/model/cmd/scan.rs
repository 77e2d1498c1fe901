// SPDX-License-Identifier: GPL-2.0

//! The way through a ring and the batches that it starts.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*, //
};

use super::{
    audit::{
        self,
        Batch,
        Flow,
        Level,
        Site,
        Verdict, //
    },
    table::{
        Command,
        Rule, //
    },
    Flaw,
    Policy,
    Space, //
};
use crate::{
    addr::PAGE_SIZE,
    engine::EngineId,
    platform::Platform, //
};

/// The most words of commands that one submission, or a part of it, can have, with all batches that are looked at and
/// with what is put in the place of some of them.
pub const MAX_WORDS: usize = 128 * 1024;
/// The most batches in the GGTT that one submission can start: each costs little to name and a page to
/// read.
const MAX_BATCHES: u32 = 512;
/// Room for the workaround batches of a context, in bytes: 63 cache lines and one for what follows.
pub const WORKAROUND_BYTES: usize = 4096;

const PAGE_WORDS: u64 = PAGE_SIZE / 4;

const MI_NOOP: u32 = 0;

/// The first of the eight registers of an engine with the root of its page tables.
pub(crate) const RING_PDP: u32 = 0x270;

fn index(words: u64) -> usize {
    usize::try_from(words).unwrap_or(usize::MAX)
}

fn words(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Takes so many words from what a submission can have.
fn take(left: &mut usize, count: usize) -> Result<(), Flaw> {
    *left = left.checked_sub(count).ok_or(Flaw::Budget)?;
    Ok(())
}

/// A page with commands of the guest's, copied.
pub struct Page {
    place: Option<(Space, u64)>,
    words: KVec<u32>,
}

impl Page {
    /// No page yet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> Result<Self> {
        Ok(Self {
            place: None,
            words: KVec::zeroed(index(PAGE_WORDS), GFP_KERNEL)?,
        })
    }

    /// The words of the page that has the word at `address`.
    fn at(
        &mut self,
        space: Space,
        address: u64,
        policy: &mut (impl Policy + ?Sized),
    ) -> Result<&[u32], Flaw> {
        let page = address.saturating_sub(address % PAGE_SIZE);
        if self.place != Some((space, page)) {
            self.place = None;
            policy.read_page(space, page, &mut self.words)?;
            self.place = Some((space, page));
        }
        Ok(&self.words)
    }
}

/// Where the next command comes from.
enum Place {
    Ring {
        start: u64,
        size: u64,
        head: u64,
        tail: u64,
    },
    Batch(Batch),
    Workaround {
        at: u64,
        end: u64,
    },
}

impl Place {
    /// Address of the next word, and how many follow it without a gap; 0 at the end.
    fn next(&self) -> (u64, u64) {
        match *self {
            Self::Ring {
                start,
                size,
                head,
                tail,
            } => {
                let until = if head <= tail { tail } else { size };
                (start.saturating_add(head), until.saturating_sub(head) / 4)
            }
            Self::Batch(Batch { at, .. }) => (at, u64::MAX),
            Self::Workaround { at, end } => (at, end.saturating_sub(at) / 4),
        }
    }

    fn space(&self) -> Space {
        match self {
            Self::Batch(batch) => batch.space,
            Self::Ring { .. } | Self::Workaround { .. } => Space::Global,
        }
    }

    fn advance(&mut self, words: u64) {
        let bytes = words.saturating_mul(4);
        match self {
            Self::Ring { size, head, .. } => {
                let next = head.saturating_add(bytes);
                *head = if next >= *size { 0 } else { next };
            }
            Self::Batch(Batch { at, .. }) | Self::Workaround { at, .. } => {
                *at = at.saturating_add(bytes);
            }
        }
    }
}

/// Looks through the commands of a submission, and puts what may run into a buffer.
pub struct Scanner<'a, P: Policy + ?Sized> {
    policy: &'a mut P,
    engine: EngineId,
    platform: Platform,
    page: &'a mut Page,
    output: &'a mut KVVec<u32>,
    words_left: usize,
    batches_left: u32,
    /// MI_ARB_ON_OFF was off last.
    keeps_engine: bool,
    /// The root of the page tables was loaded.
    changes_root: bool,
}

impl<'a, P: Policy + ?Sized> Scanner<'a, P> {
    /// Puts into `output`, behind what is there. What was in `page` is forgotten.
    pub fn new(
        policy: &'a mut P,
        engine: EngineId,
        platform: Platform,
        page: &'a mut Page,
        output: &'a mut KVVec<u32>,
    ) -> Self {
        page.place = None;
        Self {
            policy,
            engine,
            platform,
            page,
            output,
            words_left: MAX_WORDS,
            batches_left: MAX_BATCHES,
            keeps_engine: false,
            changes_root: false,
        }
    }

    /// What a ring of `size` bytes at `start` has between `head` and `tail`, with the batches that are looked at.
    /// Returns up to where, if not all of that has room: what is left is for another time.
    ///
    /// # Errors
    ///
    /// The [`Flaw`] that was found first; `output` may then have anything behind what was there.
    pub fn ring(&mut self, start: u64, size: u64, head: u64, tail: u64) -> Result<u64, Flaw> {
        if head % 4 != 0 || tail % 4 != 0 || head >= size || tail >= size {
            return Err(Flaw::OutOfReach { address: start });
        }
        let end = if head <= tail {
            tail
        } else {
            size.saturating_add(tail)
        };
        let count = index(end.saturating_sub(head) / 4).min(MAX_WORDS);
        let room = self.output.reserve(count, GFP_KERNEL_ACCOUNT);
        room.map_err(|_| Flaw::Memory)?;
        let mut ring = Place::Ring {
            start,
            size,
            head,
            tail,
        };
        let mut batches = Batches::default();
        // What is whole so far: words, and where in the ring.
        let mut whole = (self.output.len(), head);
        while batches.innermost().is_some() || ring.next().1 > 0 {
            if let (None, Place::Ring { head, .. }) = (batches.innermost(), &ring) {
                whole = (self.output.len(), *head);
            }
            match self.step(&mut ring, &mut batches) {
                Err(Flaw::Budget) if self.may_stop() && whole.1 != head => {
                    self.output.truncate(whole.0);
                    return Ok(whole.1);
                }
                result => result?,
            }
        }
        Ok(tail)
    }

    /// Whether the commands can end here and go on another time. Only the blitter has users' batches in its ring, which can
    /// be many; and nothing may be left that tells how those go on which follow.
    fn may_stop(&self) -> bool {
        self.engine == EngineId::Bcs0 && !self.changes_root
    }

    fn step(&mut self, ring: &mut Place, batches: &mut Batches) -> Result<(), Flaw> {
        let level = batches.level();
        let place = batches.innermost().unwrap_or(ring);
        match self.commands(place, level)? {
            Flow::Next => {}
            Flow::End => batches.end(),
            Flow::Call(batch) => {
                self.count_batch()?;
                batches.call(batch)?;
            }
            Flow::Jump(batch) => {
                self.count_batch()?;
                batches.end();
                batches.call(batch)?;
            }
        }
        Ok(())
    }

    /// A workaround batch at `start`, of `size` bytes if it does not end before. Says whether the engine cannot
    /// be taken away behind it.
    ///
    /// # Errors
    ///
    /// As for [`ring`](Self::ring).
    pub fn workarounds(&mut self, start: u64, size: u64) -> Result<bool, Flaw> {
        let mut place = Place::Workaround {
            at: start,
            end: start.saturating_add(size),
        };
        while place.next().1 > 0 {
            match self.commands(&mut place, Level::Workaround)? {
                Flow::Next => {}
                Flow::End => break,
                Flow::Call(_) | Flow::Jump(_) => return Err(Flaw::Nesting),
            }
        }
        Ok(self.keeps_engine)
    }

    fn count_batch(&mut self) -> Result<(), Flaw> {
        self.batches_left = self.batches_left.checked_sub(1).ok_or(Flaw::Budget)?;
        Ok(())
    }

    /// Copies the commands up to the first one that may be changed and with it, or to the end of the page, and
    /// looks at all of them.
    fn commands(&mut self, place: &mut Place, level: Level) -> Result<Flow, Flaw> {
        let (address, follow) = place.next();
        let inside = index(address % PAGE_SIZE / 4);
        let page = self.page.at(place.space(), address, self.policy)?;
        let end = inside.saturating_add(index(follow)).min(page.len());
        let piece = page.get(inside..end).unwrap_or_default();
        let site = Site {
            engine: self.engine,
            platform: self.platform,
            level,
            is_user: place.space() == Space::Context,
        };
        let (kept, next) = self::kept(piece, &site, self.policy)?;
        let with_next = next
            .as_ref()
            .map(|next| kept.saturating_add(next.length))
            .filter(|count| *count <= piece.len());
        let count = with_next.unwrap_or(kept);
        if count > 0 {
            take(&mut self.words_left, count)?;
            let piece = piece.get(..count).unwrap_or_default();
            let put = self.output.extend_from_slice(piece, GFP_KERNEL_ACCOUNT);
            put.map_err(|_| Flaw::Memory)?;
            place.advance(words(count));
        }
        let Some(next) = next else {
            return Ok(Flow::Next);
        };
        if with_next.is_none() {
            self.copy(place, next.length, next.header)?;
        }
        self.command(&site, &next)
    }

    /// Looks at the command that was copied last.
    fn command(&mut self, site: &Site, next: &Next) -> Result<Flow, Flaw> {
        let first = self.output.len().saturating_sub(next.length);
        let words = self.output.get_mut(first..).unwrap_or_default();
        match site.look(next.rule, words, self.policy)? {
            Verdict::Keep if next.rule == Rule::ArbOnOff => {
                self.keeps_engine = next.header & audit::ARBITRATION_ON == 0;
            }
            Verdict::Keep => {}
            Verdict::Drop => self.output.truncate(first),
            Verdict::Flow(flow) => {
                self.output.truncate(first);
                return Ok(flow);
            }
            Verdict::Instead { words, count } => {
                self.output.truncate(first);
                self.put(words.get(..count).unwrap_or_default())?;
            }
            Verdict::LoadRoot => {
                self.changes_root = true;
                let values = self.policy.switch_root()?;
                self.put_root(&values)?;
            }
            Verdict::Leave => return Ok(Flow::End),
        }
        Ok(Flow::Next)
    }

    fn put(&mut self, words: &[u32]) -> Result<(), Flaw> {
        take(&mut self.words_left, words.len())?;
        let put = self.output.extend_from_slice(words, GFP_KERNEL_ACCOUNT);
        put.map_err(|_| Flaw::Memory)
    }

    /// Loads the root of the page tables.
    fn put_root(&mut self, values: &[u32; 8]) -> Result<(), Flaw> {
        self.put(&[audit::load_registers(values.len())])?;
        let registers = (self.engine.mmio_base() | RING_PDP..).step_by(4);
        for (register, value) in registers.zip(values) {
            self.put(&[register, *value])?;
        }
        Ok(())
    }

    /// Copies the words of a command.
    fn copy(&mut self, place: &mut Place, count: usize, header: u32) -> Result<(), Flaw> {
        take(&mut self.words_left, count)?;
        let mut left = words(count);
        while left > 0 {
            let (address, follow) = place.next();
            if follow == 0 {
                return Err(Flaw::Length { header });
            }
            let inside = address % PAGE_SIZE / 4;
            let take = left.min(follow).min(PAGE_WORDS.saturating_sub(inside));
            let start = index(inside);
            let end = start.saturating_add(index(take));
            let page = self.page.at(place.space(), address, self.policy)?;
            let piece = page.get(start..end).unwrap_or_default();
            let put = self.output.extend_from_slice(piece, GFP_KERNEL_ACCOUNT);
            put.map_err(|_| Flaw::Memory)?;
            place.advance(take);
            left = left.saturating_sub(take);
        }
        Ok(())
    }
}

/// The command behind those that are kept as they stand.
struct Next {
    header: u32,
    rule: Rule,
    length: usize,
}

/// How many words the commands take that a piece of a page begins with and that are kept as they stand, and
/// the command behind them. That one may go on behind the piece; `None` if there is nothing more.
fn kept<P: Policy + ?Sized>(
    piece: &[u32],
    site: &Site,
    policy: &mut P,
) -> Result<(usize, Option<Next>), Flaw> {
    let mut kept = 0usize;
    while let Some(header) = piece.get(kept).copied() {
        // What fills rings and batches up; every engine has it, wherever it is.
        if header == MI_NOOP {
            kept = kept.saturating_add(1);
            continue;
        }
        let unknown = Flaw::Command { header };
        let command = Command::find(header, site.engine, site.platform).ok_or(unknown)?;
        if site.level == Level::Workaround && !command.is_workaround(header) {
            return Err(unknown);
        }
        let length = command.length(header).ok_or(Flaw::Length { header })?;
        let length = index(length.into());
        let end = kept.saturating_add(length);
        // Most are like this.
        if matches!(command.rule, Rule::Free | Rule::FreeOnGen9) && end <= piece.len() {
            kept = end;
            continue;
        }
        match piece.get(kept..end) {
            Some(words) if command.rule.keeps_all() && !site.is_user => {
                audit::judge(command.rule, words, policy)?
            }
            _ => {
                let next = Next {
                    header,
                    rule: command.rule,
                    length,
                };
                return Ok((kept, Some(next)));
            }
        }
        kept = end;
    }
    Ok((kept, None))
}

/// The batches that the ring has started, one in the other.
#[derive(Default)]
struct Batches([Option<Place>; 2]);

impl Batches {
    fn level(&self) -> Level {
        match self.0 {
            [None, _] => Level::Ring,
            [Some(_), None] => Level::First,
            [Some(_), Some(_)] => Level::Second,
        }
    }

    fn innermost(&mut self) -> Option<&mut Place> {
        let [first, second] = &mut self.0;
        second.as_mut().or(first.as_mut())
    }

    fn end(&mut self) {
        let [first, second] = &mut self.0;
        if second.take().is_none() {
            *first = None;
        }
    }

    fn call(&mut self, batch: Batch) -> Result<(), Flaw> {
        let free = self.0.iter_mut().find(|batch| batch.is_none());
        *free.ok_or(Flaw::Nesting)? = Some(Place::Batch(batch));
        Ok(())
    }
}
