//! Misuses devices on buses, as config `how` says:
//!
//! - `operations`: a transaction of 100,000; `many`: of 43;
//! - `read`: reads 4 GiB; `write`: writes a MiB;
//! - `long`: reads 60,000 bytes, which takes 5 s on the bus;
//! - `stuck`: asks the device `stuck`, which never answers;
//! - `flood`: transactions without end; `open`: opens the device without end;
//! - `delay`: waits for 4 s in a transaction on SPI.

#![forbid(unsafe_code)]

use loopgate_guest::bindings::loopgate::driver::{i2c, spi};
use loopgate_guest::prelude::*;
use loopgate_test_guests::{Trigger, misbehaves};

fn transact(trigger: &Trigger) -> Reply {
    let name = if trigger.how == "stuck" {
        "stuck"
    } else {
        "device"
    };
    let device = match i2c::Device::open(name) {
        Ok(device) => device,
        Err(code) => return format!("not opened: {code:?}").into(),
    };
    let one = |operation| device.transaction(&[operation]);
    let made = match trigger.how.as_str() {
        "operations" => device.transaction(&vec![i2c::Operation::Read(0); 100_000]),
        "many" => device.transaction(&[const { i2c::Operation::Read(1) }; 43]),
        "read" => one(i2c::Operation::Read(u32::MAX)),
        "write" => one(i2c::Operation::Write(vec![0; 1 << 20])),
        "long" => one(i2c::Operation::Read(60_000)),
        "flood" => loop {
            if let Err(error) = one(i2c::Operation::Read(16)) {
                break Err(error);
            }
        },
        "open" => return open().into(),
        "delay" => return delay().into(),
        _ => one(i2c::Operation::Read(1)),
    };
    match made {
        Ok(read) => format!("read {}", read.concat().len()).into(),
        Err(error) => format!("refused: {error:?}").into(),
    }
}

fn open() -> String {
    for count in 0.. {
        match i2c::Device::open("spare") {
            Ok(device) => std::mem::forget(device),
            Err(code) => return format!("opened {count}, stopped by {code:?}"),
        }
    }
    String::new()
}

fn delay() -> String {
    let Ok(display) = spi::Device::open("display") else {
        return "not opened".into();
    };
    format!(
        "waited: {:?}",
        display.transaction(&[spi::Operation::DelayNs(u32::MAX)])
    )
}

misbehaves!(transact);
