//! Its filter misbehaves at every interrupt, as config `how` says; or it makes
//! filters without end as it starts: `many` of the inputs `in0`, `in1` and so
//! on, `churn` of the one input `in`, dropping each.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use std::hint::black_box;

const FILTERED: u32 = 1;
const CALLS: u32 = 2;
const DROP: u32 = 3;

const HOWS: [&str; 7] = ["", "spin", "trap", "recurse", "alloc", "import", "fill"];

struct Hostile {
    calls: u64,
    source: Option<Interrupt>,
    _service: Service,
}

impl Driver for Hostile {
    fn start(cx: &Context) -> Result<Self> {
        let how = cx.config("how").unwrap_or_default();
        match how {
            "many" => info!("misbehaved: {}", many(cx)),
            "churn" => churn(cx)?,
            _ => {}
        }
        let word = HOWS.iter().position(|known| *known == how).unwrap_or(0);
        let line = cx.input("in")?.edges(Edges::Both)?;
        let source = cx.filtered_interrupt(&line, word as u64)?;
        let service = cx
            .service("hostile-filter")
            .selector(FILTERED, "filtered", "", "1 while the filter decides")
            .selector(CALLS, "calls", "", "calls of the handler")
            .selector(DROP, "drop", "", "1 if there was a source to drop");
        Ok(Self {
            calls: 0,
            source: Some(source),
            _service: service.publish()?,
        })
    }

    fn filter(event: FilterEvent) -> Verdict {
        match HOWS[event.word as usize % HOWS.len()] {
            "spin" => loop {
                black_box(());
            },
            "trap" => panic!("on purpose"),
            "recurse" => {
                black_box(recurse(black_box(1)));
            }
            "alloc" => loop {
                std::mem::forget(black_box(Vec::<u8>::with_capacity(1 << 20)));
            },
            "fill" => {
                let mut block = vec![0_u8; 1 << 20];
                loop {
                    black_box(&mut block).fill(black_box(1));
                }
            }
            "import" => info!("reached the log"),
            _ => {}
        }
        Verdict::NotMine
    }

    fn interrupt(&mut self, _: InterruptId, _: Interrupts) -> Result<()> {
        self.calls += 1;
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let answer = match request.selector {
            FILTERED => u64::from(self.source.as_ref().is_some_and(Interrupt::is_filtered)),
            DROP => u64::from(self.source.take().is_some()),
            _ => self.calls,
        };
        Ok(Reply::new(answer, answer.to_string()))
    }
}

#[expect(unconditional_recursion, reason = "that is the point")]
fn recurse(depth: u64) -> u64 {
    black_box([depth; 64]);
    recurse(depth + 1) + 1
}

fn many(cx: &Context) -> String {
    for count in 0.. {
        let made = cx
            .input(&format!("in{count}"))
            .and_then(|pin| pin.edges(Edges::Both))
            .and_then(|line| cx.filtered_interrupt(&line, 0));
        match made {
            Ok(source) => std::mem::forget(source),
            Err(error) => return format!("created {count}, stopped by `{}`", error.code().name()),
        }
    }
    String::new()
}

fn churn(cx: &Context) -> Result<()> {
    let pin = cx.input("in")?;
    for _ in 0..1_000 {
        drop(cx.filtered_interrupt(&pin.edges(Edges::Both)?, 0)?);
    }
    Ok(())
}

driver!(Hostile);
