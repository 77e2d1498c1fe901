// SPDX-License-Identifier: GPL-2.0

//! Random requests to a vGPU, ten million if nothing else is said: `soak [REQUESTS [SEED]]`. The same seed makes the
//! same requests. Prints what was asked for and what became of it.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use exercise::{Op, Outcome, Rig, Source};

const REQUESTS: u64 = 10_000_000;
const SEED: u64 = 0x6b76_6d67_7400_0001;
/// How often to look at what must not change.
const CHECK_EVERY: u64 = 1 << 12;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let requests = arguments.next().map_or(Ok(REQUESTS), |text| text.parse())?;
    let seed = arguments.next().map_or(Ok(SEED), |text| text.parse())?;
    println!("soak: {requests} requests, seed {seed}");

    let begin = Instant::now();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut rig = Rig::new().map_err(|error| format!("no vGPU: {error:?}"))?;
    let mut counts: BTreeMap<(&str, Outcome), u64> = BTreeMap::new();
    let mut bytes = [0; 128];
    for request in 0..requests {
        random.fill(&mut bytes);
        let op = Source::new(&bytes).op();
        let outcome = rig.apply(&op);
        *counts.entry((name(&op), outcome)).or_default() += 1;
        if request % CHECK_EVERY == 0 {
            rig.check().map_err(|error| format!("after request {request}: {error:?}"))?;
        }
    }
    rig.check().map_err(|error| format!("at the end: {error:?}"))?;

    for ((name, outcome), count) in &counts {
        println!("{name:12} {outcome:8?} {count:10}");
    }
    println!("guest memory {:19}", rig.env.memory_accesses);
    println!("aperture     {:19}", rig.env.aperture_accesses);
    // A soak in which all requests of a kind go one way tests half of them.
    for name in ["read", "write", "map", "region info", "irq info", "set irqs"] {
        for outcome in [Outcome::Done, Outcome::Refused] {
            if requests >= 100_000 && !counts.contains_key(&(name, outcome)) {
                return Err(format!("no request `{name}` was {outcome:?}").into());
            }
        }
    }
    println!("soak: {requests} requests in {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

fn name(op: &Op) -> &'static str {
    match op {
        Op::Read { .. } => "read",
        Op::Write { .. } => "write",
        Op::Map { .. } => "map",
        Op::RegionInfo(_) => "region info",
        Op::IrqInfo(_) => "irq info",
        Op::SetIrqs(..) => "set irqs",
        Op::Reset => "reset",
        Op::GuestWrite { .. } => "guest write",
    }
}
