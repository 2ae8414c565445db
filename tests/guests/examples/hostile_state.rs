//! Misbehaves when it is replaced by another version of itself, in the way that
//! config `how` says:
//!
//! - `version`: saves a state of a version that nobody knows;
//! - `bytes`: saves bytes that it never had, of a version that it knows;
//! - `huge`: saves more than it may;
//! - `busy`: never lets itself be replaced;
//! - `refuses`: the new version takes no state;
//! - `start`, `restore`: the new version does there, before the commit, whatever
//!   could be seen outside, and then refuses, with what it got.
//!
//! The new version also opens the service that config `other` names.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_guest::{acknowledge_set_power_state, complete};
use loopgate_test_guests::service_name;

const VERSION: u32 = 1;

/// The number of an old version's request, as likely as any.
const SOMEONES: RequestId = RequestId::from_raw(1);

struct Hostile {
    how: String,
    led: OutputPin,
    port: Port,
    client: Client,
    _other: Option<Client>,
    pins: PublishedPins,
    service: Service,
}

impl Driver for Hostile {
    fn start(cx: &Context) -> Result<Self> {
        let name = service_name(cx, "misbehave");
        let service = cx.service(name).selector(1, "misbehave", "", "nothing");
        let other = cx.config("other").filter(|_| cx.cause() == Cause::Reload);
        let mut hostile = Self {
            how: cx.config("how").unwrap_or_default().to_owned(),
            led: cx.output("led")?,
            port: cx.port("port", 9600)?,
            client: cx.client("echo")?,
            _other: other.map(|name| cx.client(name)).transpose()?,
            pins: cx.publish_pins(name, &["P"])?,
            service: service.publish()?,
        };
        if cx.cause() == Cause::Reload && hostile.how == "start" {
            let out = cx.output_high("out").map(drop);
            return Err(hostile.effects(out));
        }
        Ok(hostile)
    }

    fn save(&self) -> Result<Saved> {
        match &*self.how {
            "version" => Saved::new(VERSION + 1, &self.how),
            "bytes" => Saved::new(VERSION, &[0xff_u8; 64][..]),
            "huge" => Saved::new(VERSION, &"7".repeat(600 << 10)),
            "busy" => Err(ErrorCode::Busy.into()),
            _ => Saved::new(VERSION, &self.how),
        }
    }

    fn restore(&mut self, saved: &Saved) -> Result<()> {
        match &*self.how {
            "refuses" => return Err(ErrorCode::Busy.into()),
            "restore" => {
                let out = OutputPin::open("out", true).map(drop);
                let told = self.effects(out);
                error!("{told}");
                return Err(told);
            }
            _ => {}
        }
        saved.get::<String>(VERSION).map(drop)
    }
}

impl Hostile {
    /// What each call with an effect got.
    fn effects(&mut self, out: Result<()>) -> Error {
        let ask = Ask {
            selector: 1,
            ..Ask::default()
        };
        let client = &self.client;
        let got = [
            ("out", out),
            ("set", self.led.set_high()),
            ("read", self.port.receive(9).map(drop)),
            ("write", self.port.send(b"x").map(drop)),
            ("run", client.run_command(&ask, 1.millis()).map(drop)),
            ("attempt", client.attempt_command(&ask).map(drop)),
            (
                "immediate",
                client.immediate_command(&ask, 1.millis()).map(drop),
            ),
            (
                "submit",
                client.submit_with_context(&ask, None, 5).map(drop),
            ),
            ("cancel", client.cancel(SOMEONES)),
            ("open", Client::open("echo").map(drop)),
            ("complete", complete(SOMEONES, Ok(().into()))),
            ("pin", self.pins.changed(0, true, now())),
        ];
        // These say nothing.
        self.service.wakeup_all(1);
        acknowledge_set_power_state();
        let told = got.map(|(what, got)| {
            let code = got.map_or_else(|error| error.code().name(), |()| "ok");
            format!("{what}={code}")
        });
        Error::new(ErrorCode::Io, told.join(" "))
    }
}

driver!(Hostile);
