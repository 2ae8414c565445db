//! A shared line as one driver has it.

use super::{Hold, Open};
use crate::board_file::GpioEntry;
use crate::driver::Driver;
use loopgate_devices::gpio::{Edges, Error, GpioLine};
use loopgate_workloop::{InterruptLine, Share};
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

pub(super) struct SharedPin {
    hold: Arc<Hold>,
    driver: Arc<Driver>,
    /// What the driver calls it.
    pin: String,
    line: String,
    edges: Option<Edges>,
    /// There is one at a time, as on any line.
    interrupt: Mutex<Option<Weak<dyn InterruptLine>>>,
}

impl SharedPin {
    pub(super) fn new(hold: Hold, driver: &Arc<Driver>, pin: &str, entry: &GpioEntry) -> Self {
        Self {
            hold: Arc::new(hold),
            driver: driver.clone(),
            pin: pin.to_owned(),
            line: entry.line.get_ref().clone(),
            edges: entry.edges.map(Into::into),
            interrupt: Mutex::new(None),
        }
    }

    fn open(&self) -> Result<&Open, Error> {
        // It is taken only as the hold ends.
        self.hold.open.as_deref().ok_or_else(|| Error::NoLine {
            line: self.line.clone(),
            known: "closed it".to_owned(),
        })
    }

    fn share(&self, edges: Edges) -> Share {
        // The line interrupts at all the edges that the board file names.
        let one_way = self.edges == Some(Edges::Both);
        let only = match edges {
            Edges::Rising if one_way => Some(true),
            Edges::Falling if one_way => Some(false),
            _ => None,
        };
        // An interrupt keeps its line open.
        let (driver, pin, hold) = (self.driver.clone(), self.pin.clone(), self.hold.clone());
        let replaced = driver.clone();
        Share {
            only,
            hold: driver.limits.line_hold,
            excused: Box::new(move |since| replaced.was_replaced_after(since)),
            overrun: Box::new(move || {
                let _open = &hold;
                driver.left_line(&pin);
            }),
        }
    }
}

impl GpioLine for SharedPin {
    fn is_high(&self) -> Result<bool, Error> {
        self.open()?.line.is_high()
    }

    fn set(&self, high: bool) -> Result<(), Error> {
        self.open()?.line.set(high)
    }

    fn interrupt(&self, edges: Edges) -> Result<Arc<dyn InterruptLine>, Error> {
        let mut interrupt = self.interrupt.lock();
        let has_one = interrupt
            .as_ref()
            .is_some_and(|last| last.strong_count() > 0);
        // Its entry names no edges, which its grants refuse before.
        let Some(line) = self.open()?.interrupt.as_ref().filter(|_| !has_one) else {
            return Err(Error::HasInterrupt {
                line: self.line.clone(),
            });
        };
        let shared = line.share(self.share(edges));
        *interrupt = Some(Arc::downgrade(&shared));
        Ok(shared)
    }

    fn make_input(&self) -> Result<(), Error> {
        Ok(())
    }
}
