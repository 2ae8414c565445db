//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use loopgate::control::{self, Place, Selector};
use loopgate::devices::sim::Resolution;
use loopgate::units::parse_span;
use loopgate::{Target, VcdFile};
#[cfg(feature = "compiler")]
use loopgate_conform::Kit;

use crate::new::Name;

/// Runs device drivers as sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "loopgate", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit status: 0 done, 1 the thing failed, 2 used wrongly.\n\n\
    Example:\n  loopgate run sample-drivers/board.toml"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a board until it is interrupted (SIGINT, SIGTERM)
    #[command(
        after_help = "A driver is reloaded when its component's file changes. The log goes to standard error; \
        LOOPGATE_LOG chooses what is in it, for example `debug` or `warn,driver=trace` (default: info).\n\n\
        SIGHUP reads the board file again, as `loopgate reload --board` does. SIGINT and SIGTERM stop the \
        drivers, the last started first; a second one ends at once. `host/cli/loopgate.service` in the \
        sources runs a board under systemd.\n\n\
        Examples:\n  loopgate run sample-drivers/board.toml\n  \
        loopgate run sample-drivers/board.toml --vcd lines.vcd --vcd-line GPIO17 --vcd-line GPIO27"
    )]
    Run(Run),
    /// Says what a component imports, what it would be granted and what is missing
    #[command(
        after_help = "Exit status 1 where it would not load, or something is missing.\n\n\
        Example:\n  loopgate check target/drivers/blink.wasm --board sample-drivers/board.toml"
    )]
    Check(Check),
    /// Compiles a component beforehand, for this machine or another one
    #[command(
        after_help = "The board file names OUT in the place of the component, and has to have its digest, which \
        is printed: compiled code runs as the host. Another release of loopgate, or another kind of processor, \
        needs another file.\n\n\
        A program that was built with `--features all-targets` compiles for x86-64 and arm64, others for their \
        own kind. All compile for the interpreter, for machines that no host runs on yet.\n\n\
        Examples:\n  loopgate compile target/drivers/blink.wasm -o blink.cwasm\n  \
        loopgate compile target/drivers/blink.wasm --target aarch64-unknown-linux-musl -o blink.cwasm"
    )]
    Compile(Compile),
    /// Finds out whether a driver keeps the contract, on a simulated board
    #[cfg(feature = "compiler")]
    #[command(
        after_help = "Every check of the kit, and the scenarios that are given: files, or folders of them. With --board the \
        component takes the place of that driver's on this board, of which everything is simulated. Without one, the board is \
        that of the first scenario that has one; and without scenarios, one that grants the driver what it asks for. A scenario \
        with a board of its own is played on that.\n\n\
        The same component, board, scenarios and seed give the same report, on every machine. Exit status 1 where the \
        driver fails at anything.\n\n\
        Examples:\n  loopgate conform target/drivers/blink.wasm\n  \
        loopgate conform target/drivers/button_led.wasm --board sample-drivers/board.toml --scenario sample-drivers/button-led/conform\n  \
        loopgate conform driver.wasm --scenario conform --junit report.xml --html report.html --shard 1/4\n  \
        loopgate conform driver.wasm --check survives-schedules --seed 7 --schedules 100000 --json"
    )]
    Conform(Conform),
    /// Has a component do again what a recording says, without a board
    #[command(
        after_help = "`loopgate run BOARD --record FILE` writes recordings. The host's answers come from there; the first thing \
        that the component does otherwise is named, with exit status 1. What was cut off is replayed up to the cut.\n\n\
        Examples:\n  loopgate replay field.trace target/drivers/blink.wasm --driver blink\n  \
        loopgate replay field.trace fixed.wasm --driver gps --json"
    )]
    Replay(Replay),
    /// Says what this machine has for drivers, and how to mend what is missing
    #[command(
        after_help = "GPIO chips with their lines and who holds them, serial ports, buses, this user's rights, and \
        what the kernel can hold. With BOARD, each thing that the board file grants against what is there. \
        Nothing is touched: no line is requested, no port opened, nothing sent on a bus.\n\n\
        Exit status 1 where something is missing that BOARD asks for.\n\n\
        Examples:\n  loopgate doctor\n  loopgate doctor sample-drivers/board.toml --json"
    )]
    Doctor(Doctor),
    /// Makes the project of a driver, which builds and runs on a simulated board
    #[command(after_help = "Example:\n  loopgate new lamp")]
    New(New),
    /// Shows the drivers of a running board, or one of them with its services
    #[command(after_help = "Examples:\n  loopgate status\n  loopgate status button-led --json")]
    Status(Status),
    /// Asks a driver's service
    #[command(
        after_help = "DATA is `@FILE` for a file's content, an even number of hexadecimal digits for those \
        bytes, and else text; `text:` before it makes it text in any case.\n\n\
        Examples:\n  loopgate call button-led presses\n  loopgate call echo 1 0x10 32 --data deadbeef --timeout '2 s'"
    )]
    Call(Call),
    /// Puts the present version of a component in the place of the running driver,
    /// or changes the board to what its file says now
    #[command(
        after_help = "A version with state hands it to the new one, and all that it has open: outputs keep their \
        levels, nothing that waits is lost. Before that its begun requests have to end, within its limit `drain`. \
        If anything fails, the old version goes on.\n\n\
        Of a version without state `stop` is called, then the new one's `start`. Edges and bytes that \
        arrive meanwhile go to the new one; requests in flight end as `driver-died`. A version that cannot be \
        loaded leaves the old one running.\n\n\
        `loopgate run` does this by itself when the component's file changes.\n\n\
        With --board, the board file is read again: drivers that it does not have any more are stopped, \
        those with another entry are stopped and started, new ones are started, and the others are not \
        touched, but that those above a driver that is stopped end before it and come back with it. \
        So is a driver that a grant was withdrawn from by `loopgate revoke`, and has it back. \
        A file with a mistake changes nothing. SIGHUP to the host does the same.\n\n\
        Examples:\n  loopgate reload blink\n  loopgate reload --force modbus --json\n  loopgate reload --board"
    )]
    Reload(Reload),
    /// Stops a driver: its lines are released, its services end
    #[command(
        after_help = "Before it the drivers above it stop, those that use its services and have no other provider: \
        each is told, and may take its limit `closing` to close what it has open. Nothing of them can be opened \
        meanwhile.\n\n\
        Example:\n  loopgate stop blink"
    )]
    Stop(Named),
    /// Starts a driver that was stopped, or has failed
    #[command(
        after_help = "After it those start that were stopped with it, or with another driver whose services they \
        use.\n\n\
        Example:\n  loopgate start blink"
    )]
    Start(Named),
    /// Withdraws a grant of the board file from a driver, at once
    #[command(
        after_help = "GRANT is the driver's name for a pin, a serial port or a device on a bus, or a service of its \
        `uses`, whose pins go with it. What is open of it is closed before the command returns: an output takes its safe state, \
        interrupts that wait are lost, requests of the driver's are cancelled. What the driver calls of it from then \
        on is `not-granted`.\n\n\
        That stays so when the driver is started again, stopped and started, or reloaded. `loopgate reload \
        --board` gives back what the board file says: it stops the driver and starts it.\n\n\
        Examples:\n  loopgate revoke button-led led\n  loopgate revoke keypad expander --json"
    )]
    Revoke(Revoke),
    /// Takes the board to sleep, or wakes it
    #[command(
        after_help = "Drivers are asked whether the board may sleep; then each makes the change, those that use \
        others first, and last when it wakes. Returns when all have; one that takes too long is not waited for. \
        Exit status 1 where a driver does not allow it.\n\n\
        Examples:\n  loopgate power sleep\n  loopgate power wake"
    )]
    Power(Power),
    /// Shows the latest lines of a driver's log
    #[command(
        after_help = "Each line has the seconds since the board started, the level and the text.\n\n\
        Examples:\n  loopgate logs blink\n  loopgate logs blink --follow"
    )]
    Logs(Logs),
    /// Drives and shows the lines of a simulated board
    #[command(subcommand)]
    Sim(Sim),
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The board file
    pub(crate) board: PathBuf,
    /// Does not reload drivers whose component's file changes
    #[arg(long)]
    pub(crate) no_watch: bool,
    /// What of its own rights the host drops before it runs a driver: files and
    /// system calls that it does not need
    #[arg(long, value_name = "HOW", default_value = "try")]
    pub(crate) sandbox: Held,
    /// How long the drivers may take to stop, all together, when the board is
    /// ended; the rest ends with the host then
    #[arg(long, value_name = "SPAN", default_value = "10 s", value_parser = parse_span)]
    pub(crate) stop_limit: Duration,
    #[command(flatten)]
    pub(crate) recording: Recording,
    /// Records what crosses the boundary of the drivers, for `loopgate replay`
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) socket: Socket,
}

