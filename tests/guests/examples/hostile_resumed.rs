//! Lets every request to its service sleep for a millisecond, and misbehaves
//! when it goes on, as config `how` says: `spin`, `trap`, `alloc`, `recurse`; or
//! `flood`: it sleeps until a moment that has passed, without end.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;
use std::hint::black_box;

struct Hostile {
    how: String,
    _service: Service,
}

impl Driver for Hostile {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx
            .service(service_name(cx, "misbehave"))
            .concurrent()
            .selector(1, "misbehave", "", "nothing");
        Ok(Self {
            how: cx.config("how").unwrap_or_default().into(),
            _service: service.publish()?,
        })
    }
}

impl AsyncDriver for Hostile {
    async fn command(this: Gated<Self>, _: Request) -> Result<Reply> {
        let _timed_out = this.sleep_until(0, now() + 1.millis()).await;
        let how = this.with(|hostile| hostile.how.clone());
        match how.as_str() {
            "spin" => spin(),
            "alloc" => alloc(),
            "recurse" => {
                black_box(recurse(black_box(1)));
            }
            "flood" => loop {
                let _timed_out = this.sleep_until(0, Instant::from_nanos(1)).await;
            },
            _ => panic!("set off"),
        }
        Ok(().into())
    }
}

fn spin() {
    while black_box(true) {}
}

fn alloc() {
    while black_box(true) {
        std::mem::forget(black_box(Vec::<u8>::with_capacity(1 << 16)));
    }
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let next: fn(u64) -> u64 = black_box(recurse);
    next(black_box(depth) + 1) ^ depth
}

driver!(async Hostile);
