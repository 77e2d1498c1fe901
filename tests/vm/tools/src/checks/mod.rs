// SPDX-License-Identifier: GPL-2.0
//! The checks: what each needs, and how they are chosen by name and run.

mod aperture;
mod blit;
mod flow;
mod hang;
mod sched;
pub mod speed;
mod spin;
mod store;
mod sync;
mod vm;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Result};

use crate::batch::Batch;
use crate::drm::{Class, Device, Engine};
use crate::exec::{batch_bo, Exec};
use crate::gem::{Bo, Context};
use crate::report::{Report, Status};

/// What the checks work with.
#[derive(Debug)]
pub struct Env {
    /// The device.
    pub device: Rc<Device>,
    /// How long to wait for a batch that should take no time. A software GPU under a loaded machine is slow.
    pub limit: Duration,
    /// How many batches the measurements submit.
    pub count: u32,
    metrics: RefCell<Vec<(String, f64, &'static str)>>,
}

/// Which engines a check wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Runs once for each engine.
    Each,
    /// Runs once for each engine of the class.
    Of(Class),
    /// Runs once for the device.
    Device,
}

type DeviceCheck = fn(&Env) -> Result<()>;
type EngineCheck = fn(&Env, &Engine) -> Result<()>;

#[derive(Clone, Copy)]
enum Body {
    Engine(EngineCheck),
    Device(DeviceCheck),
}

/// One check as the table of its module declares it.
#[derive(Clone, Copy)]
struct Check {
    name: &'static str,
    about: &'static str,
    scope: Scope,
    /// Whether it runs without being named.
    default: bool,
    /// Why the check does not suit a device or engine, if so.
    unsuited: fn(&Env, Option<&Engine>) -> Option<String>,
    body: Body,
}

impl Check {
    const fn each(name: &'static str, about: &'static str, body: EngineCheck) -> Check {
        Check { name, about, scope: Scope::Each, default: true, unsuited: |_, _| None, body: Body::Engine(body) }
    }

    const fn of(class: Class, name: &'static str, about: &'static str, body: EngineCheck) -> Check {
        Check { scope: Scope::Of(class), ..Check::each(name, about, body) }
    }

    const fn device(name: &'static str, about: &'static str, body: DeviceCheck) -> Check {
        Check { name, about, scope: Scope::Device, default: true, unsuited: |_, _| None, body: Body::Device(body) }
    }

    const fn only_by_name(self) -> Check {
        Check { default: false, ..self }
    }

    const fn unless(self, unsuited: fn(&Env, Option<&Engine>) -> Option<String>) -> Check {
        Check { unsuited, ..self }
    }
}

fn all() -> Vec<Check> {
    [
        store::CHECKS,
        flow::CHECKS,
        blit::CHECKS,
        vm::CHECKS,
        sync::CHECKS,
        sched::CHECKS,
        speed::CHECKS,
        aperture::CHECKS,
        hang::CHECKS,
    ]
    .concat()
}

/// A check together with the engine it runs on.
struct Job<'a> {
    check: Check,
    engine: Option<&'a Engine>,
    name: String,
}

fn jobs(device: &Device) -> Vec<Job<'_>> {
    let mut jobs = Vec::new();
    for check in all() {
        match check.scope {
            Scope::Device => jobs.push(Job { check, engine: None, name: check.name.to_owned() }),
            Scope::Each | Scope::Of(_) => {
                let wanted = |engine: &&Engine| match check.scope {
                    Scope::Of(class) => engine.class == class,
                    Scope::Each | Scope::Device => true,
                };
                for engine in device.engines.iter().filter(wanted) {
                    let name = format!("{}/{}", check.name, engine.name);
                    jobs.push(Job { check, engine: Some(engine), name });
                }
            }
        }
    }
    jobs
}

/// Whether a name that the user gave means a job: the whole name, the check's name without engine, or a `*` at the end.
fn selects(wanted: &str, check: &str, job: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => job.starts_with(start),
        None => wanted == check || wanted == job,
    }
}