#[cfg(feature = "compiler")]
#[derive(Debug, Args)]
pub(crate) struct Conform {
    /// The component, a .wasm file
    pub(crate) component: PathBuf,
    /// The board file that has the driver
    #[arg(long, value_name = "FILE")]
    pub(crate) board: Option<PathBuf>,
    /// Which of the board's drivers it is; not needed where the component's file has its name, or it is alone
    #[arg(long, value_name = "NAME", requires = "board")]
    pub(crate) driver: Option<String>,
    /// A scenario, or a folder of them; can be given again
    #[arg(long, value_name = "PATH")]
    pub(crate) scenario: Vec<PathBuf>,
    /// Runs this check only, and no scenario; can be given again
    #[arg(long, value_name = "ID", value_parser = check)]
    pub(crate) check: Vec<String>,
    /// What schedules are drawn from
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// How many schedules are drawn
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    pub(crate) schedules: u64,
    /// One part of the checks and scenarios, for example `1/4`: all parts together are the whole
    #[arg(long, value_name = "PART", default_value = "1/1", value_parser = shard)]
    pub(crate) shard: (u64, u64),
    /// Records the lines of the scenarios, a VCD each, in this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) vcd: Option<PathBuf>,
    /// Writes the report as `JUnit` XML, too
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Writes the report as a page for a browser, too
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(feature = "compiler")]
fn check(text: &str) -> Result<String, String> {
    if Kit::checks().any(|known| known == text) {
        return Ok(text.to_owned());
    }
    let known: Vec<_> = Kit::checks().collect();
    Err(format!("there is {}", known.join(", ")))
}

