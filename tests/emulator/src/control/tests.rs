// SPDX-License-Identifier: GPL-2.0
use std::os::unix::net::UnixStream;
use std::time::Instant;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::audit::{Access, Client};
use crate::gpu::Config;
use crate::gtt::Space;
use crate::irq::{Group, MASTER_IRQ, MASTER_IRQ_ENABLE};
use crate::platform::Platform;

struct Rig {
    gpu: Arc<Gpu>,
    control: Control,
    _directory: TempDir,
}

struct Connection(BufReader<UnixStream>);

impl Rig {
    fn new() -> Self {
        let gpu = Arc::new(Gpu::new(Config::new(Platform::by_name("skl").unwrap())).unwrap());
        let directory = tempfile::tempdir().unwrap();
        let control =
            Control::listen(&directory.path().join("control"), gpu.clone(), Some(directory.path().to_owned())).unwrap();
        Self { gpu, control, _directory: directory }
    }

    fn connect(&self) -> Connection {
        Connection(BufReader::new(UnixStream::connect(&self.control.path).unwrap()))
    }

    fn touch(&self, frame: u64) {
        let page = frame << 12;
        let access = Access { client: Client::Aperture, space: Space::Ggtt, address: page, page, write: true };
        self.gpu.auditor.access(&access);
    }
}

impl Connection {
    fn ask_raw(&mut self, line: &[u8]) -> Value {
        self.0.get_mut().write_all(line).unwrap();
        let mut answer = String::new();
        self.0.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{answer:?}: {error}"))
    }

    fn ask(&mut self, request: Value) -> Value {
        self.ask_raw(format!("{request}\n").as_bytes())
    }

    fn ok(&mut self, request: Value) -> Value {
        let answer = self.ask(request.clone());
        answer.get("ok").unwrap_or_else(|| panic!("{request}: {answer}")).clone()
    }

    fn error(&mut self, request: Value) -> String {
        let answer = self.ask(request.clone());
        answer["error"].as_str().unwrap_or_else(|| panic!("{request}: {answer}")).to_owned()
    }
}

#[test]
fn counters_are_shown_and_reset() {
    let rig = Rig::new();
    let mut client = rig.connect();
    rig.gpu.stats.mmio(0x2030, true);
    let counts = client.ok(json!({"request": "statistics"}));
    assert_eq!(counts["mmio"]["writes"]["registers"], json!({"0x2030": 1}));
    let time = client.ok(json!({"request": "time"})).as_u64().unwrap();
    assert!(client.ok(json!({"request": "time"})).as_u64().unwrap() >= time);
    client.ok(json!({"request": "reset-statistics"}));
    assert_eq!(client.ok(json!({"request": "statistics"}))["mmio"]["writes"]["total"], 0);
}

#[test]
fn state_is_shown() {
    let rig = Rig::new();
    let mut client = rig.connect();
    rig.gpu.bar0.store(0x2080, 0x1234_5000);
    let registers = client.ok(json!({"request": "registers", "first": "0x2080", "count": 2}));
    assert_eq!(registers["0x2080"], "0x12345000");
    assert_eq!(registers.as_object().unwrap().len(), 2);
    let engines = client.ok(json!({"request": "engines"}));
    assert_eq!(engines["rcs0"]["registers"]["hws_pga"], "0x12345000");
    assert_eq!((&engines["rcs0"]["active"], &engines["rcs0"]["hung"]), (&json!(false), &json!(false)));
    rig.gpu.irq.write(0x4_430c, 0x101);
    let interrupts = client.ok(json!({"request": "interrupts"}));
    assert_eq!(interrupts["groups"]["gt0"], json!({"isr": "0x0", "imr": "0xffffffff", "iir": "0x0", "ier": "0x101"}));
    rig.gpu.bar0.set_pte(3, 0x5001);
    let ggtt = client.ok(json!({"request": "ggtt", "count": 16}));
    assert_eq!(ggtt["runs"], json!([{"first": 3, "count": 1, "entry": "0x5001", "step": 0}]));
}

