//! What a line tells besides bytes.

/// What came over a line that was no sound byte. Each count stays at its
/// highest value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineErrors {
    /// Breaks. A break is not read as a byte.
    pub breaks: u32,
    /// Bytes with a wrong parity or stop bit. They are read all the same.
    pub damaged: u32,
    /// Bytes that found no room in the port's buffer.
    pub lost: u32,
}

impl LineErrors {
    pub(super) fn add(&mut self, more: Self) {
        self.breaks = self.breaks.saturating_add(more.breaks);
        self.damaged = self.damaged.saturating_add(more.damaged);
        self.lost = self.lost.saturating_add(more.lost);
    }
}

/// The lines by which a device says how it is; true is active.
#[expect(clippy::struct_excessive_bools, reason = "they are four wires")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModemLines {
    /// Clear to send.
    pub cts: bool,
    /// Data set ready.
    pub dsr: bool,
    /// Data carrier detected.
    pub dcd: bool,
    /// Ring indicator.
    pub ri: bool,
}
