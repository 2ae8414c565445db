//! The `loopgate` program: arguments and output. What it does is in the crate
//! `loopgate`.
//!
//! Exit status: 0 done, 1 the thing failed, 2 used wrongly.
#![forbid(unsafe_code)]

mod arguments;
mod board;
mod call;
mod check;
mod compile;
#[cfg(feature = "compiler")]
mod conform;
mod doctor;
mod drivers;
mod new;
mod output;
mod power;
mod replay;
mod run;
mod sim;
mod status;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser as _;
use loopgate::control::Request;

fn main() -> ExitCode {
    // Says itself what is wrong with the arguments, and exits with 2.
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Run(run) => run::run(&run),
        Command::Check(check) => check::run(&check),
        Command::Compile(compile) => compile::run(&compile),
        #[cfg(feature = "compiler")]
        Command::Conform(conform) => conform::run(&conform),
        Command::Replay(replay) => replay::run(&replay),
        Command::Doctor(doctor) => doctor::run(&doctor),
        Command::New(new) => new::run(&new),
        Command::Status(status) => status::run(&status),
        Command::Call(call) => call::run(call),
        Command::Reload(reload) => drivers::reload(reload),
        Command::Stop(named) => drivers::change(named, |driver| Request::Stop { driver }),
        Command::Start(named) => drivers::change(named, |driver| Request::Start { driver }),
        Command::Revoke(revoke) => drivers::revoke(revoke),
        Command::Power(power) => power::run(&power),
        Command::Logs(logs) => drivers::logs(&logs),
        Command::Sim(sim) => sim::run(sim),
    };
    match done {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("{}", output::error_line(&error));
            ExitCode::FAILURE
        }
    }
}
