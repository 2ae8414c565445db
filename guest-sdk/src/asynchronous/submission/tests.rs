use super::super::tasks::{self, TaskId, Tasks};
use super::*;
use crate::ErrorCode;

thread_local! {
    static TABLE: RefCell<Tasks> = const { RefCell::new(Tasks::new(|_, _, _| Ok(()))) };
}

fn begin<F>(id: u64, command: impl FnOnce() -> F) -> Poll<Result<Reply>>
where
    F: Future<Output = Result<Reply>> + 'static,
{
    let seat = TABLE.with_borrow(|tasks| tasks.seat(RequestId(id)));
    tasks::run(&TABLE, seat, Box::pin(command()))
}

fn submitted(id: u64) -> Submission {
    Submission::new(RequestId(id), None)
}

/// The host's call, and what becomes of the request that it concerns.
fn over(id: u64, outcome: Result<Reply>) -> Option<Poll<Result<Reply>>> {
    if let Completed::Other(outcome) = completed(RequestId(id), outcome) {
        panic!("for the driver: {outcome:?}");
    }
    let woken = tasks::take_woken();
    assert!(woken.len() <= 1, "{woken:?}");
    woken.first().map(|&id| tasks::go_on(&TABLE, id))
}

fn known() -> usize {
    SUBMITTED.with_borrow(BTreeMap::len)
}

#[test]
fn a_request_goes_on_when_what_it_awaits_is_over() {
    let chain = async || {
        let first = submitted(1).await?;
        let second = submitted(2).await;
        assert_eq!(second, Err(ErrorCode::Io.into()));
        Ok(first)
    };
    assert!(begin(7, chain).is_pending());
    assert!(over(1, Ok(5_u64.into())).unwrap().is_pending());
    let answer = over(2, Err(ErrorCode::Io.into()));
    assert_eq!(answer, Some(Poll::Ready(Ok(5_u64.into()))));
    assert_eq!(known(), 0);
}

#[test]
fn one_that_is_over_before_it_is_awaited_is_there() {
    let both = async || {
        let (first, second) = (submitted(1), submitted(2));
        let first = first.await?.scalar();
        Ok((first * 10 + second.await?.scalar()).into())
    };
    assert!(begin(7, both).is_pending());
    assert_eq!(over(2, Ok(2_u64.into())), None);
    let answer = over(1, Ok(1_u64.into()));
    assert_eq!(answer, Some(Poll::Ready(Ok(12_u64.into()))));
    assert_eq!(known(), 0);
}

#[test]
fn the_end_of_a_dropped_one_concerns_nobody() {
    drop(submitted(1));
    let dropped = begin(7, async || {
        let _unawaited = submitted(2);
        submitted(3).await
    });
    assert!(dropped.is_pending());
    drop(tasks::take(&TABLE, TaskId::Request(RequestId(7))));
    assert_eq!(known(), 3);
    for id in [3, 1, 2] {
        assert_eq!(over(id, Err(ErrorCode::Aborted.into())), None);
    }
    assert_eq!(known(), 0);
}

#[test]
fn who_awaits_nothing_more_is_not_left_waiting() {
    let forgets = async || {
        submitted(1).await?;
        std::future::pending().await
    };
    assert!(begin(7, forgets).is_pending());
    let answer = over(1, Ok(().into())).unwrap();
    assert!(matches!(answer, Poll::Ready(Err(error)) if error == ErrorCode::Unsupported));
}

#[test]
fn others_are_the_drivers() {
    let other = completed(RequestId(9), Ok(().into()));
    assert!(matches!(other, Completed::Other(Ok(_))));
}
