//! A chain of drivers, each deep in its own stack when it calls the next.

use loopgate::{Board, Request};
use loopgate_integration::{
    assert_running, entry, guest, logged, real_board, until, virtual_board,
};

/// `links` drivers, of which `link1` calls `link2` and so on; `first` is more
/// config for `link1`, `each` more for each entry.
fn chain(links: usize, first: &str, each: &str) -> String {
    let link = |n: usize| {
        let (uses, next) = if n < links {
            let next = n + 1;
            (
                format!("uses = [\"link{next}\"]"),
                format!(", next = \"link{next}\""),
            )
        } else {
            Default::default()
        };
        let more = if n == 1 { first } else { "" };
        let rest = format!(
            "provides = [\"link{n}\"]\n{uses}\nconfig = {{ service = \"link{n}\"{next}{more} }}\n{each}"
        );
        entry(&format!("link{n}"), &guest("hostile_chain"), &rest)
    };
    (1..=links).rev().map(link).collect()
}

fn assert_all_running(board: &Board, links: usize) {
    for n in 1..=links {
        assert_running(board, &format!("link{n}"));
    }
}

fn outcome(board: &Board, selector: &str) -> (u64, String) {
    let reply = board.call("link1", Request::named(selector)).unwrap();
    (reply.scalar, String::from_utf8(reply.data).unwrap())
}

/// On a thread whose stack is what threads get by default.
fn on_an_ordinary_thread(board: &Board) -> (u64, String) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        let client = thread.spawn_scoped(scope, || outcome(board, "call"));
        client.unwrap().join().unwrap()
    })
}

#[test]
fn eight_deep_recursions_fit_on_an_ordinary_thread() {
    let board = virtual_board(chain(8, "", ""));
    assert_eq!(on_an_ordinary_thread(&board), (8, "ok".into()));
    assert_all_running(&board, 8);
}

#[test]
fn the_ninth_is_refused() {
    let board = virtual_board(chain(9, "", ""));
    assert_eq!(on_an_ordinary_thread(&board), (8, "no-resources".into()));
    assert!(logged(&board, "link8", "limit `nesting`: more than 8"));
    assert_all_running(&board, 9);
}

#[test]
fn across_loops_it_is_the_same_stack() {
    let board = real_board(chain(9, "", "work-loop = \"dedicated\""));
    assert_eq!(on_an_ordinary_thread(&board), (8, "no-resources".into()));
    assert_all_running(&board, 9);
}

#[test]
fn a_loops_own_thread_has_room_for_eight() {
    for each in ["", "work-loop = \"dedicated\""] {
        let board = real_board(chain(9, ", after-ms = \"1\"", each));
        until("the timer has called", || outcome(&board, "report").0 > 0);
        assert_eq!(outcome(&board, "report"), (8, "no-resources".into()));
        assert_all_running(&board, 9);
    }
}

/// The innermost recurses without end: it alone ends, whatever is above it.
#[test]
fn an_endless_recursion_down_the_chain_ends_its_own_driver_only() {
    let bottom = "provides = [\"bottom\"]\nconfig = { when = \"command\", service = \"bottom\" }";
    let bottom = entry("bottom", &guest("hostile_recurse"), bottom);
    let last = "provides = [\"link2\"]\nuses = [\"bottom\"]\nconfig = { service = \"link2\", next = \"bottom\" }";
    let last = entry("link2", &guest("hostile_chain"), last);
    let top = "provides = [\"link1\"]\nuses = [\"link2\"]\nconfig = { service = \"link1\", next = \"link2\" }";
    let board = virtual_board(bottom + &last + &entry("link1", &guest("hostile_chain"), top));
    assert_eq!(outcome(&board, "call"), (2, "driver-died".into()));
    assert_all_running(&board, 2);
    let (_, cause) = loopgate_integration::state(&board, "bottom");
    assert!(cause.contains("limit `stack`"), "{cause}");
}

/// A thread with less stack than that is refused, not overrun.
#[test]
fn a_small_thread_is_refused_before_its_stack_ends() {
    let board = virtual_board(chain(9, "", ""));
    for kibibytes in [64, 128, 256, 512, 1024] {
        let reached = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(kibibytes << 10);
            let client = thread.spawn_scoped(scope, || board.call("link1", Request::named("call")));
            client.unwrap().join().unwrap()
        });
        match reached {
            Ok(reply) => assert_eq!(reply.data, b"no-resources"),
            Err(error) => assert_eq!(error.code, loopgate::ErrorCode::NoResources),
        }
    }
    assert_all_running(&board, 9);
}
