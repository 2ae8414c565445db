//! An SSD1306: a display of 128 times 64 dots.

use std::fmt::Write as _;

use loopgate_workloop::Instant;
use parking_lot::Mutex;

use super::SimI2cDevice;
use crate::i2c::Error;

const WIDTH: usize = 128;
const HEIGHT: usize = 64;
const PAGES: u8 = 8;

/// A display that takes commands and data, and shows what a viewer would see. Its
/// scrolling is not simulated.
pub struct Ssd1306(Mutex<State>);

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a bit of its own in the controller"
)]
struct State {
    /// By segment and page, as the glass has it; the lowest bit is the upper row.
    dots: [[u8; PAGES as usize]; WIDTH],
    mode: Mode,
    columns: (u8, u8),
    pages: (u8, u8),
    column: u8,
    page: u8,
    start_line: u8,
    is_on: bool,
    is_inverse: bool,
    is_all_on: bool,
    /// Columns are written from the right end of the glass on.
    is_remapped: bool,
    /// Rows are driven from the last one on.
    is_upward: bool,
    /// A command that is not complete.
    command: Vec<u8>,
}

/// Where the next byte goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Horizontal,
    Vertical,
    Page,
}

impl Default for Ssd1306 {
    fn default() -> Self {
        Self::new()
    }
}

impl Ssd1306 {
    /// As after a reset.
    pub fn new() -> Self {
        Self(Mutex::new(State {
            dots: [[0; PAGES as usize]; WIDTH],
            mode: Mode::Page,
            columns: (0, WIDTH as u8 - 1),
            pages: (0, PAGES - 1),
            column: 0,
            page: 0,
            start_line: 0,
            is_on: false,
            is_inverse: false,
            is_all_on: false,
            is_remapped: false,
            is_upward: false,
            command: Vec::new(),
        }))
    }

    /// Whether the dot is lit, `x` from the left and `y` from the top, of the usual
    /// module: there columns and rows are both reversed to have it upright.
    pub fn is_lit(&self, x: usize, y: usize) -> bool {
        self.0.lock().is_lit(x, y)
    }

    /// The picture as a portable bitmap in text (`P1`); lit dots are ones.
    pub fn pbm(&self) -> String {
        let state = self.0.lock();
        let mut text = format!("P1\n{WIDTH} {HEIGHT}\n");
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let _ = write!(text, "{}", u8::from(state.is_lit(x, y)));
            }
            text.push('\n');
        }
        text
    }
}

impl State {
    fn is_lit(&self, x: usize, y: usize) -> bool {
        if x >= WIDTH || y >= HEIGHT || !self.is_on {
            return false;
        }
        let row = if self.is_upward { y } else { HEIGHT - 1 - y };
        let row = (row + usize::from(self.start_line)) % HEIGHT;
        let dot = self.dots[WIDTH - 1 - x][row / 8] >> (row % 8) & 1 == 1;
        self.is_all_on || dot != self.is_inverse
    }

    fn data(&mut self, byte: u8) {
        let segment = if self.is_remapped {
            WIDTH as u8 - 1 - self.column
        } else {
            self.column
        };
        self.dots[usize::from(segment)][usize::from(self.page)] = byte;
        match self.mode {
            Mode::Page => self.column = (self.column + 1) % WIDTH as u8,
            Mode::Horizontal => {
                if step(&mut self.column, self.columns, WIDTH as u8) {
                    step(&mut self.page, self.pages, PAGES);
                }
            }
            Mode::Vertical => {
                if step(&mut self.page, self.pages, PAGES) {
                    step(&mut self.column, self.columns, WIDTH as u8);
                }
            }
        }
    }

    fn command(&mut self, byte: u8) {
        self.command.push(byte);
        if self.command.len() > parameters(self.command[0]) {
            let command = std::mem::take(&mut self.command);
            self.run(&command);
        }
    }

