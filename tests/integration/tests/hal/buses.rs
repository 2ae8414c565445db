//! Buses by the traits: each form says what the plain wrappers say.

use loopgate::{Board, Request};
use loopgate_integration::{entry, guest, virtual_board};

fn board() -> Board {
    let devices = "[[board.i2c-device]]\nbus = \"b\"\naddress = 0x76\nmodel = \"registers\"\n\
         registers = { 0x10 = \"ab cd\" }\n\
         [[board.spi-device]]\nbus = \"s\"\nmodel = \"loop-back\"\n";
    let rest = "provides = [\"hal\"]\n\
         [driver.i2c]\nsensor = { bus = \"b\", address = 0x76 }\n\
         [driver.spi]\necho = { bus = \"s\", clock = 1_000_000 }\n";
    virtual_board(devices.to_owned() + &entry("hal", &guest("probe_hal"), rest))
}

fn bytes(board: &Board, selector: &str) -> Vec<u8> {
    board.call("hal", Request::named(selector)).unwrap().data
}

#[test]
fn every_form_of_the_traits_makes_the_same_transactions() {
    let board = board();
    assert_eq!(bytes(&board, "i2c"), [0xab, 0xcd].repeat(4));
    // What is shorter goes on with zeros.
    assert_eq!(bytes(&board, "spi"), [1, 2, 0, 3, 4, 5, 6]);
}

#[test]
fn a_device_answers_by_one_address_the_first_that_it_is_called_by() {
    let board = board();
    let by = |address| {
        let reply = board.call("hal", Request::named("other").scalar(address));
        String::from_utf8(reply.unwrap().data).unwrap()
    };
    assert_eq!(by(0x76), "answers");
    assert_eq!(by(0x77), "nobody there");
    assert_eq!(by(0x76), "answers");
}
