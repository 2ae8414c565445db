//! Grants that are withdrawn while the board runs: what is open of them is
//! closed in the gate, and the guest's handles stay behind empty.

use super::Driver;
use crate::grants::Named;
use crate::guest::Guest;
use crate::interface::gpio::Pin;
use crate::interface::interrupt::Line;
use crate::interface::request::Client;
use crate::interface::serial::Port;
use crate::interface::work_loop::Interrupt;
use crate::interface::{i2c, spi, wasi_i2c};
use crate::status::Revoked;
use loopgate_workloop::{Context, InterruptEventSource};
use std::any::Any;
use std::sync::Arc;

impl Driver {
    /// Withdraws all that is granted under this name, for as long as this driver is
    /// on the board. Waits for the gate, and so for a handler that runs.
    ///
    /// # Errors
    /// Where nothing has this name.
    pub(crate) fn revoke(self: &Arc<Self>, cx: &Context, grant: &str) -> Result<Revoked, String> {
        let named = self.grants.revoke(grant)?;
        self.work_loop.close_gate(cx);
        let lost = self.counters.counts().lost;
        if named.is_service {
            self.services.withdraw(self, grant);
        }
        let withdrawn = self.with_guest(|guest| guest.withdraw(cx, &named));
        self.supervision.withdraw(cx, self, &named);
        let lost = self.counters.counts().lost - lost;
        self.log.life(&format!("grant `{grant}` is revoked"));
        // Closed above by this very context.
        let _ = self.work_loop.open_gate(cx);
        Ok(Revoked {
            driver: self.name.clone(),
            grant: grant.to_owned(),
            lost,
            ..withdrawn.unwrap_or_default()
        })
    }
}

impl Guest {
    /// Closes what is open under this name. What waits in its lines is lost.
    fn withdraw(&mut self, cx: &Context, grant: &Named) -> Revoked {
        let pins = self.take_from(|pin: &mut Pin| pin.withdraw(grant));
        let mut revoked = Revoked {
            pins: pins.len() as u64,
            ..Revoked::default()
        };
        // First: outputs are not to stay as they are any longer than that.
        for (name, output, line) in pins {
            self.pins.remove(&name);
            if output {
                self.driver.rest(&name, line);
            }
        }
        let driver = self.driver.clone();
        let sources = self.sources.withdraw(cx, &driver, grant);
        revoked.interrupts = sources.len() as u64;
        self.empty_handles(&sources);
        self.take_from(|line: &mut Line| line.withdraw(grant));
        self.heritage.withdraw(cx, &driver, grant);
        revoked.ports = self.take_from(|port: &mut Port| port.withdraw(grant)).len() as u64;
        revoked.devices = self.withdraw_devices(grant);
        revoked.requests = self.withdraw_requests(grant);
        let clients = self.take_from(|client: &mut Client| client.withdraw(grant));
        revoked.clients = clients.len() as u64;
        revoked
    }

    /// Of a transaction that has begun the bus's thread keeps the rest.
    fn withdraw_devices(&mut self, grant: &Named) -> u64 {
        let i2c = self.take_from(|device: &mut i2c::Device| device.withdraw(grant));
        let spi = self.take_from(|device: &mut spi::Device| device.withdraw(grant));
        let wasi = self.take_from(|bus: &mut wasi_i2c::Bus| bus.withdraw(grant));
        (i2c.len() + spi.len() + wasi.len()) as u64
    }

    fn withdraw_requests(&mut self, grant: &Named) -> u64 {
        if grant.is_service {
            self.submissions.withdraw(&grant.name)
        } else {
            0
        }
    }

    fn empty_handles(&mut self, sources: &[Arc<InterruptEventSource>]) {
        // Refused to a line without a queue only.
        if let Ok(nothing) = InterruptEventSource::new(None, 0, None) {
            self.take_from(|handle: &mut Interrupt| {
                handle.withdraw(sources, &nothing);
                None::<()>
            });
        }
    }

    /// What is taken out of the handles of one kind.
    fn take_from<T: Any, R>(&mut self, take: impl FnMut(&mut T) -> Option<R>) -> Vec<R> {
        let entries = self.table.iter_mut();
        let of_kind = entries.filter_map(|entry| (entry as &mut dyn Any).downcast_mut::<T>());
        of_kind.filter_map(take).collect()
    }
}
