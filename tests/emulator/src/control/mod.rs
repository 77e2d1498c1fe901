// SPDX-License-Identifier: GPL-2.0
//! The control socket: how a test looks into a running device and makes it misbehave.
//!
//! A Unix stream socket. A client sends one JSON object a line, a [`Request`], and gets one line for each, in order:
//! `{"ok": answer}` or `{"error": "cause and cure"}`. Many clients may be connected at once; a request of one takes
//! effect before its answer is sent. Numbers may be given as numbers or as strings such as `"0x2030"`; addresses,
//! offsets, ids and register values come back as such strings.

mod display;
mod dump;
mod late;
mod request;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use parking_lot::Mutex;
use serde_json::{json, Value};

use crate::gpu::Gpu;
pub use request::Request;
use request::Session;

/// A line longer than this is refused.
pub const LINE_MAX: usize = 64 << 10;
/// Clients that may be connected at once.
const CLIENTS_MAX: usize = 32;
/// A client that does not take its answer for so long is dropped.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// The listening socket. It is removed when this is dropped; clients that are connected stay until they leave.
pub struct Control {
    path: PathBuf,
    closing: Arc<AtomicBool>,
}

impl Control {
    /// Listens at `path` and answers for `gpu`, on threads of its own. Pictures go to the folder `pictures`; without one
    /// none can be taken.
    ///
    /// # Errors
    ///
    /// The socket cannot be made, or something else than a socket is there.
    pub fn listen(path: &Path, gpu: Arc<Gpu>, pictures: Option<PathBuf>) -> Result<Self> {
        if let Ok(old) = path.symlink_metadata() {
            ensure!(
                old.file_type().is_socket(),
                "{} is there and is no socket; remove it or name another path for the control socket",
                path.display()
            );
            std::fs::remove_file(path).with_context(|| format!("removing the old socket {}", path.display()))?;
        }
        let listener =
            UnixListener::bind(path).with_context(|| format!("listening for control at {}", path.display()))?;
        let control = Self { path: path.to_owned(), closing: Arc::default() };
        let closing = control.closing.clone();
        thread::Builder::new()
            .name("control".into())
            .spawn(move || accept(&listener, &gpu, &closing, pictures))
            .context("starting the thread of the control socket")?;
        Ok(control)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        // The listener waits in accept(): one last connection makes it look.
        drop(UnixStream::connect(&self.path));
        if let Err(error) = std::fs::remove_file(&self.path) {
            log::warn!("the control socket {} stays: {error}", self.path.display());
        }
    }
}

fn accept(listener: &UnixListener, gpu: &Arc<Gpu>, closing: &AtomicBool, pictures: Option<PathBuf>) {
    let clients = Arc::new(AtomicUsize::new(0));
    let session = Arc::new(Mutex::new(Session::new(pictures)));
    loop {
        let accepted = listener.accept();
        if closing.load(Ordering::Acquire) {
            return;
        }
        let mut stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                log::warn!("control: no connection: {error}");
                // Most likely out of file descriptors: it passes, but not at once.
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        if clients.fetch_add(1, Ordering::AcqRel) >= CLIENTS_MAX {
            clients.fetch_sub(1, Ordering::AcqRel);
            let answer = failure(format!("{CLIENTS_MAX} clients are connected already; close one and try again"));
            // Whether a client that is turned away hears why is its own affair.
            drop(send(&mut stream, &answer));
            continue;
        }
        let (gpu, session, counted) = (gpu.clone(), session.clone(), clients.clone());
        let spawned = thread::Builder::new().name("control client".into()).spawn(move || {
            if let Err(error) = converse(stream, &gpu, &session) {
                log::debug!("control: a client went away: {error}");
            }
            counted.fetch_sub(1, Ordering::AcqRel);
        });
        if let Err(error) = spawned {
            clients.fetch_sub(1, Ordering::AcqRel);
            log::warn!("control: no thread for a client: {error}");
        }
    }
}

/// Answers one client until it leaves.
fn converse(mut stream: UnixStream, gpu: &Arc<Gpu>, session: &Mutex<Session>) -> io::Result<()> {
    stream.set_write_timeout(Some(WRITE_PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut reader).take(LINE_MAX as u64 + 1).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(());
        }
        if line.len() > LINE_MAX {
            let error =
                format!("a request has more than {LINE_MAX} bytes; split it (audit-page-set takes page sets in parts)");
            return send(&mut stream, &failure(error));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        send(&mut stream, &answer(&line, gpu, session))?;
    }
}

fn answer(line: &[u8], gpu: &Arc<Gpu>, session: &Mutex<Session>) -> Value {
    let result = serde_json::from_slice::<Request>(line)
        .map_err(|error| format!("this is no request: {error}; see the README of the emulator for requests and fields"))
        .and_then(|request| request.run(gpu, session));
    match result {
        Ok(answer) => json!({ "ok": answer }),
        Err(error) => failure(error),
    }
}

fn failure(error: String) -> Value {
    json!({ "error": error })
}

fn send(stream: &mut UnixStream, answer: &Value) -> io::Result<()> {
    let mut text = serde_json::to_vec(answer)?;
    text.push(b'\n');
    stream.write_all(&text)
}

#[cfg(test)]
mod tests;
