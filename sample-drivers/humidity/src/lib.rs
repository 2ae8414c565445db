//! Temperature and humidity, from an `SHT4x`. See README.md.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::rc::Rc;

use loopgate_guest::i2c::Device;
use loopgate_guest::prelude::*;
use sht4x::{Measurement, Precision, Sht4xAsync};

const LATEST: u32 = 1;

/// The last measurement, where it was one.
type Latest = Rc<Cell<Option<Measurement>>>;

struct Humidity {
    latest: Latest,
    _service: Service,
}

impl Driver for Humidity {
    fn start(cx: &Context) -> Result<Self> {
        let sensor = Sht4xAsync::new(cx.i2c("sensor")?);
        let period = cx.config_or("period-ms", 1000)?.millis();
        let latest = Latest::default();
        spawn(watch(sensor, period, latest.clone()))?;
        let output = "temperature in degrees Celsius, humidity in percent";
        let service = cx.service("humidity");
        Ok(Self {
            latest,
            _service: service.selector(LATEST, "latest", "", output).publish()?,
        })
    }

    fn command(&mut self, _: Request) -> Result<Reply> {
        let latest = self.latest.get().ok_or(ErrorCode::NotReady)?;
        let (celsius, percent) = (latest.temperature_celsius(), latest.humidity_percent());
        Ok(format!("{celsius:.2} C, {percent:.2} %").into())
    }
}

/// The crate waits while the sensor measures, and the gate is open meanwhile.
async fn watch(
    mut sensor: Sht4xAsync<Device, Delay>,
    period: Duration,
    latest: Latest,
) -> Result<()> {
    loop {
        let next = now() + period;
        let measured = sensor.measure(Precision::High, &mut Delay).await;
        if let Err(error) = &measured {
            warn!("no measurement: {error:?}");
        }
        latest.set(measured.ok());
        wait_until(next).await?;
    }
}

driver!(Humidity);