    fn run(&mut self, command: &[u8]) {
        match *command {
            [0x20, mode] => {
                self.mode = match mode & 3 {
                    0 => Mode::Horizontal,
                    1 => Mode::Vertical,
                    _ => Mode::Page,
                }
            }
            [0x21, first, last] => {
                self.columns = (first & 0x7f, last & 0x7f);
                self.column = self.columns.0;
            }
            [0x22, first, last] => {
                self.pages = (first & 7, last & 7);
                self.page = self.pages.0;
            }
            [low @ 0x00..=0x0f] => self.column = self.column & 0x70 | low,
            [high @ 0x10..=0x1f] => self.column = self.column & 0x0f | (high & 7) << 4,
            [page @ 0xb0..=0xb7] => self.page = page & 7,
            [line @ 0x40..=0x7f] => self.start_line = line & 0x3f,
            [0xa0 | 0xa1] => self.is_remapped = command[0] & 1 == 1,
            [0xa4 | 0xa5] => self.is_all_on = command[0] & 1 == 1,
            [0xa6 | 0xa7] => self.is_inverse = command[0] & 1 == 1,
            [0xae | 0xaf] => self.is_on = command[0] & 1 == 1,
            [0xc0..=0xcf] => self.is_upward = command[0] & 8 == 8,
            // Contrast, clocks, charge pump and the like do not show.
            _ => {}
        }
    }
}

/// Goes to the next one, or round: then it says so.
fn step(at: &mut u8, (first, last): (u8, u8), size: u8) -> bool {
    let is_round = *at == last;
    *at = if is_round { first } else { (*at + 1) % size };
    is_round
}

/// How many bytes follow a command's first one.
fn parameters(command: u8) -> usize {
    match command {
        0x20 | 0x81 | 0x8d | 0xa8 | 0xd3 | 0xd5 | 0xd9 | 0xda | 0xdb => 1,
        0x21 | 0x22 | 0xa3 => 2,
        0x29 | 0x2a => 5,
        0x26 | 0x27 => 6,
        _ => 0,
    }
}

impl SimI2cDevice for Ssd1306 {
    /// Control bytes say what follows: one byte (`Co`), or all the rest; of commands
    /// or of data.
    fn write(&self, bytes: &[u8], _: Instant) -> Result<(), Error> {
        let mut state = self.0.lock();
        let mut rest = bytes;
        while let [control, more @ ..] = rest {
            let is_one = control & 0x80 != 0;
            let (now, later) = more.split_at(if is_one {
                more.len().min(1)
            } else {
                more.len()
            });
            for &byte in now {
                if control & 0x40 == 0 {
                    state.command(byte);
                } else {
                    state.data(byte);
                }
            }
            rest = later;
        }
        Ok(())
    }

    /// Its status: whether it is off.
    fn read(&self, into: &mut [u8], _: Instant) -> Result<(), Error> {
        let is_on = self.0.lock().is_on;
        into.fill(if is_on { 0 } else { 0x40 });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upright() -> Ssd1306 {
        let display = Ssd1306::new();
        let set_up = [0, 0xae, 0x20, 0, 0xa1, 0xc8, 0xaf];
        display.write(&set_up, Instant::ZERO).unwrap();
        display
    }

    #[test]
    fn data_goes_on_from_the_upper_left() {
        let display = upright();
        display.write(&[0x40, 0b101], Instant::ZERO).unwrap();
        let lit = |display: &Ssd1306| {
            let all = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
            all.filter(|&(x, y)| display.is_lit(x, y))
                .collect::<Vec<_>>()
        };
        assert_eq!(lit(&display), [(0, 0), (0, 2)]);
        // A row of a page is full: the next page.
        display.write(&[0x40; 128], Instant::ZERO).unwrap();
        display.write(&[0xc0, 0x01], Instant::ZERO).unwrap();
        assert!(display.is_lit(1, 6) && display.is_lit(0, 8));
        assert!(display.pbm().starts_with("P1\n128 64\n1"));
    }

    #[test]
    fn a_window_goes_round_in_itself() {
        let display = upright();
        let window = [0, 0x21, 10, 11, 0x22, 1, 2];
        display.write(&window, Instant::ZERO).unwrap();
        display
            .write(&[0x40, 1, 2, 4, 8, 16], Instant::ZERO)
            .unwrap();
        let expected = [(10, 12), (11, 9), (10, 18), (11, 19)];
        for (x, y) in expected {
            assert!(display.is_lit(x, y), "{x} {y}");
        }
        assert!(!display.is_lit(10, 8));
    }

    #[test]
    fn commands_may_come_in_pieces_and_off_is_dark() {
        let display = upright();
        display
            .write(&[0x80, 0x21, 0x80, 5], Instant::ZERO)
            .unwrap();
        display.write(&[0x80, 6, 0x40, 1], Instant::ZERO).unwrap();
        assert!(display.is_lit(5, 0));
        display.write(&[0, 0xa7], Instant::ZERO).unwrap();
        assert!(!display.is_lit(5, 0) && display.is_lit(6, 0));
        display.write(&[0, 0xae], Instant::ZERO).unwrap();
        assert!(!display.is_lit(6, 0));
    }
}
