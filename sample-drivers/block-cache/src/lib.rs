//! Reads another driver's disk in pieces, and keeps them. See README.md.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use loopgate_guest::prelude::*;

const READ: u32 = 1;
const DROP: u32 = 2;

/// What the disk calls its own `read`.
const LOWER_READ: u32 = 1;

/// The most bytes that one read gives.
const LENGTH_MAX: u64 = 48 << 10;

struct BlockCache {
    disk: Client,
    piece: u32,
    /// Pieces that were read, by number, the oldest first.
    kept: VecDeque<(u64, Vec<u8>)>,
    keep: usize,
    _service: Service,
}

impl Driver for BlockCache {
    fn start(cx: &Context) -> Result<Self> {
        let piece: u32 = cx.config_or("piece", 512)?;
        if piece == 0 {
            return Err(Error::new(ErrorCode::BadArgument, "config `piece` is 0"));
        }
        let service = cx
            .service("block-cache")
            .concurrent()
            .selector(READ, "read", "offset, length", "how many bytes, and they")
            .selector(DROP, "drop", "", "how many pieces were kept");
        Ok(Self {
            disk: cx.client(cx.config("disk").unwrap_or("ram-block"))?,
            piece,
            kept: VecDeque::new(),
            keep: cx.config_or("keep", 16)?,
            _service: service.publish()?,
        })
    }
}

impl AsyncDriver for BlockCache {
    async fn command(this: Gated<Self>, request: Request) -> Result<Reply> {
        let [offset, length, ..] = request.scalars;
        match request.selector {
            READ => read(this, offset, length).await,
            _ => Ok(this.with(BlockCache::drop_all).into()),
        }
    }
}

/// One piece after the other: the next is asked for only when the one before
/// came, and came whole. What came until then is the answer; an error is.
async fn read(this: Gated<BlockCache>, offset: u64, length: u64) -> Result<Reply> {
    let piece = u64::from(this.with(|cache| cache.piece));
    let end = offset.checked_add(length).filter(|_| length <= LENGTH_MAX);
    let end = end.ok_or(ErrorCode::BadArgument)?;
    let mut data = Vec::new();
    let mut at = offset;
    while at < end {
        let number = at / piece;
        let bytes = fetch(&this, number).await?;
        let start = number * piece;
        let wanted = (end - start).min(piece) as usize;
        let got = bytes.len().min(wanted);
        data.extend(bytes.get((at - start) as usize..got).unwrap_or_default());
        if got < wanted {
            break;
        }
        at = start + piece;
    }
    Ok(Reply::new(data.len() as u64, data))
}

/// A piece: kept, or from the disk.
async fn fetch(this: &Gated<BlockCache>, number: u64) -> Result<Vec<u8>> {
    if let Some(bytes) = this.with(|cache| cache.find(number)) {
        return Ok(bytes);
    }
    let reply = this.with(|cache| cache.ask(number))?.await?;
    let bytes = reply.data().to_vec();
    this.with(|cache| cache.keep(number, &bytes));
    Ok(bytes)
}

impl BlockCache {
    fn ask(&self, number: u64) -> Result<Submission> {
        let piece = u64::from(self.piece);
        let ask = Ask {
            selector: LOWER_READ,
            scalars: [number * piece, piece, 0, 0],
            reply_max: self.piece,
            ..Ask::default()
        };
        self.disk.submit(&ask, None)
    }

    fn find(&self, number: u64) -> Option<Vec<u8>> {
        let kept = self.kept.iter().find(|(kept, _)| *kept == number)?;
        Some(kept.1.clone())
    }

    /// Another read may have kept the same piece meanwhile. What is short may
    /// be whole the next time.
    fn keep(&mut self, number: u64, bytes: &[u8]) {
        let whole = bytes.len() == self.piece as usize;
        if self.keep == 0 || !whole || self.find(number).is_some() {
            return;
        }
        if self.kept.len() == self.keep {
            self.kept.pop_front();
        }
        self.kept.push_back((number, bytes.to_vec()));
    }

    fn drop_all(&mut self) -> u64 {
        let count = self.kept.len();
        self.kept.clear();
        count as u64
    }
}

driver!(async BlockCache);
