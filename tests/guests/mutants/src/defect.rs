//! What is wrong with a mutant.

use crate::Porch;
use loopgate_guest::prelude::*;
use std::hint::black_box;

/// One mistake that authors make. Which check of the kit is meant for it stands in
/// `tests/integration/src/mutants.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Nothing: the driver as it should be.
    Nothing,
    /// Opens its button's pin a second time.
    OpensTwice,
    /// Unwraps a setting that the board file may leave out.
    DemandsASetting,
    /// Refuses to start while the button is held.
    StartsReleasedOnly,
    /// Allocates a place for each millisecond that the clock shows in `start`.
    SizedByUptime,
    /// Arms its timer in `stop`.
    ArmsInStop,
    /// Opens the disk in `stop`.
    OpensInStop,
    /// Unwraps the waiting request in `stop`, where none may wait.
    PanicsInStop,
    /// Unwraps what `open` of its button gives.
    UnwrapsOpen,
    /// Unwraps what `publish` gives.
    UnwrapsPublish,
    /// Refuses to start with a text that does not name the pin.
    HidesTheName,
    /// Indexes a request's data unchecked.
    IndexesData,
    /// Multiplies a request's number of seconds, which overflows.
    Overflows,
    /// Allocates as much as a request's number says.
    AllocatesWhatIsSaid,
    /// Answers a request by its id a second time.
    AnswersTwice,
    /// Answers a request by its id after it was cancelled.
    AnswersLate,
    /// Completes a request and returns an answer as well.
    AnswersBothWays,
    /// Stays busy when the request that it is busy with is cancelled.
    BusyAfterCancel,
    /// Asserts in `cancelled` that the disk is not being asked.
    PanicsInCancelled,
    /// Lets a cancelled request's timer run on, and asserts that somebody waits.
    StaleTimer,
    /// Debounces by a delay of 5 ms in `interrupt`.
    DelaysInInterrupt,
    /// Delays 5 ms in `timeout` to dim the lamp.
    DelaysInTimeout,
    /// Sorts all later edges of a call anew for each of them.
    SortsForEachEdge,
    /// Counts to two million to wait for the contact to rest.
    Spins,
    /// Unwraps what `set` of the lamp gives.
    UnwrapsSet,
    /// Arms the next beat after what can fail.
    ArmsLast,
    /// Unwraps what `read` of the port gives.
    UnwrapsRead,
    /// Keeps a record of each beat for ever.
    KeepsEveryEvent,
    /// Creates a timer for each request and never drops it.
    TimerForEachRequest,
    /// Opens the disk for each request and never closes it.
    KeepsEveryClient,
    /// Asserts that no interrupt is lost.
    AssertsNoLoss,
    /// Asserts that each interrupt is one edge.
    AssertsOneEdge,
    /// Logs each edge.
    LogsEachEdge,
    /// Makes up for each beat that it missed.
    CatchesUp,
    /// Asserts that a beat is not late.
    AssertsOnTime,
    /// Does not restore the count of presses.
    ForgetsTheCounter,
    /// Does not restore how long the lamp is to be on.
    ForgetsTheSetting,
    /// Restores whether the button is held the wrong way round.
    RestoresInverted,
    /// Arms its heartbeat anew in `restore`.
    RearmsInRestore,
    /// Does not restore the begin of a line.
    ForgetsTheLine,
    /// Does not arm its heartbeat again when the board wakes.
    SleepsOn,
    /// Forgets who waits when the board goes to sleep.
    ForgetsWhoWaits,
    /// Takes for granted that the lamp was on when the board went to sleep.
    PanicsOnWake,
    /// Keeps the disk open when its driver goes.
    KeepsADeadClient,
    /// Asserts in `structural` that the disk is not in use.
    PanicsInStructural,
    /// Unwraps what the disk answers.
    UnwrapsCompleted,
    /// An edge hands it the waiting request, which a line then answers before the contact rests.
    RaceOfThree,
    /// Switched on for good, it does not cancel the timer that puts the lamp out.
    ForgetsTheTimer,
    /// The lamp is on for nine tenths of the time.
    ShortPulse,
    /// Drives the lamp inverted.
    InvertedLamp,
    /// Replies one press too few.
    OffByOne,
    /// Counts a press when the contact bounces, too.
    CountsBounces,
    /// Counts edges that come in one call as one.
    CountsCalls,
    /// Ends its answers with a carriage return, too.
    WrongReply,
    /// Loses a byte where a line comes in two pieces.
    ForgetsAByte,
    /// Arms the next beat from the end of this one, so that they drift.
    HeartbeatDrifts,
    /// Lets a cancelled request's timer run on, which then answers the next one.
    AnswersEarly,
}

/// For the loop that waits.
const LONG: u32 = 2_000_000;

/// What mutants do besides.
impl Porch {
    pub(crate) fn spoil_edges(&mut self, event: Interrupts) -> Result<()> {
        match self.defect {
            Defect::AssertsNoLoss => assert_eq!(event.lost, 0, "edges are lost"),
            Defect::AssertsOneEdge => assert_eq!(event.count, 1, "one edge at a time"),
            Defect::DelaysInInterrupt => delay(5.millis())?,
            Defect::Spins => (0..LONG).for_each(|turn| {
                black_box(turn);
            }),
            Defect::LogsEachEdge => {
                for edge in self.edges.take_occurrences(event.count) {
                    info!("an edge of the button: {edge:?}");
                }
            }
            Defect::SortsForEachEdge => {
                let edges = self.edges.take_occurrences(event.count);
                for (place, edge) in edges.iter().enumerate() {
                    let later = edges[place..].iter();
                    let mut times: Vec<_> =
                        later.map(|other| other.sequence ^ edge.sequence).collect();
                    times.sort_unstable();
                    black_box(times);
                }
            }
            Defect::RaceOfThree => {
                let waits = self.waiting.as_ref();
                self.spoilt.is_for_it = waits.is_some_and(|waiting| waiting.asked.is_none());
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn spoil_request(&mut self) -> Result<()> {
        match self.defect {
            Defect::TimerForEachRequest => self.spoilt.timers.push(Timer::create()?),
            Defect::KeepsEveryClient => {
                let client = Client::open("ram-block").expect("the disk is there");
                self.spoilt.clients.push(client);
            }
            _ => {}
        }
        Ok(())
    }
}
