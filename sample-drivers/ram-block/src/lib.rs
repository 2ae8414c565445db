//! A disk in memory. See README.md.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;

const READ: u32 = 1;
const WRITE: u32 = 2;

/// The most bytes that one request moves.
const PIECE_MAX: u32 = 4096;

struct RamBlock {
    bytes: Vec<u8>,
    bad: Option<usize>,
    latency: Duration,
    timer: Timer,
    /// The one request that the disk is busy with: the service is serial.
    busy: Option<(Pending, Result<Reply>)>,
    _service: Service,
}

impl Driver for RamBlock {
    fn start(cx: &Context) -> Result<Self> {
        let size: u32 = cx.config_or("size", 65536)?;
        let bad: u32 = cx.config_or("bad", u32::MAX)?;
        let service = cx
            .service("ram-block")
            .input_max(PIECE_MAX)
            .selector(READ, "read", "offset, length", "how many bytes, and they")
            .selector(WRITE, "write", "offset; the bytes", "how many were written");
        Ok(Self {
            bytes: vec![0; size as usize],
            bad: (bad < size).then_some(bad as usize),
            latency: cx.config_or("latency-ms", 1_u64)?.millis(),
            timer: cx.timer()?,
            busy: None,
            _service: service.publish()?,
        })
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let outcome = self.transfer(&request);
        if self.latency.is_zero() {
            return outcome;
        }
        let (pending, reply) = request.defer();
        self.timer.set_timeout(self.latency)?;
        self.busy = Some((pending, outcome));
        Ok(reply)
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        match self.busy.take() {
            Some((pending, outcome)) => pending.complete(outcome),
            None => Ok(()),
        }
    }

    fn cancelled(&mut self, _: RequestId) {
        self.busy = None;
        self.timer.cancel_timeout();
    }
}

impl RamBlock {
    /// As far as the disk goes.
    fn transfer(&mut self, request: &Request) -> Result<Reply> {
        let length = match request.selector {
            READ => request.scalars[1],
            _ => request.data.len() as u64,
        };
        if length > PIECE_MAX.into() {
            return Err(ErrorCode::BadArgument.into());
        }
        let size = self.bytes.len();
        let from = usize::try_from(request.scalars[0]).map_or(size, |from| from.min(size));
        let range = from..size.min(from + length as usize);
        if self.bad.is_some_and(|bad| range.contains(&bad)) {
            return Err(ErrorCode::Io.into());
        }
        let place = &mut self.bytes[range];
        if request.selector == READ {
            return Ok(Reply::new(place.len() as u64, &*place));
        }
        place.copy_from_slice(&request.data[..place.len()]);
        Ok((place.len() as u64).into())
    }
}

driver!(RamBlock);