#[cfg(feature = "compiler")]
fn shard(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('/');
    let parts = parts.and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    let wrong = || format!("`{text}` is no part; write `2/4` for the second of four");
    let good = parts.filter(|(index, count)| (1..=*count).contains(index));
    good.ok_or_else(wrong)
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The recording
    pub(crate) recording: PathBuf,
    /// The component, a .wasm file
    pub(crate) component: PathBuf,
    /// Which of the recorded drivers; not needed where there is one
    #[arg(long, value_name = "NAME")]
    pub(crate) driver: Option<String>,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How the host holds itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Held {
    /// Does not start where the kernel lacks Landlock or seccomp
    Require,
    /// Goes on without what the kernel lacks, and says so
    Try,
    /// Drops nothing
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The driver
    pub(crate) driver: String,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) socket: Socket,
}

#[derive(Debug, Args)]
pub(crate) struct Reload {
    /// The driver
    #[arg(required_unless_present = "board", conflicts_with = "board")]
    pub(crate) driver: Option<String>,
    /// Ends requests that have begun as `driver-died`, instead of waiting for them
    #[arg(long, conflicts_with = "board")]
    pub(crate) force: bool,
    /// Changes the board to what its file says now
    #[arg(long)]
    pub(crate) board: bool,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) socket: Socket,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The driver
    pub(crate) driver: String,
    /// A pin, port or service that its entry grants, by the name there
    pub(crate) grant: String,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) socket: Socket,
}

#[derive(Debug, Args)]
pub(crate) struct Power {
    /// What the board is to do
    pub(crate) change: PowerChange,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) socket: Socket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PowerChange {
    Sleep,
    Wake,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The driver
    pub(crate) driver: String,
    /// Goes on with the lines that come
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// How many lines to begin with, of those that the host has kept
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    pub(crate) lines: usize,
    /// Prints JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) socket: Socket,
}

