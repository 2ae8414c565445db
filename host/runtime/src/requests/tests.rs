use super::*;

fn gate() -> Arc<CommandGate> {
    CommandGate::new(1, None)
}

/// Leaves it pending, for a client outside.
fn keep(requests: &mut Requests, id: u64, token: u32, ended: &Ended) -> Option<Arc<Pending>> {
    let pending = Arc::<Pending>::default();
    let client = Client::Outside(pending.clone());
    requests.has_room().then(|| {
        requests.keep(id, token, &gate(), ended, client);
        pending
    })
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "an outcome is what the tests compare"
)]
fn done(scalar: u64) -> Outcome {
    Ok(Reply {
        scalar,
        data: Vec::new(),
    })
}

#[test]
fn a_request_is_completed_once() {
    let mut requests = Requests::new(2);
    let id = requests.begin(false);
    let ended = requests.end();
    assert!(ended.early.is_none());
    let client = keep(&mut requests, id, 7, &ended).unwrap();
    assert_eq!(requests.complete(id, done(1)), Ok(()));
    assert_eq!(requests.complete(id, done(2)), Err(ErrorCode::BadArgument));
    assert_eq!(requests.complete(99, done(2)), Err(ErrorCode::BadArgument));
    assert_eq!((client.take(), client.take()), (Some(done(1)), None));
}

#[test]
fn a_completion_before_the_return_counts_and_is_the_only_one() {
    let mut requests = Requests::new(2);
    let id = requests.begin(false);
    assert_eq!(requests.complete(id, done(1)), Ok(()));
    assert_eq!(requests.complete(id, done(2)), Err(ErrorCode::BadArgument));
    assert_eq!(requests.end().early, Some(done(1)));
    assert_eq!(requests.complete(id, done(3)), Err(ErrorCode::BadArgument));
}

#[test]
fn an_immediate_one_is_answered_by_its_return_alone() {
    let mut requests = Requests::new(2);
    let id = requests.begin(true);
    assert_eq!(requests.complete(id, done(1)), Err(ErrorCode::BadArgument));
    assert!(requests.end().early.is_none());
}

#[test]
fn too_many_pending_are_refused_and_the_end_answers_all() {
    let mut requests = Requests::new(1);
    let first = requests.begin(false);
    let ended = requests.end();
    let client = keep(&mut requests, first, 1, &ended).unwrap();
    let second = requests.begin(false);
    let ended = requests.end();
    assert!(keep(&mut requests, second, 1, &ended).is_none());
    requests.end_all(None, ErrorCode::DriverDied);
    assert_eq!(client.take(), Some(Err(ErrorCode::DriverDied)));
    assert!(!requests.forget(first));
}

/// A request that is pending, parked on event 5.
fn parked(requests: &mut Requests, token: u32, deadline: Option<u64>) -> u64 {
    let id = requests.begin(false);
    requests
        .park(id, 5, deadline.map(Instant::from_nanos))
        .unwrap();
    let ended = requests.end();
    keep(requests, id, token, &ended).unwrap();
    id
}

#[test]
fn the_longest_asleep_is_woken_first() {
    let mut requests = Requests::new(9);
    let [first, second, third] = [(); 3].map(|()| parked(&mut requests, 1, None));
    let other_gate = parked(&mut requests, 2, None);
    assert!(!requests.wake(1, 6, false));
    assert!(requests.wake(1, 5, true));
    assert_eq!(requests.next_woken(), Some((first, Wake::Awakened)));
    assert!(requests.wake(1, 5, false));
    assert_eq!(
        requests.park(second, 5, None),
        Err(ErrorCode::BadArgument),
        "its resume is due"
    );
    assert_eq!(requests.next_woken(), Some((second, Wake::Awakened)));
    assert_eq!(requests.next_woken(), Some((third, Wake::Awakened)));
    assert_eq!(requests.next_woken(), None);
    assert_eq!(requests.park(second, 7, None), Ok(()));
    assert_eq!(
        requests.park(other_gate, 7, None),
        Err(ErrorCode::BadArgument),
        "it sleeps"
    );
}

#[test]
fn deadlines_wake_in_their_order_and_once() {
    let mut requests = Requests::new(9);
    let late = parked(&mut requests, 1, Some(20));
    let soon = parked(&mut requests, 1, Some(10));
    assert_eq!(requests.next_deadline(), Some(Instant::from_nanos(10)));
    assert!(!requests.expire(Instant::from_nanos(9)));
    assert!(requests.expire(Instant::from_nanos(30)));
    assert!(!requests.wake(1, 5, false) && !requests.expire(Instant::from_nanos(40)));
    assert_eq!(requests.next_woken(), Some((soon, Wake::TimedOut)));
    assert_eq!(requests.next_woken(), Some((late, Wake::TimedOut)));
}

#[test]
fn who_ended_is_not_resumed() {
    let mut requests = Requests::new(9);
    let [cancelled, completed] = [(); 2].map(|()| parked(&mut requests, 1, None));
    assert!(requests.wake(1, 5, false));
    assert!(requests.forget(cancelled));
    assert_eq!(requests.complete(completed, done(1)), Ok(()));
    assert_eq!(requests.next_woken(), None);
}

#[test]
fn a_wake_up_of_one_is_passed_on_by_who_ends_before_it() {
    let mut requests = Requests::new(9);
    let [first, second, third] = [(); 3].map(|()| parked(&mut requests, 1, None));
    assert!(requests.wake(1, 5, true));
    assert!(requests.forget(first));
    assert_eq!(requests.complete(second, done(1)), Ok(()));
    assert_eq!(requests.next_woken(), Some((third, Wake::Awakened)));
    assert_eq!(requests.next_woken(), None);
}
