//! Makes the transactions that it is asked to, on the I2C device `device` and the
//! SPI device `display`, where they are granted: a request's data is what is
//! written, its first scalar how many bytes are read. With config `every-ms` it makes
//! a transaction of its own, again and again. Answers are the bytes, or what went
//! wrong.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_guest::{i2c, spi};
use loopgate_test_guests::service_name;

const I2C: u32 = 1;
const SPI: u32 = 2;
/// `scalars[0]` operations, of so many bytes each as the data is in binary.
const MANY: u32 = 3;
const OPEN: u32 = 4;
const MADE: u32 = 5;

struct Probe {
    device: Option<i2c::Device>,
    display: Option<spi::Device>,
    every: u64,
    made: u64,
    timer: Timer,
    in_start: String,
    _service: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx
            .service(service_name(cx, "bus"))
            .input_max(4096)
            .selector(I2C, "i2c", "bytes to write, how many to read", "those")
            .selector(SPI, "spi", "words to send, delay in ns", "what came back")
            .selector(MANY, "many", "operations, bytes in each", "what came of it")
            .selector(OPEN, "open", "a device", "what came of it")
            .selector(MADE, "made", "", "transactions of its own");
        let mut probe = Self {
            device: cx.i2c("device").ok(),
            display: cx.spi("display").ok(),
            every: cx.config_or("every-ms", 0)?,
            made: 0,
            timer: cx.timer()?,
            in_start: String::new(),
            _service: service.publish()?,
        };
        probe.in_start = match probe.i2c(&[0], 1) {
            Ok(bytes) => format!("{bytes:?}"),
            Err(error) => format!("{error:?}"),
        };
        info!("in start: {}", probe.in_start);
        if probe.every > 0 {
            probe.timer.set_timeout(probe.every.millis())?;
        }
        Ok(probe)
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        if self.i2c(&[0], 1).is_ok() {
            self.made += 1;
        }
        self.timer.set_timeout(self.every.millis())
    }

    fn save(&self) -> Result<Saved> {
        Saved::new(1, &self.made)
    }

    fn restore(&mut self, saved: &Saved) -> Result<()> {
        self.made = saved.get(1)?;
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let [first, ..] = request.scalars;
        let said = match request.selector {
            I2C => self.i2c(&request.data, first).map_err(told),
            SPI => self.spi(&request.data, first).map_err(told),
            MANY => self.many(first, &request.data).map_err(told),
            OPEN => {
                let name = String::from_utf8_lossy(&request.data);
                let opened = i2c::Device::open(&name).map(|_| Vec::new());
                opened.map_err(|error| error.code().name().to_owned())
            }
            MADE => return Ok(self.made.into()),
            _ => return Err(ErrorCode::BadArgument.into()),
        };
        Ok(said.unwrap_or_else(String::into_bytes).into())
    }
}

fn told(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

impl Probe {
    fn i2c(&self, bytes: &[u8], count: u64) -> Result<Vec<u8>, i2c::BusError> {
        let device = self.device.as_ref();
        let device = device.ok_or(i2c::BusError::Other(ErrorCode::NotReady))?;
        let mut read = vec![0; count as usize];
        match count {
            0 => device.write(bytes)?,
            _ => device.write_read(bytes, &mut read)?,
        }
        Ok(read)
    }

    fn spi(&self, words: &[u8], delay: u64) -> Result<Vec<u8>, spi::BusError> {
        let display = self.display.as_ref();
        let display = display.ok_or(spi::BusError::Other(ErrorCode::NotReady))?;
        let (mut first, mut rest) = (vec![0; 1], words[1..].to_vec());
        display.transaction(&mut [
            spi::Operation::Transfer(&mut first, &words[..1]),
            spi::Operation::DelayNs(delay as u32),
            spi::Operation::TransferInPlace(&mut rest),
        ])?;
        Ok([first, rest].concat())
    }

    fn many(&self, count: u64, bytes: &[u8]) -> Result<Vec<u8>, i2c::BusError> {
        let bytes = bytes.try_into().map_or(0, u32::from_le_bytes);
        let device = self.device.as_ref();
        let device = device.ok_or(i2c::BusError::Other(ErrorCode::NotReady))?;
        let mut into = vec![vec![0; bytes as usize]; count as usize];
        let reads = into.iter_mut().map(|into| i2c::Operation::Read(into));
        device.transaction(&mut reads.collect::<Vec<_>>())?;
        Ok((into.concat().len() as u64).to_string().into())
    }
}

driver!(Probe);
