//! `modbus-master` against somebody else's slave, the package `pymodbus`.

use loopgate_integration::program::Program;
use loopgate_integration::{driver, entry, root, until};
use std::process::{Child, Command, Stdio};

struct Slave(Child);

impl Slave {
    fn signal(&self, signal: &str) {
        let id = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Slave {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn has_pymodbus() -> bool {
    let found = Command::new("python3")
        .args(["-c", "import pymodbus, serial"])
        .stderr(Stdio::null())
        .status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        eprintln!(
            "SKIPPED: no `pymodbus` and `pyserial` for python3; `pip install pymodbus pyserial` adds them"
        );
    }
    found
}

fn uptime(program: &Program) -> u64 {
    let status: serde_json::Value =
        serde_json::from_str(&program.says(&["status", "--json"])).unwrap();
    status["uptime-ns"].as_u64().unwrap()
}

/// The register's value, or the code that `read` ends with.
fn read(program: &Program, register: &str) -> Result<u64, String> {
    let output = program
        .command(&["call", "modbus", "read", register])
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() {
        Ok(text(output.stdout).trim().parse().unwrap())
    } else {
        Err(text(output.stderr))
    }
}

#[test]
fn it_reads_writes_and_survives_a_slave_that_stops_for_five_seconds() {
    if !has_pymodbus() {
        return;
    }
    let rest = "provides = [\"modbus\"]\nconfig = { period-ms = \"50\", timeout-ms = \"200\" }\n[driver.serial]\nport = { pty = \"run/bus\", baud = 19200 }";
    let program = Program::run(&format!(
        "[board]\nbackend = \"sim\"\n{}",
        entry("modbus", &driver("modbus_master"), rest)
    ));
    let script = root().join("tests/integration/slaves/modbus_slave.py");
    let slave = Command::new("python3")
        .arg(script)
        .arg(program.path("run/bus"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let slave = Slave(slave);

    until("the slave is polled", || read(&program, "3") == Ok(103));
    assert_eq!(read(&program, "7"), Ok(107));
    program.says(&["call", "modbus", "write", "3", "4711"]);
    assert_eq!(read(&program, "3"), Ok(4711));

    slave.signal("-STOP");
    until("the master notices", || {
        read(&program, "3").is_err_and(|error| error.contains("timed-out"))
    });
    let stopped = uptime(&program);
    until("five seconds have passed", || {
        uptime(&program) - stopped > 5_000_000_000
    });
    assert!(read(&program, "3").is_err());
    assert_eq!(program.status()["state"], "running");

    slave.signal("-CONT");
    until("the slave is polled again", || {
        read(&program, "3") == Ok(4711)
    });
    program.says(&["call", "modbus", "write", "5", "42"]);
    assert_eq!(read(&program, "5"), Ok(42));
}