#[derive(Debug, Args)]
pub(crate) struct Recording {
    #[arg(long, value_name = "FILE")]
    #[arg(
        help = "Records the lines of the simulated board to a VCD, for PulseView, GTKWave \
        or a [[board.play]]"
    )]
    vcd: Option<PathBuf>,
    /// Records this line only; can be given again
    #[arg(long, value_name = "NAME", requires = "vcd")]
    vcd_line: Vec<String>,
    #[arg(long, value_name = "SPAN", default_value = "1 us", requires = "vcd", value_parser = resolution)]
    #[arg(
        help = "How fine the VCD's times are: a power of ten from 1 ns to 1 ms. PulseView and \
        sigrok-cli make samples of this length: at 1 ns, 20 s are 20 billion of them"
    )]
    vcd_resolution: Resolution,
}

impl Recording {
    /// `None` where nothing is to be recorded.
    pub(crate) fn file(&self) -> Option<VcdFile> {
        let file = VcdFile::new(self.vcd.as_ref()?);
        let lines = self.vcd_line.iter().cloned();
        Some(file.lines(lines).resolution(self.vcd_resolution))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The component, a .wasm file
    pub(crate) component: PathBuf,
    /// A board file, whose entries for the component are looked at
    #[arg(long, value_name = "FILE")]
    pub(crate) board: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Compile {
    /// The component, a .wasm file
    pub(crate) component: PathBuf,
    /// What it is compiled for, a Rust target such as `aarch64-unknown-linux-musl`, or wasmtime's
    /// interpreter `pulley32` or `pulley64` [default: this machine and its processor]
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<Target>,
    /// Where the compiled code goes
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// A board file, whose grants are looked for
    pub(crate) board: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) socket: Socket,
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// What the driver, its package and its service are called
    pub(crate) name: Name,
    /// The project's folder, empty or not yet there [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// The folder of the SDK, `guest-sdk` in a checkout of Loopgate [default: of the checkout that
    /// this program was built from, while it is there]
    #[arg(long, value_name = "PATH")]
    pub(crate) sdk: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// A driver or a service: shows all about it
    pub(crate) name: Option<String>,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) socket: Socket,
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The service (`loopgate status` lists them)
    pub(crate) service: String,
    /// What to ask it, by name or number (`loopgate status SERVICE` lists them)
    #[arg(value_parser = selector)]
    pub(crate) selector: Selector,
    /// Up to four numbers, decimal or like 0x10
    #[arg(value_name = "SCALAR", num_args = 0..=4, value_parser = scalar)]
    pub(crate) scalars: Vec<u64>,
    /// Bytes that go along: hexadecimal digits, @FILE or text
    #[arg(long, value_name = "DATA")]
    pub(crate) data: Option<String>,
    /// Fails at once where the answer would take a wait
    #[arg(long, conflicts_with = "timeout")]
    pub(crate) attempt: bool,
    /// Goes ahead of requests that wait for an earlier one to be completed;
    /// fails where it is not answered at once
    #[arg(long)]
    pub(crate) immediate: bool,
    /// The longest wait, at most an hour
    #[arg(long, value_name = "SPAN", default_value = "10 s", value_parser = timeout)]
    pub(crate) timeout: Duration,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) socket: Socket,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sim {
    /// Drives a line from outside, as a finger on a button does
    #[command(after_help = "Example:\n  loopgate sim set GPIO17 low")]
    Set(SimSet),
    /// Shows every line with its level and what makes it so
    #[command(after_help = "Example:\n  loopgate sim show --json")]
    Show(SimShow),
}

#[derive(Debug, Args)]
pub(crate) struct SimSet {
    /// The line, as the board file names it
    pub(crate) line: String,
    /// The voltage
    pub(crate) level: Level,
    #[command(flatten)]
    pub(crate) socket: Socket,
}

#[derive(Debug, Args)]
pub(crate) struct SimShow {
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) socket: Socket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    #[value(alias = "0")]
    Low,
    #[value(alias = "1")]
    High,
}

#[derive(Debug, Args)]
pub(crate) struct Socket {
    #[arg(
        long,
        value_name = "PATH",
        env = "LOOPGATE_SOCKET",
        hide_env_values = true
    )]
    #[arg(help = "The control socket [default: $XDG_RUNTIME_DIR/loopgate.sock, \
        else /tmp/loopgate-UID/loopgate.sock]")]
    socket: Option<PathBuf>,
}

impl Socket {
    pub(crate) fn place(&self) -> Place {
        self.socket
            .as_ref()
            .map_or_else(Place::default_for_user, Place::at)
    }
}

