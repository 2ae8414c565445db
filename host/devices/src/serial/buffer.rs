//! A queue of bytes that never grows.

use std::collections::VecDeque;

/// Allocated once, so that a primary context can fill it.
pub(super) struct Buffer {
    bytes: VecDeque<u8>,
    capacity: usize,
}

impl Buffer {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            bytes: VecDeque::with_capacity(capacity),
            capacity,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn room(&self) -> usize {
        self.capacity - self.bytes.len()
    }

    /// Whether at least half of it is free.
    pub(super) fn is_roomy(&self) -> bool {
        self.len() <= self.capacity / 2
    }

    /// Takes as many of `bytes` as find room.
    pub(super) fn push(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room());
        self.bytes.extend(&bytes[..taken]);
        taken
    }

    /// Moves at most `max` bytes to the end of `into`.
    pub(super) fn pop(&mut self, max: usize, into: &mut Vec<u8>) -> usize {
        let count = max.min(self.len());
        let (front, back) = self.bytes.as_slices();
        let from_front = count.min(front.len());
        into.extend_from_slice(&front[..from_front]);
        into.extend_from_slice(&back[..count - from_front]);
        self.bytes.drain(..count);
        count
    }

    /// The oldest bytes, as far as they lie together; empty only where there
    /// are none.
    pub(super) fn front(&self) -> &[u8] {
        self.bytes.as_slices().0
    }

    /// Forgets the oldest `count` bytes.
    pub(super) fn consume(&mut self, count: usize) {
        self.bytes.drain(..count);
    }
}

#[cfg(test)]
mod tests {
    use super::Buffer;

    #[test]
    fn bytes_keep_their_order_across_the_wrap() {
        let mut buffer = Buffer::new(7);
        let (mut given, mut taken) = (0u8, Vec::new());
        for round in 0..1_000_usize {
            let bytes: Vec<_> = (0..round % 9)
                .map(|n| given.wrapping_add(n as u8))
                .collect();
            given = given.wrapping_add(buffer.push(&bytes) as u8);
            assert!(buffer.len() <= 7);
            if round % 3 == 0 {
                buffer.pop(round % 5, &mut taken);
            } else {
                let front = buffer.front().to_vec();
                assert_eq!(front.is_empty(), buffer.is_empty());
                buffer.consume(front.len());
                taken.extend(front);
            }
        }
        assert!(taken.len() > 1_000);
        assert!(
            (0..)
                .map(|n: u32| n as u8)
                .zip(&taken)
                .all(|(n, byte)| n == *byte)
        );
    }

    #[test]
    fn it_never_grows() {
        let mut buffer = Buffer::new(3);
        assert_eq!(buffer.push(&[1; 10]), 3);
        assert_eq!(buffer.push(&[1]), 0);
        assert_eq!((buffer.room(), buffer.is_roomy()), (0, false));
        buffer.consume(2);
        assert!(buffer.is_roomy());
    }
}
