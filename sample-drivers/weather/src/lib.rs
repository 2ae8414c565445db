//! The weather, from a BME280 on an I2C bus. See README.md.

#![forbid(unsafe_code)]

use bme280::i2c::BME280;
use loopgate_guest::i2c::{BusError, Device};
use loopgate_guest::prelude::*;

const MEASURE: u32 = 1;

struct Weather {
    sensor: BME280<Device>,
    _service: Service,
}

impl Driver for Weather {
    fn start(cx: &Context) -> Result<Self> {
        let mut sensor = BME280::new_primary(cx.i2c("sensor")?);
        sensor.init(&mut Delay).map_err(failed)?;
        let output = "temperature in degrees Celsius, pressure in pascals, humidity in percent";
        let service = cx.service("weather");
        Ok(Self {
            sensor,
            _service: service.selector(MEASURE, "measure", "", output).publish()?,
        })
    }

    fn command(&mut self, _: Request) -> Result<Reply> {
        let weather = self.sensor.measure(&mut Delay).map_err(failed)?;
        let text = format!(
            "{:.2} C, {:.0} Pa, {:.1} %",
            weather.temperature, weather.pressure, weather.humidity
        );
        Ok(text.into())
    }
}

fn failed(error: bme280::Error<BusError>) -> Error {
    match error {
        bme280::Error::Bus(error) => error.into(),
        other => Error::new(ErrorCode::Io, format!("BME280: {other:?}")),
    }
}

driver!(Weather);