#[test]
fn engines_and_interrupts_misbehave_on_request() {
    let rig = Rig::new();
    let mut client = rig.connect();
    client.ok(json!({"request": "hang", "engine": "bcs0"}));
    client.ok(json!({"request": "delay-completion", "engine": "bcs0", "us": 1500}));
    client.ok(json!({"request": "keep-translations", "engine": "bcs0"}));
    let engines = client.ok(json!({"request": "engines"}));
    assert_eq!((&engines["bcs0"]["hang_armed"], &engines["rcs0"]["hang_armed"]), (&json!(true), &json!(false)));
    assert_eq!(engines["bcs0"]["completion_delay_us"], 1500);
    assert_eq!(
        (&engines["bcs0"]["keeps_translations"], &engines["rcs0"]["keeps_translations"]),
        (&json!(true), &json!(false))
    );
    client.ok(json!({"request": "clear-faults"}));
    let engines = client.ok(json!({"request": "engines"}));
    assert_eq!((&engines["bcs0"]["hang_armed"], &engines["bcs0"]["completion_delay_us"]), (&json!(false), &json!(0)));

    rig.gpu.irq.write(0x4_4304, 0);
    rig.gpu.irq.write(0x4_430c, 1);
    rig.gpu.irq.write(MASTER_IRQ, MASTER_IRQ_ENABLE);
    let before = rig.gpu.irq.counts();
    let interrupt = || {
        rig.gpu.irq.write(0x4_4308, 1);
        rig.gpu.irq.raise(Group::Gt0, 1);
    };
    client.ok(json!({"request": "drop-interrupts"}));
    interrupt();
    assert_eq!(rig.gpu.irq.counts(), (before.0, before.1 + 1));
    client.ok(json!({"request": "delay-interrupts", "us": 3000}));
    let start = Instant::now();
    interrupt();
    while rig.gpu.irq.counts().0 == before.0 {
        assert!(start.elapsed() < Duration::from_secs(60), "the message never came");
        thread::sleep(Duration::from_micros(100));
    }
    assert!(start.elapsed() >= Duration::from_millis(3), "{:?}", start.elapsed());
    // A second delay finds the first one's thread gone or going.
    for round in 1..=20 {
        client.ok(json!({"request": "delay-interrupts", "us": 0}));
        interrupt();
        while rig.gpu.irq.counts().0 == before.0 + round {
            assert!(start.elapsed() < Duration::from_secs(60), "message {round} never came");
            thread::sleep(Duration::from_micros(100));
        }
    }
}

#[test]
fn an_allow_list_is_armed_broken_and_cleared() {
    let rig = Rig::new();
    let mut client = rig.connect();
    client.ok(json!({"request": "audit-page-set", "name": "mine", "pages": [[16, 31]]}));
    let ranges = client.ok(json!({"request": "audit-page-set", "name": "mine", "pages": [[32, 40], [50, 50]]}));
    assert_eq!(ranges, json!({"ranges": 2}));
    let terms = json!({"rule": "confine", "contexts": [{"client": "aperture"}], "pages": "mine"});
    assert_eq!(client.ok(json!({"request": "audit-allow", "terms": terms})), 1);
    for frame in [16, 40, 50, 41] {
        rig.touch(frame);
    }
    let rules = client.ok(json!({"request": "audit-rules"}));
    assert_eq!(rules[0]["violations"], 1);
    assert_eq!(rules[0]["terms"]["pages"], json!([[16, 40], [50, 50]]));
    assert_eq!(client.ok(json!({"request": "statistics"}))["audit"]["violations"], 1);
    let terms = json!({"rule": "separate", "groups": [[[16, 16]], "mine"]});
    assert!(client.error(json!({"request": "audit-allow", "terms": terms})).contains("page 16 is in two groups"));
    client.ok(json!({"request": "audit-disarm"}));
    rig.touch(42);
    client.ok(json!({"request": "audit-report"}));
    let pages = client.ok(json!({"request": "audit-pages"}));
    assert_eq!(
        pages,
        json!([{"client": "aperture", "lrca": null, "contexts": [], "read": [], "write": [[16, 16], [40, 41], [50, 50]]}])
    );
    client.ok(json!({"request": "audit-clear"}));
    client.ok(json!({"request": "audit-arm"}));
    assert_eq!(client.ok(json!({"request": "audit-pages"})), json!([]));
    let terms = json!({"rule": "reserve", "contexts": [], "pages": "mine"});
    assert!(client.error(json!({"request": "audit-allow", "terms": terms})).contains("audit-page-set"));
}

