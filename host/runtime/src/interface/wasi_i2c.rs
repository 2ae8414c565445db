//! `wasi:i2c` as it is published, for components that were built against it.

use self::bindings::exports::loopgate::driver::wasi_i2c::Granted;
use self::bindings::wasi::i2c::delay::{self, HostDelay};
use self::bindings::wasi::i2c::i2c::{self, ErrorCode, HostI2c, NoAcknowledgeSource, Operation};
use crate::bindings::loopgate::driver::i2c as ours;
use crate::buses::I2cDevice;
use crate::grants::Named;
use crate::guest::Guest;
use crate::limits::LimitHit;
use crate::time::Time;
use crate::trace::{self, Put as _};
use std::time::Duration;
use wasmtime::Store;
use wasmtime::component::{Component, HasData, Instance, Linker, Resource};

pub(crate) mod wit {
    pub(crate) use super::bindings::exports::loopgate::driver::wasi_i2c::Granted;
    pub(crate) use super::bindings::wasi::i2c::delay::{Host as DelayHost, HostDelay};
    pub(crate) use super::bindings::wasi::i2c::i2c::{
        ErrorCode, Host, HostI2c, NoAcknowledgeSource, Operation,
    };
}

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package loopgate:host;

            world wasi-i2c {
                import wasi:i2c/i2c@0.2.0-draft;
                import wasi:i2c/delay@0.2.0-draft;
                export loopgate:driver/wasi-i2c@0.1.0;
            }
        ",
        world: "loopgate:host/wasi-i2c",
        imports: { default: trappable },
        with: {
            "wasi:i2c/i2c.i2c": super::Bus,
            "wasi:i2c/delay.delay": super::Delay,
        },
    });
}

/// What takes the devices in a component that exports it.
pub(crate) type Connect = bindings::WasiI2c;

/// What drivers export, and the host imports.
const EXPORT: &str = "loopgate:driver/wasi-i2c@0.1.0";
const IMPORTS: [&str; 2] = ["wasi:i2c/i2c@0.2.0-draft", "wasi:i2c/delay@0.2.0-draft"];

/// A bus on which one device is.
pub struct Bus {
    name: String,
    /// None once the grant was withdrawn.
    device: Option<I2cDevice>,
}

impl Bus {
    /// Closes it, where its device has this name.
    pub(crate) fn withdraw(&mut self, grant: &Named) -> Option<()> {
        let device = self.device.take_if(|_| grant.is_device(&self.name));
        device.map(drop)
    }
}

/// Delays have nothing to keep.
pub struct Delay;

/// Why there is nothing to call it with: buses are handed over, and not opened.
pub(crate) const UNWANTED: &str = "it imports `wasi:i2c/i2c`, and is given no bus; \
    export `loopgate:driver/wasi-i2c@0.1.0`, whose `connect` takes those that are granted";

/// Whether this import is the buses.
pub(crate) fn is_bus(import: &str) -> bool {
    import == IMPORTS[0]
}

pub(super) fn is_offered(import: &str) -> bool {
    IMPORTS.contains(&import)
}

pub(super) fn add_to_linker<T: 'static, D: HasData>(
    linker: &mut Linker<T>,
    host: fn(&mut T) -> D::Data<'_>,
) -> wasmtime::Result<()>
where
    for<'a> D::Data<'a>: i2c::Host + HostI2c + delay::Host + HostDelay,
{
    i2c::add_to_linker::<_, D>(linker, host)?;
    delay::add_to_linker::<_, D>(linker, host)
}

/// Whether the component wants its devices so.
pub(crate) fn is_wanted(engine: &wasmtime::Engine, component: &Component) -> bool {
    let component = component.component_type();
    component.exports(engine).any(|(name, _)| name == EXPORT)
}

/// # Errors
/// The component exports something else by that name.
pub(crate) fn of<T>(store: &mut Store<T>, instance: &Instance) -> wasmtime::Result<Connect> {
    Connect::new(store, instance)
}

