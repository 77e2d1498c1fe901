// SPDX-License-Identifier: GPL-2.0
//! Sends one request to the control socket of a running `emulated-gpu` and prints the answer.
//!
//! `gpuctl SOCKET '{"request": "registers", "first": "0x2080"}'` and `gpuctl SOCKET registers first=0x2080` are the
//! same. A value after `=` is taken as JSON where it is JSON, else as a string. The exit code is 0 if the device did what
//! it was asked, 1 if it refused, 2 if it could not be asked.
#![forbid(unsafe_code)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, Context, Result};
use clap::Parser;
use serde_json::{Map, Value};

/// Ask a running emulated-gpu something, or make it misbehave
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Control socket of the device
    socket: PathBuf,
    /// A request as JSON, or its name
    request: String,
    /// Fields of the request, after its name: first=0x2080
    fields: Vec<String>,
}

fn request(arguments: &Arguments) -> Result<Value> {
    if arguments.request.trim_start().starts_with('{') {
        if let Some(field) = arguments.fields.first() {
            bail!("{field:?} follows a request in JSON; put it into the braces");
        }
        return serde_json::from_str(&arguments.request).context("the request is not JSON");
    }
    let mut request = Map::new();
    request.insert("request".into(), arguments.request.as_str().into());
    for field in &arguments.fields {
        let (name, text) = field.split_once('=').with_context(|| format!("{field:?} is no field; write name=value"))?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        request.insert(name.into(), value);
    }
    Ok(Value::Object(request))
}

fn ask(socket: &Path, request: &Value) -> Result<Value> {
    let mut stream = UnixStream::connect(socket)
        .with_context(|| format!("connecting to {}; does emulated-gpu run with --control?", socket.display()))?;
    stream.write_all(format!("{request}\n").as_bytes()).context("sending the request")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).context("reading the answer")?;
    serde_json::from_str(&answer).with_context(|| format!("the answer {answer:?} is not JSON"))
}

fn run() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let answer = ask(&arguments.socket, &request(&arguments)?)?;
    if let Some(error) = answer.get("error") {
        eprintln!("gpuctl: {}", error.as_str().unwrap_or_default());
        return Ok(ExitCode::from(1));
    }
    println!("{:#}", answer.get("ok").unwrap_or(&Value::Null));
    Ok(ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("gpuctl: {error:#}");
        ExitCode::from(2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Value> {
        request(&Arguments::parse_from([&["gpuctl", "socket"], words].concat()))
    }

    #[test]
    fn words_and_json_make_the_same_request() {
        let words = parse(&["delay-completion", "engine=rcs0", "us=15"]).unwrap();
        let json = parse(&[r#"{"request": "delay-completion", "engine": "rcs0", "us": 15}"#]).unwrap();
        assert_eq!(words, json);
        assert_eq!(parse(&["registers", "first=0x20"]).unwrap()["first"], "0x20");
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(parse(&["hang", "rcs0"]).unwrap_err().to_string().contains("name=value"));
        assert!(parse(&["{}", "engine=rcs0"]).is_err());
        assert!(parse(&["{"]).is_err());
    }
}
