//! How many frames are taken before what they answered is written.
//!
//! # Why it is not one number
//! Each write costs a system call, and as long as nothing is written the client has nothing to do. Where both sides have a
//! CPU of their own, short batches keep both at work: with 24 frames a batch, 64 calls at a time and a CPU a side, a quarter
//! of all time was waiting. Where they share a CPU the client does not run before the server rests, and each write in
//! between is for nothing: 64 calls at a time cost a seventh less when all are answered in one.
//!
//! # How it is found out
//! By how many frames come at once. A client that works while answers are written sends its next requests in pieces as small
//! as the answers came in; one that does not, sends them all together. So a batch is a quarter of what the last read brought,
//! within bounds. The quarter makes batches shorter from turn to turn where the client keeps up, down to the bound, and
//! leaves four writes a turn where it does not.
//!
//! A turn is from one rest of the server to the next. When [`TURNS`] of them were answered in batches, and each brought no
//! fewer frames than the one before it, then the client rests while the server works, and answers go out as late as the upper
//! bound lets them. Both sides taking turns could as well come from just that, where each has a CPU: so after a while short
//! batches are tried again.

/// Fewer frames than this are not worth a write, unless no more are there.
const LEAST: usize = 8;

/// More than this take too long.
const MOST: usize = 64;

/// Which part of what comes at once is a batch.
const PART: usize = 4;

/// So many turns in a row, whose answers all came back together, say that the client rests while the server works.
const TURNS: u32 = 16;

/// Of so many turns, the first [`TURNS`] find out whether that is still so.
const ROUND: u32 = 128;

#[derive(Debug)]
pub(super) struct Pace {
    batch: usize,
    /// How many frames were taken since the last read, and since the last write.
    read: usize,
    unwritten: usize,
    /// The turn that is, and the one before it.
    turn: Turn,
    last: Turn,
    /// How many turns in a row the client rested while answers were written, and how many followed that did not ask.
    together: u32,
}

/// What was taken from one rest to the next.
#[derive(Debug, Default)]
struct Turn {
    frames: usize,
    /// In how many batches that were full.
    batches: usize,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            batch: LEAST,
            read: 0,
            unwritten: 0,
            turn: Turn::default(),
            last: Turn::default(),
            together: 0,
        }
    }

    /// A batch begins.
    pub(super) fn begin(&mut self) {
        self.unwritten = 0;
    }

    /// Bytes were read.
    pub(super) fn read(&mut self) {
        self.batch = if self.asks() {
            (self.read / PART).clamp(LEAST, MOST)
        } else {
            MOST
        };
        self.read = 0;
    }

    /// All that came is taken, and no more is there.
    pub(super) fn rest(&mut self) {
        if self.turn.frames == 0 {
            return;
        }
        let was_split = self.last.batches > 1;
        let rested_too = was_split && self.turn.frames >= self.last.frames;
        self.together = if rested_too || !self.asks() {
            self.together.wrapping_add(1)
        } else {
            0
        };
        self.last = std::mem::take(&mut self.turn);
    }

    /// A frame was taken; true if it is time to write.
    pub(super) fn taken(&mut self) -> bool {
        self.read += 1;
        self.unwritten += 1;
        self.turn.frames += 1;
        let is_full = self.unwritten >= self.batch;
        self.turn.batches += usize::from(is_full);
        is_full
    }

    /// How many frames this batch took so far.
    pub(super) fn frames(&self) -> usize {
        self.unwritten
    }

    /// True while batches are short, to see what the client makes of it.
    fn asks(&self) -> bool {
        self.together % ROUND < TURNS
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

    /// How many batches a turn of so many frames has that all come at once.
    fn turn(pace: &mut Pace, frames: usize) -> usize {
        let batches = batches(pace, frames);
        pace.rest();
        batches
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

    #[test]
    fn a_client_that_rests_while_its_calls_are_answered_gets_all_answers_in_one_write() {
        let mut pace = Pace::new();
        let settled = (0..TURNS + 2).map(|_| turn(&mut pace, 64)).last();
        assert_eq!(settled, Some(1));
        let turns: Vec<usize> = (0..1000).map(|_| turn(&mut pace, 64)).collect();
        let whole = turns.iter().filter(|batches| **batches == 1).count();
        // Now and then it is asked.
        assert!((850..900).contains(&whole), "{whole} of 1000");
        assert_eq!(
            turns.iter().filter(|batches| **batches == 4).count(),
            1000 - whole
        );
    }

    #[test]
    fn a_client_that_works_meanwhile_gets_its_answers_in_pieces_for_ever() {
        let mut pace = Pace::new();
        // Sometimes more comes back than before, sometimes less.
        for round in 0..4 * ROUND as usize {
            let frames = [24, 32, 40, 16][round % 4];
            assert!(turn(&mut pace, frames) > 1, "round {round}: {frames}");
        }
    }

    #[test]
    fn a_client_that_begins_to_work_meanwhile_is_noticed() {
        let mut pace = Pace::new();
        let settled = (0..TURNS + 2).map(|_| turn(&mut pace, 64)).last();
        assert_eq!(settled, Some(1));
        let mut turns = (0..ROUND).map(|round| turn(&mut pace, if round % 2 == 0 { 48 } else { 32 }));
        assert!(turns.by_ref().any(|batches| batches > 1));
        assert!(
            turns.all(|batches| batches > 1),
            "it works, and is not asked any more"
        );
    }
}
