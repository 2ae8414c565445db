//! Speaks to an I2C and an SPI device by the traits of `embedded-hal`, in its three
//! forms, as driver crates do.

#![forbid(unsafe_code)]

use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource, Operation};
use embedded_hal_02::blocking::{i2c as i2c_02, spi as spi_02};
use loopgate_guest::prelude::*;
use loopgate_guest::{i2c, spi};

/// What each form reads from register 0x10 on, two bytes.
const I2C: u32 = 1;
/// What comes back of two words, from each form.
const SPI: u32 = 2;
/// What the device answers by a second address.
const OTHER: u32 = 3;

const ADDRESS: u8 = 0x76;

struct Probe {
    sensor: i2c::Device,
    echo: spi::Device,
    _service: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx.service("hal");
        Ok(Self {
            sensor: cx.i2c("sensor")?,
            echo: cx.spi("echo")?,
            _service: service
                .selector(I2C, "i2c", "", "")
                .selector(SPI, "spi", "", "")
                .selector(OTHER, "other", "address", "")
                .publish()?,
        })
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        match request.selector {
            I2C => Ok(i2c_forms(&mut self.sensor)?.into()),
            SPI => Ok(spi_forms(&mut self.echo)?.into()),
            _ => Ok(other(&mut self.sensor, request.scalars[0] as u8).into()),
        }
    }
}

fn i2c_forms<D>(device: &mut D) -> Result<Vec<u8>, i2c::BusError>
where
    D: embedded_hal::i2c::I2c<Error = i2c::BusError>
        + embedded_hal_async::i2c::I2c
        + i2c_02::WriteRead<Error = i2c::BusError>
        + i2c_02::Transactional<Error = i2c::BusError>,
{
    let mut read = [0; 8];
    let (one, rest) = read.split_at_mut(2);
    let (two, rest) = rest.split_at_mut(2);
    let (three, four) = rest.split_at_mut(2);
    let mut operations = [Operation::Write(&[0x10]), Operation::Read(one)];
    embedded_hal::i2c::I2c::transaction(device, ADDRESS, &mut operations)?;
    at_once(embedded_hal_async::i2c::I2c::write_read(
        device,
        ADDRESS,
        &[0x10],
        two,
    ))?;
    i2c_02::WriteRead::write_read(device, ADDRESS, &[0x10], three)?;
    let mut operations = [
        i2c_02::Operation::Write(&[0x10]),
        i2c_02::Operation::Read(four),
    ];
    i2c_02::Transactional::exec(device, ADDRESS, &mut operations)?;
    Ok(read.to_vec())
}

fn spi_forms<D>(device: &mut D) -> Result<Vec<u8>, spi::BusError>
where
    D: embedded_hal::spi::SpiDevice<Error = spi::BusError>
        + embedded_hal_async::spi::SpiDevice
        + spi_02::Transfer<u8, Error = spi::BusError>,
{
    let mut one = [0; 3];
    embedded_hal::spi::SpiDevice::transfer(device, &mut one, &[1, 2])?;
    let mut two = [3, 4];
    at_once(embedded_hal_async::spi::SpiDevice::transfer_in_place(
        device, &mut two,
    ))?;
    let mut three = [5, 6];
    let three = spi_02::Transfer::transfer(device, &mut three)?;
    Ok([&one, &two[..], three].concat())
}

fn other(device: &mut impl embedded_hal::i2c::I2c, address: u8) -> &'static str {
    use embedded_hal::i2c::Error as _;
    match device.read(address, &mut [0]).map_err(|error| error.kind()) {
        Ok(()) => "answers",
        Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address)) => "nobody there",
        Err(_) => "another error",
    }
}

/// Transactions do not wait outside of the gate.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut cx) {
        std::task::Poll::Ready(result) => result,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

driver!(Probe);