/// A number where it is one; services give no selector a name of digits.
fn selector(text: &str) -> Result<Selector, String> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let number = scalar(text)?;
        return u32::try_from(number)
            .map(Selector::Number)
            .map_err(|_| format!("`{text}` is larger than any selector"));
    }
    Ok(Selector::Name(text.to_owned()))
}

fn scalar(text: &str) -> Result<u64, String> {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, radix) = hexadecimal.map_or((text, 10), |digits| (digits, 16));
    // `from_str_radix` would take a sign.
    let digits_only = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match u64::from_str_radix(digits, radix) {
        Ok(number) if digits_only => Ok(number),
        _ => Err(format!(
            "`{text}` is not a number from 0 to {}; write for example 16 or 0x10",
            u64::MAX
        )),
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    let span = parse_span(text)?;
    if span > control::TIMEOUT_MAX {
        return Err(format!(
            "`{text}` is longer than {} s",
            control::TIMEOUT_MAX.as_secs()
        ));
    }
    Ok(span)
}

fn resolution(text: &str) -> Result<Resolution, String> {
    Resolution::new(parse_span(text)?).ok_or_else(|| {
        format!("`{text}` is no power of ten from 1 ns to 1 ms; write for example `100 ns`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parsed(line: &str) -> Result<Command, clap::Error> {
        let words = std::iter::once("loopgate").chain(line.split(' '));
        Arguments::try_parse_from(words).map(|arguments| arguments.command)
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn look(command: &mut clap::Command, path: &str) {
            let help = command.render_long_help().to_string();
            let nested = command.get_subcommands().next().is_some();
            assert!(
                nested || help.contains(&format!("  {path}")),
                "{path}:\n{help}"
            );
            // Clap's own.
            let ours = |sub: &&mut clap::Command| sub.get_name() != "help";
            for sub in command.get_subcommands_mut().filter(ours) {
                let path = format!("{path} {}", sub.get_name());
                look(sub, &path);
            }
        }
        look(&mut Arguments::command(), "loopgate");
    }

    #[test]
    fn numbers_are_decimal_or_hexadecimal_and_bounded() {
        assert_eq!(scalar("16"), Ok(16));
        assert_eq!(scalar("0x10"), Ok(16));
        assert_eq!(scalar("0XfF"), Ok(255));
        assert_eq!(scalar("18446744073709551615"), Ok(u64::MAX));
        for wrong in [
            "",
            "0x",
            "-1",
            "+1",
            "0x+1",
            "1.0",
            "ten",
            "ff",
            "18446744073709551616",
        ] {
            assert!(
                scalar(wrong).is_err_and(|error| error.contains("0x10")),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_selector_is_a_number_if_it_begins_like_one() {
        assert_eq!(selector("1"), Ok(Selector::Number(1)));
        assert_eq!(selector("0x10"), Ok(Selector::Number(16)));
        assert_eq!(selector("presses"), Ok(Selector::Name("presses".into())));
        assert!(selector("4294967296").is_err());
        assert!(selector("1st").is_err());
    }

    #[test]
    fn a_call_takes_all_of_it() {
        let Command::Call(call) =
            parsed("call echo add 1 0x2 --data ff --timeout 250ms --immediate").unwrap()
        else {
            panic!()
        };
        assert_eq!(call.scalars, [1, 2]);
        assert_eq!(call.timeout, Duration::from_millis(250));
        assert!(call.immediate && !call.attempt);
        for wrong in [
            "call echo",
            "call echo add 1 2 3 4 5",
            "call echo add x",
            "call echo add --timeout 2h",
            "call echo add --timeout 5",
            "call echo add --attempt --timeout 1s",
            "reload",
            "reload blink --board",
            "run board.toml --sandbox maybe",
            "run board.toml --stop-limit 5",
            "sim set GPIO17 up",
            "sim",
            "restart",
        ] {
            assert_eq!(parsed(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn levels_have_names_and_digits() {
        for (text, level) in [
            ("low", Level::Low),
            ("0", Level::Low),
            ("high", Level::High),
            ("1", Level::High),
        ] {
            let Command::Sim(Sim::Set(set)) = parsed(&format!("sim set GPIO17 {text}")).unwrap()
            else {
                panic!()
            };
            assert_eq!(set.level, level);
        }
    }
}