/// All checks as text, one line each; those that run only by name are marked.
pub fn list() -> String {
    let mut text = String::new();
    for check in all() {
        let scope = match check.scope {
            Scope::Each => "/ENGINE".to_owned(),
            Scope::Of(class) => format!("/{}N", class.short()),
            Scope::Device => String::new(),
        };
        let mark = if check.default { "" } else { " (only by name)" };
        text += &format!("{:28} {}{mark}\n", format!("{}{scope}", check.name), check.about);
    }
    text
}

/// Runs the checks that the names select, or all that suit the device, without those in `skip`.
///
/// # Errors
///
/// Names a selection that matches nothing.
pub fn run(env: &Env, names: &[String], skip: &[String], report: &mut Report) -> Result<()> {
    let device = Rc::clone(&env.device);
    let jobs = jobs(&device);
    for wanted in names.iter().chain(skip) {
        ensure!(
            jobs.iter().any(|job| selects(wanted, job.check.name, &job.name)),
            "no check is called {wanted}; --list shows the names"
        );
    }
    for job in jobs {
        let selected = if names.is_empty() {
            job.check.default
        } else {
            names.iter().any(|wanted| selects(wanted, job.check.name, &job.name))
        };
        if !selected || skip.iter().any(|unwanted| selects(unwanted, job.check.name, &job.name)) {
            continue;
        }
        if let Some(reason) = (job.check.unsuited)(env, job.engine) {
            report.check(job.name, Status::Skip, reason, Duration::ZERO);
            continue;
        }
        let start = Instant::now();
        let result = match (job.check.body, job.engine) {
            (Body::Engine(body), Some(engine)) => body(env, engine),
            (Body::Device(body), _) => body(env),
            (Body::Engine(_), None) => bail!("check {} has no engine to run on", job.name),
        };
        let took = start.elapsed();
        for (name, value, unit) in env.metrics.take() {
            report.metric(name, value, unit);
        }
        match result {
            Ok(()) => report.check(job.name, Status::Pass, String::new(), took),
            Err(error) => report.check(job.name, Status::Fail, format!("{error:#}"), took),
        }
    }
    Ok(())
}

impl Env {
    /// What the checks need to know of a device.
    pub fn new(device: Device, limit: Duration, count: u32) -> Env {
        Env { device: Rc::new(device), limit, count, metrics: RefCell::default() }
    }

    /// Keeps a figure for the report.
    fn metric(&self, name: String, value: f64, unit: &'static str) {
        self.metrics.borrow_mut().push((name, value, unit));
    }

    /// Runs a batch to its end on an engine, in a new context, with one buffer that it writes.
    fn run_batch(&self, engine: &Engine, batch: &Batch, target: &Bo) -> Result<()> {
        let context = Context::new(&self.device)?;
        self.run_in(&context, engine, batch, &[target])
    }

    /// Runs a batch to its end in a context, with buffers that it writes.
    pub(crate) fn run_in(&self, context: &Context, engine: &Engine, batch: &Batch, targets: &[&Bo]) -> Result<()> {
        let code = batch_bo(&self.device, batch)?;
        let mut exec = Exec::new(context, engine, &code);
        for target in targets {
            exec = exec.writes(target);
        }
        exec.submit()?;
        self.finish(&code)
    }

    /// Waits for the end of a batch.
    fn finish(&self, code: &Bo) -> Result<()> {
        ensure!(code.wait(self.limit)?, "the batch did not end within {:.1} s", self.limit.as_secs_f64());
        Ok(())
    }
}

/// Fails with both values in hexadecimal unless they are the same.
fn same(what: &str, found: u64, expected: u64) -> Result<()> {
    ensure!(found == expected, "{what} is {found:#x} instead of {expected:#x}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_select() {
        assert!(selects("store", "store", "store/rcs0"));
        assert!(selects("store/rcs0", "store", "store/rcs0"));
        assert!(selects("st*", "store", "store/rcs0"));
        assert!(!selects("store/bcs0", "store", "store/rcs0"));
        assert!(!selects("sto", "store", "store/rcs0"));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all().iter().map(|check| check.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(list().lines().count() == count);
    }
}
