//! How many frames are taken before what they answered is written.
//!
//! # Why it is not one number
//! Each write costs a system call, and as long as nothing is written the client has nothing to do. Where both sides have a
//! CPU of their own, short batches keep both at work: with 24 frames a batch, 64 calls at a time and a CPU a side, a quarter
//! of all time was waiting. Where they share a CPU the client does not run before the server rests, and each write in
//! between is for nothing.
//!
//! # How it is found out
//! By how many frames come at once. A client that works while answers are written sends its next requests in pieces as small
//! as the answers came in; one that does not, sends them all together. So a batch is a quarter of what the last read brought,
//! within bounds. The quarter makes batches shorter from turn to turn where the client keeps up, down to the bound, and
//! leaves four writes a turn where it does not.

/// Fewer frames than this are not worth a write, unless no more are there.
const LEAST: usize = 8;

/// More than this take too long.
const MOST: usize = 64;

/// Which part of what comes at once is a batch.
const PART: usize = 4;

#[derive(Debug)]
pub(super) struct Pace {
    batch: usize,
    /// How many frames were taken since the last read, and since the last write.
    read: usize,
    unwritten: usize,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            batch: LEAST,
            read: 0,
            unwritten: 0,
        }
    }

    /// A batch begins.
    pub(super) fn begin(&mut self) {
        self.unwritten = 0;
    }

    /// Bytes were read.
    pub(super) fn read(&mut self) {
        self.batch = (self.read / PART).clamp(LEAST, MOST);
        self.read = 0;
    }

    /// A frame was taken; true if it is time to write.
    pub(super) fn taken(&mut self) -> bool {
        self.read += 1;
        self.unwritten += 1;
        self.unwritten >= self.batch
    }

    /// How many frames this batch took so far.
    pub(super) fn frames(&self) -> usize {
        self.unwritten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many batches a read of so many frames is answered in.
    fn batches(pace: &mut Pace, frames: usize) -> usize {
        pace.read();
        pace.begin();
        let mut batches = 0;
        for _ in 0..frames {
            if pace.taken() {
                batches += 1;
                pace.begin();
            }
        }
        batches + usize::from(pace.frames() > 0)
    }

    #[test]
    fn what_comes_all_at_once_is_answered_in_few_writes() {
        let mut pace = Pace::new();
        batches(&mut pace, 64);
        assert_eq!(batches(&mut pace, 64), 4);
        batches(&mut pace, 1000);
        assert_eq!(batches(&mut pace, 1000), 1000_usize.div_ceil(MOST));
    }

    #[test]
    fn what_comes_in_pieces_is_answered_in_pieces() {
        let mut pace = Pace::new();
        batches(&mut pace, 64);
        // Each batch of answers brings as many requests back.
        let mut frames = 64;
        for _ in 0..4 {
            let written = batches(&mut pace, frames);
            frames = frames.div_ceil(written);
        }
        assert_eq!(frames, LEAST);
    }
}
