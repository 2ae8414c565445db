//! What a driver starts from: its board entry.

use std::str::FromStr;

use crate::bindings::exports::loopgate::driver::handlers;
use crate::{
    Client, CommandGate, Error, ErrorCode, InputPin, Interrupt, Line, OutputPin, Port,
    PublishedPins, Result, ServiceBuilder, Timer, WorkLoop, i2c, spi,
};

/// Why [`Driver::start`](crate::Driver::start) is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The board starts, or the driver was stopped and is started again.
    Boot,
    /// The driver failed and is given another try, by the host
    /// (`[driver.restart]` of the board file) or by people. Nothing is left of its
    /// memory; edges of its inputs that nobody was given come to this instance,
    /// and outputs are as their `on-death` says.
    Restart,
    /// A new version of the component takes over.
    Reload,
}

/// The driver's board entry: what it says, and the devices that it grants.
///
/// Everything that a `Context` opens must be kept by the driver: dropping it
/// gives it back.
#[derive(Debug)]
pub struct Context {
    cause: Cause,
    config: Vec<(String, String)>,
}

impl Context {
    /// Why `start` is called.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// What the board entry's `config` says for `key`.
    pub fn config(&self, key: &str) -> Option<&str> {
        let entry = self.config.iter().find(|(name, _)| name == key)?;
        Some(&entry.1)
    }

    /// As [`config`](Self::config), parsed; `default` where the entry does not
    /// name `key`.
    ///
    /// # Errors
    ///
    /// `bad-argument`, naming key and value, where the value is no `T`.
    pub fn config_or<T: FromStr>(&self, key: &str, default: T) -> Result<T> {
        let Some(text) = self.config(key) else {
            return Ok(default);
        };
        text.parse().map_err(|_| {
            let expected = std::any::type_name::<T>();
            let what = format!("config `{key}` is `{text}`, which is no `{expected}`");
            Error::new(ErrorCode::BadArgument, what)
        })
    }

    /// Opens the pin that the board entry calls `name` as an input.
    ///
    /// # Errors
    ///
    /// `not-granted` where the entry has no such pin or another direction,
    /// `busy` where it is open already, `no-device` where the board lacks it.
    pub fn input(&self, name: &str) -> Result<InputPin> {
        InputPin::open(name)
    }

    /// Opens the pin as an output, driven low from the first moment.
    ///
    /// # Errors
    ///
    /// As [`input`](Self::input).
    pub fn output(&self, name: &str) -> Result<OutputPin> {
        OutputPin::open(name, false)
    }

    /// Opens the pin as an output, driven high from the first moment.
    ///
    /// # Errors
    ///
    /// As [`input`](Self::input).
    pub fn output_high(&self, name: &str) -> Result<OutputPin> {
        OutputPin::open(name, true)
    }

    /// Opens the serial port that the board entry calls `name`, with the
    /// framing and the flow control of that entry, at `baud` bits a second; 0 is
    /// the speed that the entry names.
    ///
    /// # Errors
    ///
    /// `not-granted` where the entry has no such port or not this speed, `busy`
    /// where it is open already, `no-device` where it is not there or is no
    /// serial port, `unsupported` where it does not run at this speed, or has
    /// not this framing or flow control.
    pub fn port(&self, name: &str, baud: u32) -> Result<Port> {
        Port::open(name, baud)
    }

    /// Opens the device on an I2C bus that the board entry calls `name`.
    ///
    /// # Errors
    ///
    /// `not-granted` where the entry has no such device, `busy` where it is open
    /// already, `no-device` where there is no such bus. A device that is not there
    /// shows in its first transaction.
    pub fn i2c(&self, name: &str) -> Result<i2c::Device> {
        i2c::Device::open(name)
    }

    /// Opens the device on an SPI bus that the board entry calls `name`.
    ///
    /// # Errors
    ///
    /// As [`i2c`](Self::i2c); `unsupported` where the bus does not have the mode,
    /// clock or bits that the entry names.
    pub fn spi(&self, name: &str) -> Result<spi::Device> {
        spi::Device::open(name)
    }

    /// A source for the line's interrupts: on the work loop, and enabled.
    ///
    /// # Errors
    ///
    /// `bad-argument` where the line feeds a source already, `no-resources`
    /// past the driver's limit of sources.
    pub fn interrupt(&self, line: &Line) -> Result<Interrupt> {
        Interrupt::create(Some(line))
    }

    /// A source for those of the line's interrupts that
    /// [`Driver::filter`](crate::Driver::filter) says count: on the work loop,
    /// and enabled. `word` is what the filter sees until
    /// [`Interrupt::set_filter_word`] sets another.
    ///
    /// # Errors
    ///
    /// As [`interrupt`](Self::interrupt); `not-permitted` where an initialiser
    /// of this component calls the host, which filters cannot.
    pub fn filtered_interrupt(&self, line: &Line, word: u64) -> Result<Interrupt> {
        Interrupt::create_filtered(line, word)
    }

    /// A source for interrupts that the driver causes itself, with
    /// [`Interrupt::signal`].
    ///
    /// # Errors
    ///
    /// `no-resources` past the driver's limit of sources.
    pub fn software_interrupt(&self) -> Result<Interrupt> {
        Interrupt::create(None)
    }

    /// A timer, not armed yet.
    ///
    /// # Errors
    ///
    /// `no-resources` past the driver's limit of sources.
    pub fn timer(&self) -> Result<Timer> {
        Timer::create()
    }

    /// A gate, for a driver that lets clients in and out by itself or has
    /// several services behind one. [`service`](Self::service) creates its own.
    ///
    /// # Errors
    ///
    /// `no-resources` past the driver's limit of sources.
    pub fn command_gate(&self) -> Result<CommandGate> {
        CommandGate::create()
    }

    /// Begins to describe a service, which `publish` then offers.
    pub fn service<'a>(&self, name: &'a str) -> ServiceBuilder<'a> {
        ServiceBuilder::new(name)
    }

    /// Offers pins under the name of a service: other drivers then open them as
    /// they do the board's, and [`Driver::pin_read`](crate::Driver::pin_read) and
    /// its like are called for them, by their places in `names`. They can be
    /// opened once `start` has returned `Ok`.
    ///
    /// # Errors
    ///
    /// `not-granted` where the board entry's `provides` does not name the
    /// service, `bad-argument` where this driver offers pins already or two of
    /// them have one name, `no-resources` for more than 256 names, or one that is
    /// longer than 64 bytes.
    pub fn publish_pins(&self, service: &str, names: &[&str]) -> Result<PublishedPins> {
        PublishedPins::publish(service, names)
    }

    /// Opens another driver's service.
    ///
    /// # Errors
    ///
    /// `not-granted` where the board entry's `uses` does not name it,
    /// `no-device` where nobody publishes it now.
    pub fn client(&self, service: &str) -> Result<Client> {
        Client::open(service)
    }

    /// The loop that this driver runs on.
    pub fn work_loop(&self) -> WorkLoop {
        WorkLoop::get()
    }

    pub(crate) fn new(cause: handlers::Cause, config: Vec<(String, String)>) -> Self {
        let cause = match cause {
            handlers::Cause::Boot => Cause::Boot,
            handlers::Cause::Restart => Cause::Restart,
            handlers::Cause::Reload => Cause::Reload,
        };
        Self { cause, config }
    }
}