#[test]
fn errors_say_what_to_do_and_the_connection_goes_on() {
    let rig = Rig::new();
    let mut client = rig.connect();
    for (line, part) in [
        (&b"hello\n"[..], "no request"),
        (b"[1]\n", "no request"),
        (b"{\"request\": \"explode\"}\n", "reset-statistics"),
        (b"\xff\xfe\n", "no request"),
        (b"{\"request\": \"hang\", \"engine\": \"vcs1\"}\n", "choose one of rcs0, bcs0, vcs0, vecs0"),
        (b"{\"request\": \"hang\", \"engine\": \"rcs0\", \"when\": 1}\n", "when"),
        (b"{\"request\": \"delay-completion\", \"engine\": \"rcs0\", \"us\": 60000001}\n", "at most 60000000"),
        (b"{\"request\": \"registers\", \"first\": -4}\n", "0x2030"),
        (b"\n  \n{\"request\": \"audit-allow\", \"terms\": 7}\n", "no rule"),
    ] {
        let answer = client.ask_raw(line);
        assert!(answer["error"].as_str().is_some_and(|error| error.contains(part)), "{answer}");
    }
    client.ok(json!({"request": "engines"}));
}

#[test]
fn a_line_without_end_is_cut_off() {
    let rig = Rig::new();
    let mut client = rig.connect();
    let request = b"{\"request\":\"audit-rules\"}\n";
    let padding = vec![b' '; LINE_MAX - request.len()];
    let answer = client.ask_raw(&[&padding[..], request].concat());
    assert_eq!(answer, json!({"ok": []}));
    let answer = client.ask_raw(&vec![b'x'; LINE_MAX + 1]);
    assert!(answer["error"].as_str().unwrap().contains("65536"), "{answer}");
    assert_eq!(client.0.read_line(&mut String::new()).unwrap(), 0, "the connection is closed");
}

#[test]
fn several_clients_are_served_and_too_many_turned_away() {
    let rig = Rig::new();
    let mut clients: Vec<_> = (0..CLIENTS_MAX).map(|_| rig.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.ok(json!({"request": "audit-rules"})), json!([]));
    }
    let mut answer = String::new();
    rig.connect().0.read_line(&mut answer).unwrap();
    assert!(answer.contains("close one"), "{answer}");
    drop(clients);
    let start = Instant::now();
    loop {
        let mut client = rig.connect();
        // A refusal may be on its way, and the socket closed, before the request is written.
        let asked = client.0.get_mut().write_all(b"{\"request\": \"audit-rules\"}\n");
        let mut answer = String::new();
        if asked.is_ok() && client.0.read_line(&mut answer).is_ok() && answer == "{\"ok\":[]}\n" {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "the places of gone clients stay taken");
    }
}

#[test]
fn the_socket_is_replaced_and_removed_but_no_other_file_is() {
    let rig = Rig::new();
    let path = rig.control.path.clone();
    let second = Control::listen(&path, rig.gpu.clone(), None).unwrap();
    drop(second);
    assert!(!path.exists());
    std::fs::write(&path, "precious").unwrap();
    let error = Control::listen(&path, rig.gpu.clone(), None).err().unwrap();
    assert!(error.to_string().contains("no socket"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn monitors_come_and_go() {
    let rig = Rig::new();
    let mut connection = rig.connect();
    let connected = |connection: &mut Connection| connection.ok(json!({"request": "display"}))["connected"].clone();
    assert_eq!(connected(&mut connection), json!([false, true, false, false, false]));
    connection.ok(json!({"request": "monitor", "port": "B", "connected": false}));
    connection.ok(json!({"request": "monitor", "port": "D", "connected": true, "input": "hdmi", "mode": "720p"}));
    assert_eq!(connected(&mut connection), json!([false, false, false, true, false]));
    assert_eq!(rig.gpu.mmio_read(0xc4000), 1 << 23);
    let error = connection.error(json!({"request": "monitor", "port": "Q", "connected": true}));
    assert!(error.contains("no port"), "{error}");
}

#[test]
fn pictures_go_to_their_folder() {
    let rig = Rig::new();
    let mut connection = rig.connect();
    let picture = |pipe: &str, name: &str| json!({"request": "picture", "pipe": pipe, "name": name});
    let error = connection.error(picture("A", "screen"));
    assert!(error.contains("set a mode"), "{error}");
    rig.gpu.bar0.store(0x6001c, 31 << 16 | 15);
    rig.gpu.mmio_write(0x70008, 1 << 31);
    let answer = connection.ok(picture("a", "screen"));
    assert_eq!((&answer["width"], &answer["height"]), (&json!(32), &json!(16)));
    assert!(Path::new(answer["path"].as_str().unwrap()).is_file());
    for name in ["", "../screen", "a/b"] {
        assert!(connection.error(picture("A", name)).contains("is no name"));
    }
}
