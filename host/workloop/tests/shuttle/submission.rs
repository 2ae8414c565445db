//! Requests from one loop to another: who ends one, and that its client is told
//! exactly once.
//!
//! Client and provider are as in the runtime, with what it keeps in the stores
//! of the two drivers: what each knows is only touched in its own gate.

mod client;
mod provider;

use std::sync::{Arc, Mutex};

use loopgate_workloop::{Context, VirtualClock, WorkLoop};
use shuttle::thread;

use crate::support::{clock, explore, join, spawn};
use client::Client;
use provider::Provider;

type Submission = loopgate_workloop::Submission<u32, End>;
type Mailbox = loopgate_workloop::Mailbox<u32, End>;
type Queue = loopgate_workloop::SubmissionQueue<u32, End>;

/// Who ends requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Completed,
    Cancelled,
    Late,
    ProviderEnded,
    ClientEnded,
}

/// How often each request was ended by whoever could say that it was first.
#[derive(Default)]
struct Wins(Mutex<Vec<(u32, End)>>);

impl Wins {
    fn note(&self, request: u32, end: End, first: bool) -> bool {
        if first {
            self.0.lock().unwrap().push((request, end));
        }
        first
    }
}

struct Pair {
    clock: Arc<VirtualClock>,
    client: Arc<Client>,
    provider: Arc<Provider>,
    wins: Arc<Wins>,
}

const REQUESTS: u32 = 2;

impl Pair {
    fn new(serial: bool) -> Arc<Self> {
        let (clock, wins) = (clock(), Arc::new(Wins::default()));
        Arc::new(Self {
            client: Client::new(&clock, wins.clone()),
            provider: Provider::new(&clock, wins.clone(), serial),
            clock,
            wins,
        })
    }

    /// What `end` does, on a thread of its own, to requests that may be
    /// anywhere on their way.
    fn act(&self, cx: &Context, end: End) {
        match end {
            End::Completed => {
                self.provider.complete(cx);
                self.provider.run(cx);
                self.provider.complete(cx);
            }
            End::Cancelled => self.client.cancel_all(cx),
            End::Late => {
                self.clock.advance_to(self.client.deadline());
                self.client.run(cx);
            }
            End::ProviderEnded => self.provider.end(cx),
            End::ClientEnded => self.client.end(cx),
        }
    }

    /// Everything goes on until nothing is left to do.
    fn finish(&self, cx: &Context) {
        while self.client.has_work() || self.provider.has_work() {
            self.provider.run(cx);
            self.provider.complete(cx);
            self.client.run(cx);
        }
    }
}

/// Submits requests to a provider whose loop runs, while all of `ends` meet.
fn meet(serial: bool, ends: &'static [End]) {
    let pair = Pair::new(serial);
    let actors = ends.iter().map(|&end| {
        let pair = pair.clone();
        spawn("actor", move |cx| pair.act(cx, end))
    });
    let mut threads: Vec<thread::JoinHandle<()>> = actors.collect();
    let providing = pair.provider.clone();
    threads.push(spawn("provider", move |cx| providing.run(cx)));
    let cx = Context::detached("main");
    let sent: Vec<_> = (1..=REQUESTS)
        .filter_map(|id| pair.client.submit(&cx, &pair.provider, id))
        .collect();
    join(threads);
    pair.finish(&cx);
    check(&pair, ends, &sent);
}

fn check(pair: &Pair, ends: &[End], sent: &[Arc<Submission>]) {
    let mut wins = pair.wins.0.lock().unwrap().clone();
    wins.sort_unstable();
    let ended: Vec<u32> = wins.iter().map(|&(request, _)| request).collect();
    let submitted: Vec<u32> = sent.iter().map(|sent| sent.request).collect();
    assert_eq!(ended, submitted, "each is ended once: {wins:?}");
    // What is left when all have acted is completed in the end.
    let possible = |end: &End| *end == End::Completed || ends.contains(end);
    assert!(wins.iter().all(|(_, end)| possible(end)), "{wins:?}");
    let mut told = pair.client.told();
    told.sort_unstable();
    if ends.contains(&End::ClientEnded) {
        assert!(told.iter().all(|told| wins.contains(told)), "{told:?}");
        assert!(told.is_sorted_by(|a, b| a.0 < b.0), "twice: {told:?}");
    } else {
        assert_eq!(told, wins, "each is told once, how it was ended");
    }
    pair.client.check_empty();
    pair.provider.check_empty();
    assert!(sent.iter().all(|sent| Arc::strong_count(sent) == 1));
}

