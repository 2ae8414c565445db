//! Talking to the board that runs.

use anyhow::{Result, bail};
use loopgate::control::{Client, Request, Response};

use crate::arguments::Socket;

/// The board's answer. A request that failed is an error.
pub(crate) fn ask(socket: &Socket, request: &Request) -> Result<Response> {
    match Client::connect(&socket.place())?.ask(request)? {
        Response::Error(error) => Err(error.into()),
        response => Ok(response),
    }
}

/// For an answer to another question than was asked.
pub(crate) fn unexpected<T>(response: &Response) -> Result<T> {
    bail!(
        "the host answered something else ({response:?}): it may be of another version; restart it"
    )
}
