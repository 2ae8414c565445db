use super::super::Sleep;
use super::*;

thread_local! {
    static TABLE: RefCell<Tasks> = const { RefCell::new(Tasks::new(record)) };
    static PARKED: RefCell<Vec<(u64, u64, u64)>> = const { RefCell::new(Vec::new()) };
}

/// Stands in for the host: deadline 99 is refused.
fn record(id: RequestId, event: u64, deadline: u64) -> Result<()> {
    if deadline == 99 {
        return Err(ErrorCode::BadArgument.into());
    }
    PARKED.with_borrow_mut(|parked| parked.push((id.0, event, deadline)));
    Ok(())
}

fn parked() -> Vec<(u64, u64, u64)> {
    PARKED.take()
}

fn begin<F>(id: u64, command: impl FnOnce(Rc<Seat>) -> F) -> Poll<Result<Reply>>
where
    F: Future<Output = Result<Reply>> + 'static,
{
    let seat = TABLE.with_borrow(|tasks| tasks.seat(RequestId(id)));
    run(&TABLE, seat.clone(), Box::pin(command(seat)))
}

fn sleep(seat: &Rc<Seat>, event: u64, deadline: u64) -> Sleep {
    Sleep {
        seat: seat.clone(),
        event,
        deadline,
        parked: false,
    }
}

fn resumed(id: u64, wake: Wake) -> Poll<Result<Reply>> {
    resume(&TABLE, RequestId(id), wake)
}

fn asleep() -> usize {
    TABLE.with_borrow(|tasks| tasks.waiting.len())
}

#[test]
fn what_does_not_sleep_is_answered_at_once() {
    let answer = begin(1, async |_| Ok(7_u64.into()));
    assert_eq!(answer, Poll::Ready(Ok(7_u64.into())));
    assert_eq!(asleep(), 0);
}

#[test]
fn each_request_goes_on_where_it_slept() {
    let twice = async |seat: Rc<Seat>| {
        sleep(&seat, 5, 0).await?;
        let second = sleep(&seat, 6, 10).await;
        assert_eq!(second, Err(ErrorCode::TimedOut.into()));
        Ok(seat.id.0.into())
    };
    assert!(begin(1, twice).is_pending());
    assert!(begin(2, twice).is_pending());
    assert_eq!(parked(), [(1, 5, 0), (2, 5, 0)]);
    assert!(resumed(2, Wake::Awakened).is_pending());
    assert!(resumed(1, Wake::Awakened).is_pending());
    assert_eq!(parked(), [(2, 6, 10), (1, 6, 10)]);
    assert_eq!(resumed(1, Wake::TimedOut), Poll::Ready(Ok(1_u64.into())));
    assert_eq!(resumed(2, Wake::TimedOut), Poll::Ready(Ok(2_u64.into())));
    assert_eq!(asleep(), 0);
    assert!(resumed(2, Wake::Awakened).is_pending(), "nobody is there");
}

#[test]
fn the_hosts_refusal_is_the_sleeps_error() {
    let answer = begin(1, async |seat| {
        sleep(&seat, 1, 99).await?;
        Ok(().into())
    });
    assert_eq!(answer, Poll::Ready(Err(ErrorCode::BadArgument.into())));
}

#[test]
fn waiting_for_anything_else_is_an_error_and_not_for_ever() {
    let answer = begin(1, async |_| std::future::pending().await);
    assert!(matches!(answer, Poll::Ready(Err(error)) if error == ErrorCode::Unsupported));
    let forgotten = begin(2, async |seat| {
        sleep(&seat, 1, 0).await?;
        std::future::pending().await
    });
    assert!(forgotten.is_pending());
    let answer = resumed(2, Wake::Awakened);
    assert!(matches!(answer, Poll::Ready(Err(error)) if error == ErrorCode::Unsupported));
    assert_eq!(asleep(), 0);
}

#[test]
fn who_is_cancelled_is_dropped_and_may_come_back_here_meanwhile() {
    struct Guard(Rc<Cell<u32>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1 + u32::from(asleep() > 0));
        }
    }
    let dropped = Rc::new(Cell::new(0));
    for id in [1, 2] {
        let guard = Guard(dropped.clone());
        let answer = begin(id, async move |seat| {
            let _guard = guard;
            sleep(&seat, 1, 0).await?;
            Ok(().into())
        });
        assert!(answer.is_pending());
    }
    drop(take(&TABLE, TaskId::Request(RequestId(1))));
    assert_eq!((dropped.get(), asleep()), (2, 1));
    drop(take_all(&TABLE));
    assert_eq!((dropped.get(), asleep()), (3, 0));
}

/// Waits once for whoever takes the waker.
async fn once(waker: Rc<RefCell<Option<Waker>>>) {
    let mut is_first = true;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut is_first, false) {
            *waker.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

#[test]
fn a_kept_waker_is_something_to_wait_for() {
    let waker = Rc::<RefCell<Option<Waker>>>::default();
    let kept = waker.clone();
    let request = begin(1, async move |_| {
        once(kept).await;
        Ok(3_u64.into())
    });
    assert!(request.is_pending());
    assert!(!is_woken());
    // Twice is once.
    let taken = waker.take().unwrap();
    taken.wake_by_ref();
    taken.wake();
    let woken = take_woken();
    assert_eq!(woken, [TaskId::Request(RequestId(1))].into());
    assert!(!is_woken());
    let answer = go_on(&TABLE, TaskId::Request(RequestId(1)));
    assert_eq!(answer, Poll::Ready(Ok(3_u64.into())));
}

#[test]
fn a_waker_outlives_its_task_and_wakes_nobody_then() {
    let waker = Rc::<RefCell<Option<Waker>>>::default();
    let kept = waker.clone();
    let task = async move {
        once(kept).await;
        Ok(().into())
    };
    TABLE.with_borrow_mut(|tasks| tasks.spawn(Box::pin(task)));
    let first: Vec<_> = take_woken().into_iter().collect();
    assert!(go_on(&TABLE, first[0]).is_pending());
    assert_eq!(asleep(), 1);
    drop(take_all(&TABLE));
    waker.take().unwrap().wake();
    let stale: Vec<_> = take_woken().into_iter().collect();
    assert_eq!(stale, first);
    assert!(go_on(&TABLE, stale[0]).is_pending(), "nobody is there");
}