fn is_free(work_loop: &WorkLoop) -> bool {
    let gate = work_loop.gate();
    (gate.depth(), gate.waiting()) == (0, 0)
}

#[test]
fn a_completion_and_a_cancel_meet() {
    explore(|| meet(false, &[End::Completed, End::Cancelled]));
}

#[test]
fn a_completion_and_a_deadline_meet() {
    explore(|| meet(false, &[End::Completed, End::Late]));
}

#[test]
fn a_completion_and_the_providers_end_meet() {
    explore(|| meet(false, &[End::Completed, End::ProviderEnded]));
}

#[test]
fn a_completion_and_the_clients_end_meet() {
    explore(|| meet(false, &[End::Completed, End::ClientEnded]));
}

#[test]
fn a_cancel_and_a_deadline_meet() {
    explore(|| meet(true, &[End::Cancelled, End::Late]));
}

#[test]
fn a_cancel_and_the_providers_end_meet() {
    explore(|| meet(true, &[End::Cancelled, End::ProviderEnded]));
}

#[test]
fn a_cancel_and_the_clients_end_meet() {
    explore(|| meet(true, &[End::Cancelled, End::ClientEnded]));
}

#[test]
fn a_deadline_and_the_providers_end_meet() {
    explore(|| meet(true, &[End::Late, End::ProviderEnded]));
}

#[test]
fn a_deadline_and_the_clients_end_meet() {
    explore(|| meet(true, &[End::Late, End::ClientEnded]));
}

#[test]
fn the_ends_of_client_and_provider_meet() {
    explore(|| meet(false, &[End::ProviderEnded, End::ClientEnded]));
}

#[test]
fn everything_that_can_end_a_request_meets() {
    explore(|| {
        meet(
            true,
            &[
                End::Completed,
                End::Cancelled,
                End::Late,
                End::ProviderEnded,
                End::ClientEnded,
            ],
        );
    });
}

/// The provider does not look meanwhile: it could not hand them over, and need
/// not hold them.
#[test]
fn what_is_given_up_while_it_waits_leaves_the_queue() {
    explore(|| {
        let pair = Pair::new(true);
        let cx = Context::detached("main");
        let sent: Vec<_> = (1..=REQUESTS)
            .filter_map(|id| pair.client.submit(&cx, &pair.provider, id))
            .collect();
        let ends = [End::Cancelled, End::Late];
        join(ends.map(|end| {
            let pair = pair.clone();
            spawn("actor", move |cx| pair.act(cx, end))
        }));
        assert!(pair.provider.queue().is_empty());
        pair.finish(&cx);
        check(&pair, &ends, &sent);
    });
}

/// Nobody looks but the loops' own threads: an arrival, a cancellation or a
/// completion that did not signal its loop would leave all of them waiting.
#[test]
fn the_loops_own_threads_bring_everything_there() {
    explore(|| {
        let pair = Pair::new(true);
        pair.client.spawn();
        pair.provider.spawn();
        let cx = Context::detached("main");
        let sent: Vec<_> = (1..=3)
            .filter_map(|id| pair.client.submit(&cx, &pair.provider, id))
            .collect();
        let canceller = {
            let pair = pair.clone();
            spawn("canceller", move |cx| pair.client.cancel(cx, 1))
        };
        while pair.client.told_in_gate(&cx) < 3 {
            pair.provider.complete(&cx);
            thread::yield_now();
        }
        join([canceller]);
        pair.client.terminate(&cx);
        pair.provider.terminate(&cx);
        check(&pair, &[End::Cancelled], &sent);
    });
}
