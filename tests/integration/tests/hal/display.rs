//! `oled`, and what is to be seen.

use crate::support::{built, samples, show};
use loopgate::devices::i2c::Address;
use loopgate::devices::sim::i2c::Ssd1306;
use loopgate_integration::assert_running;
use std::sync::Arc;

/// The upper left of the display: the corner of the frame, and the text.
const HI: &str = "\
########################
#.......................
#.......................
#..#...#...#.....#......
#..#...#.........#......
#..#...#..##.....#......
#..#####...#.....#......
#..#...#...#.....#......
#..#...#...#............
#..#...#..###....#......
#.......................
#.......................
";

fn rows(display: &Ssd1306, width: usize, height: usize) -> String {
    let row = |y| {
        let dot = |x| if display.is_lit(x, y) { '#' } else { '.' };
        (0..width).map(dot).chain(['\n']).collect::<String>()
    };
    (0..height).map(row).collect()
}

#[test]
fn the_display_shows_the_text_in_its_frame() {
    let display = Arc::new(Ssd1306::new());
    let board = built(samples().i2c_device("i2c-1", Address::new(0x3c), display.clone()));
    assert_running(&board, "oled");
    let first = display.pbm();
    show(&board, "oled", "Hi!");
    assert_eq!(rows(&display, 24, 12), HI);
    // The frame goes round.
    let edge = (0..128).flat_map(|x| [(x, 0), (x, 63)]);
    let edge = edge.chain((0..64).flat_map(|y| [(0, y), (127, y)]));
    for (x, y) in edge {
        assert!(display.is_lit(x, y), "{x} {y}");
    }
    // Nothing is left of what was there before.
    show(&board, "oled", "Loopgate");
    assert_eq!(display.pbm(), first);
}
