//! Panics over chosen interrupts of its input `in`, or when it is told to, and
//! logs each call: for what becomes of interrupts and outputs then. With config
//! `survives` it panics over the interrupt after so many; its output `out`, if it
//! has one, is then high while a handler of interrupts runs.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

const DIE: u32 = 1;
const LOW: u32 = 2;
const DROP: u32 = 3;
const EDGES: u32 = 4;

struct Mortal {
    /// Numbers of interrupts.
    deadly: Vec<u64>,
    /// How many interrupts it outlives.
    survives: Option<u64>,
    edges: u64,
    source: Option<Interrupt>,
    out: Option<OutputPin>,
    _pin: Option<InputPin>,
    _service: Service,
}

impl Driver for Mortal {
    fn start(cx: &Context) -> Result<Self> {
        info!("started: {:?}", cx.cause());
        let service = cx
            .service(service_name(cx, "mortal"))
            .selector(DIE, "die", "", "nothing: it panics")
            .selector(LOW, "low", "", "0; drives `out` low")
            .selector(DROP, "drop", "", "0; drops `out`")
            .selector(EDGES, "edges", "", "edges of `in` in this generation");
        let deadly = cx.config("deadly").unwrap_or_default();
        let pin = cx.input("in").ok();
        let edges = pin.as_ref().map(|pin| pin.edges(Edges::Both)).transpose()?;
        let out = cx.config("out").map(|level| match level {
            "high" => cx.output_high("out"),
            _ => cx.output("out"),
        });
        Ok(Self {
            deadly: deadly.split(' ').filter_map(|n| n.parse().ok()).collect(),
            survives: match cx.config("survives") {
                Some(_) => Some(cx.config_or("survives", 0)?),
                None => None,
            },
            edges: 0,
            source: edges.map(|edges| cx.interrupt(&edges)).transpose()?,
            out: out.transpose()?,
            _pin: pin,
            _service: service.publish()?,
        })
    }

    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        if let Some(survives) = self.survives {
            return self.outlive(survives, event.count);
        }
        let source = self.source.as_ref().ok_or(ErrorCode::NotReady)?;
        let taken: Vec<u64> = source
            .take_occurrences(event.count)
            .iter()
            .map(|occurrence| occurrence.sequence)
            .collect();
        info!("{taken:?} lost {}", event.lost);
        self.edges += u64::from(event.count);
        assert!(!taken.iter().any(|n| self.deadly.contains(n)), "deadly");
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        match request.selector {
            DIE => panic!("as it was told"),
            LOW => self.out.as_ref().ok_or(ErrorCode::NotReady)?.set_low()?,
            DROP => self.out = None,
            EDGES => return Ok(self.edges.into()),
            _ => return Err(ErrorCode::BadArgument.into()),
        }
        Ok(().into())
    }
}

impl Mortal {
    fn outlive(&mut self, survives: u64, count: u32) -> Result<()> {
        self.out.as_ref().map_or(Ok(()), OutputPin::set_high)?;
        assert!(self.edges < survives, "one too many");
        self.edges += u64::from(count);
        self.out.as_ref().map_or(Ok(()), OutputPin::set_low)
    }
}

driver!(Mortal);
