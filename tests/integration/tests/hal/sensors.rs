//! `weather` and `humidity`.

use crate::support::{built, samples, says};
use loopgate::devices::i2c::Address;
use loopgate::devices::sim::i2c::{FaultKind, Sht4x, SimFault};
use loopgate::{ErrorCode, Request};
use loopgate_integration::{assert_running, logged, refused};
use std::sync::Arc;
use std::time::Duration;

/// Bosch's worked example, from the datasheet of the BMP280 (section 3.12), whose
/// registers and compensation of temperature and pressure the BME280 has: 25.08 degrees
/// and 100653 Pa. For humidity the datasheets have none; 55.1 % is what the formula of
/// the BME280's (section 4.2.3), reckoned apart in floating point, gives for 0x7800.
#[test]
fn the_weather_is_the_datasheet_s() {
    let board = built(samples());
    assert_running(&board, "weather");
    let begun = board.now();
    assert_eq!(
        says(&board, "weather", "measure"),
        "25.08 C, 100653 Pa, 55.1 %"
    );
    // The crate's delay advanced the clock, in the handler.
    assert!(board.now().saturating_since(begun) >= Duration::from_millis(40));
}

#[test]
fn a_sensor_that_is_missing_is_named_and_comes_back() {
    let board = built(samples());
    let (bus, address) = ("i2c-1", Address::new(0x76));
    let missing = |at| SimFault {
        kind: FaultKind::NoAcknowledge,
        at,
    };
    board
        .sim_i2c()
        .set_faults(bus, address, vec![missing(None)]);
    assert_eq!(
        refused(&board, "weather", Request::named("measure")).code,
        ErrorCode::Io
    );
    board.stop_driver("weather").unwrap();
    let refused = board.start_driver("weather").unwrap_err();
    assert!(
        refused.message.contains("did not acknowledge its address"),
        "{refused}"
    );
    board.sim_i2c().set_faults(bus, address, Vec::new());
    board.start_driver("weather").unwrap();
    assert!(says(&board, "weather", "measure").starts_with("25.08 C"));
}

#[test]
fn humidity_is_measured_each_period_with_the_gate_open_meanwhile() {
    let sensor = Arc::new(Sht4x::new(7));
    let board = built(samples().i2c_device("i2c-1", Address::new(0x44), sensor.clone()));
    assert_running(&board, "humidity");
    // While it measures for the first time requests are answered.
    board.run_for(Duration::from_millis(1));
    let begun = board.now();
    let early = refused(&board, "humidity", Request::named("latest"));
    assert_eq!(early.code, ErrorCode::NotReady);
    assert_eq!(board.now(), begun);
    board.run_for(Duration::from_millis(20));
    assert_eq!(says(&board, "humidity", "latest"), "25.00 C, 50.00 %");
    sensor.set(-10.0, 80.0);
    board.run_for(Duration::from_millis(900));
    assert_eq!(says(&board, "humidity", "latest"), "25.00 C, 50.00 %");
    board.run_for(Duration::from_millis(100));
    assert_eq!(says(&board, "humidity", "latest"), "-10.00 C, 80.00 %");
}

#[test]
fn a_measurement_that_fails_is_said_and_the_next_one_made() {
    let board = built(samples());
    board.run_for(Duration::from_millis(500));
    let fault = SimFault {
        kind: FaultKind::ArbitrationLoss,
        at: Some(1),
    };
    board
        .sim_i2c()
        .set_faults("i2c-1", Address::new(0x44), vec![fault]);
    board.run_for(Duration::from_secs(1));
    let failed = refused(&board, "humidity", Request::named("latest"));
    assert_eq!(failed.code, ErrorCode::NotReady);
    assert!(logged(&board, "humidity", "ArbitrationLoss"));
    board.run_for(Duration::from_secs(1));
    assert_eq!(says(&board, "humidity", "latest"), "25.00 C, 50.00 %");
    assert_running(&board, "humidity");
}
