//! Misbehaves towards the drivers and the power around it, in the way that `how`
//! says:
//!
//! - `closing`: has a service open that goes, asks for time to close it, and
//!   never does; `opens`: opens it anew instead, without end;
//! - `clients`: each news of a client has it publish anew, and take back;
//! - `awake`: never lets the board sleep; `later`, `endless`: says that it takes a
//!   while, or for ever, to sleep, and never acknowledges it; `cannot`: says that it
//!   cannot, each time; `early`: has acknowledged all there will ever be.

#![forbid(unsafe_code)]

use loopgate_guest::acknowledge_set_power_state;
use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

struct Hostile {
    how: String,
    name: String,
    service: Option<Service>,
    client: Option<Client>,
}

impl Hostile {
    fn publish(name: &str) -> Result<Service> {
        let service = ServiceBuilder::new(name);
        service.selector(1, "misbehave", "", "nothing").publish()
    }
}

impl Driver for Hostile {
    fn start(cx: &Context) -> Result<Self> {
        let name = service_name(cx, "misbehave").to_owned();
        let how = cx.config("how").unwrap_or_default().to_owned();
        let opens = ["closing", "opens"].contains(&&*how);
        Ok(Self {
            service: Some(Self::publish(&name)?),
            client: opens.then(|| cx.client("echo")).transpose()?,
            how,
            name,
        })
    }

    fn command(&mut self, _: Request) -> Result<Reply> {
        Ok(().into())
    }

    fn structural(&mut self, event: StructuralEvent, _: &str) -> Readiness {
        match &*self.how {
            "opens" => loop {
                self.client = Client::open("echo").ok();
            },
            "clients" => {
                for _ in 0..10 {
                    self.service = None;
                    self.service = Self::publish(&self.name).ok();
                }
            }
            _ => {}
        }
        match event {
            StructuralEvent::ProviderTerminated => Readiness::Closing,
            _ => Readiness::Ready,
        }
    }

    fn allow_power_change(&mut self, _: PowerState) -> bool {
        self.how != "awake"
    }

    fn set_power_state(&mut self, _: PowerState) -> Result<PowerChange> {
        match &*self.how {
            "later" => Ok(PowerChange::Later(Duration::ZERO)),
            "endless" => Ok(PowerChange::Later(Duration::from_nanos(u64::MAX))),
            "cannot" => Err(ErrorCode::Io.into()),
            "early" => {
                (0..1000).for_each(|_| acknowledge_set_power_state());
                Ok(PowerChange::Later(Duration::ZERO))
            }
            _ => Ok(PowerChange::Made),
        }
    }
}

driver!(Hostile);