/// Hands over what is granted, where the component asks for it so: before `start`.
pub(crate) fn connect(store: &mut Store<Guest>) -> wasmtime::Result<()> {
    let Some(connect) = store.data().wasi_i2c.clone() else {
        return Ok(());
    };
    let guest = store.data_mut();
    let driver = guest.driver.clone();
    let mut devices = Vec::new();
    let entries = driver.entry.i2c_in_order().into_iter();
    for (name, entry) in entries.filter(|(name, _)| driver.grants.i2c(name).is_ok()) {
        let buses = &driver.devices.buses;
        let opened = buses.open_i2c(entry, &mut guest.caller());
        let Ok(device) = guest.opened(name, opened, super::i2c::code)? else {
            driver.log.host(&format!("device `{name}` is left out"));
            continue;
        };
        let name = name.to_owned();
        let bus = Bus {
            name: name.clone(),
            device: Some(device),
        };
        let bus = guest.push(bus);
        let bus = bus.ok_or(LimitHit::Handles(driver.limits.handles))?;
        devices.push(Granted {
            name,
            address: entry.address().value,
            bus,
        });
    }
    // There is nothing to keep of it in the table.
    let delay: Resource<Delay> = Resource::new_own(0);
    let connect = connect.loopgate_driver_wasi_i2c();
    let put = |out: &mut Vec<u8>| {
        devices.put(out);
        delay.put(out);
    };
    // The trace has it before the call, which takes the delay away.
    let mut arguments = Vec::new();
    if store.data().witness.is_some() {
        put(&mut arguments);
    }
    let put = |out: &mut Vec<u8>| out.extend_from_slice(&arguments);
    trace::handler(store, trace::CONNECT, put, |store| {
        connect.call_connect(store, &devices, delay)
    })
}

type Answer<T> = wasmtime::Result<Result<T, ErrorCode>>;

impl i2c::Host for Guest {}

impl HostI2c for Guest {
    fn transaction(
        &mut self,
        this: Resource<Bus>,
        address: u16,
        operations: Vec<Operation>,
    ) -> Answer<Vec<Vec<u8>>> {
        let Bus { name, device } = self.table.get(&this)?;
        let is_there = |device: &I2cDevice| {
            let is_granted = self.driver.grants.i2c(name).is_ok();
            address == device.address().value && is_granted
        };
        let Some(device) = device.clone().filter(is_there) else {
            let absent = ErrorCode::NoAcknowledge(NoAcknowledgeSource::Address);
            return Ok(Err(absent));
        };
        let operations: Option<_> = operations.into_iter().map(our_operation).collect();
        let Some(operations) = operations else {
            return Ok(Err(ErrorCode::Other));
        };
        let made = self.i2c_transaction(&device, operations)?;
        Ok(made.map_err(Into::into))
    }

    fn read(&mut self, this: Resource<Bus>, address: u16, len: u64) -> Answer<Vec<u8>> {
        let read = self.transaction(this, address, vec![Operation::Read(len)])?;
        Ok(read.map(first))
    }

    fn write(&mut self, this: Resource<Bus>, address: u16, data: Vec<u8>) -> Answer<()> {
        let written = self.transaction(this, address, vec![Operation::Write(data)])?;
        Ok(written.map(drop))
    }

    fn write_read(
        &mut self,
        this: Resource<Bus>,
        address: u16,
        write: Vec<u8>,
        read_len: u64,
    ) -> Answer<Vec<u8>> {
        let operations = vec![Operation::Write(write), Operation::Read(read_len)];
        let read = self.transaction(this, address, operations)?;
        Ok(read.map(first))
    }

    fn drop(&mut self, this: Resource<Bus>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

fn first(read: Vec<Vec<u8>>) -> Vec<u8> {
    read.into_iter().next().unwrap_or_default()
}

/// `None` for a read that is longer than any.
fn our_operation(operation: Operation) -> Option<ours::Operation> {
    Some(match operation {
        Operation::Read(count) => ours::Operation::Read(count.try_into().ok()?),
        Operation::Write(bytes) => ours::Operation::Write(bytes),
    })
}

impl From<ours::BusError> for ErrorCode {
    fn from(error: ours::BusError) -> Self {
        match error {
            ours::BusError::Bus => Self::Bus,
            ours::BusError::ArbitrationLoss => Self::ArbitrationLoss,
            ours::BusError::NoAcknowledge(source) => Self::NoAcknowledge(match source {
                ours::NoAcknowledgeSource::Address => NoAcknowledgeSource::Address,
                ours::NoAcknowledgeSource::Data => NoAcknowledgeSource::Data,
                ours::NoAcknowledgeSource::Unknown => NoAcknowledgeSource::Unknown,
            }),
            ours::BusError::Overrun => Self::Overrun,
            ours::BusError::Other(_) => Self::Other,
        }
    }
}

impl delay::Host for Guest {}

impl HostDelay for Guest {
    fn delay_ns(&mut self, _: Resource<Delay>, ns: u32) -> wasmtime::Result<()> {
        let span = Duration::from_nanos(ns.into());
        let time = self.driver.time.clone();
        if span > self.clock.left_in(&time) {
            return Err(self.clock.over().into());
        }
        let elsewhere = matches!(time, Time::Virtual(_));
        self.clock.delay(span, elsewhere, || time.delay(span));
        Ok(())
    }

    fn drop(&mut self, _: Resource<Delay>) -> wasmtime::Result<()> {
        Ok(())
    }
}
