//! Processor sharing, with one event for each call and not one for each change of pace.

use std::collections::BTreeSet;

use crate::Time;

/// Jobs that share some cores evenly, none with more than one core.
///
/// # How
/// All jobs progress at the same pace, so one counter of progress is enough: a job that begins when the counter stands at
/// `p` and is `w` of work ends when it stands at `p + w`. Only the pace changes with the number of jobs. Beginning,
/// ending and giving up a job cost `O(log jobs)`.
#[derive(Debug)]
pub struct Sharing<J> {
    cores: f64,
    speed: f64,
    /// Progress of each job since the start, in nanoseconds of work.
    progress: f64,
    at: Time,
    /// By the progress at which they end. In whole nanoseconds, to have an order.
    jobs: BTreeSet<(u64, J)>,
}

impl<J: Ord + Copy> Sharing<J> {
    /// No jobs.
    pub fn new(cores: f64, speed: f64) -> Self {
        Self {
            cores,
            speed,
            progress: 0.0,
            at: Time::START,
            jobs: BTreeSet::new(),
        }
    }

    /// Works until `now`, and says how many seconds of cores that took.
    pub fn advance(&mut self, now: Time) -> f64 {
        let passed = (now - self.at).as_secs_f64();
        self.at = now;
        self.progress += passed * 1e9 * self.pace();
        passed * self.cores.min(self.jobs.len() as f64)
    }

    /// Begins a job of `work` seconds on one core of speed 1. What names it to end it early.
    pub fn begin(&mut self, now: Time, job: J, work: f64) -> (u64, J) {
        self.advance(now);
        #[expect(clippy::cast_sign_loss, reason = "neither is negative")]
        let entry = ((self.progress + work * 1e9).ceil() as u64, job);
        self.jobs.insert(entry);
        entry
    }

    /// Gives a job up.
    pub fn give_up(&mut self, now: Time, entry: (u64, J)) {
        self.advance(now);
        self.jobs.remove(&entry);
    }

    /// Takes a job that is done.
    pub fn take_done(&mut self, now: Time) -> Option<J> {
        self.advance(now);
        let &(end, job) = self.jobs.first()?;
        // Half a nanosecond: moments are whole ones.
        if end as f64 > self.progress + 0.5 {
            return None;
        }
        self.jobs.pop_first();
        Some(job)
    }

    /// When the next job ends if nothing changes.
    pub fn next_end(&self) -> Option<Time> {
        let &(end, _) = self.jobs.first()?;
        let left = (end as f64 - self.progress).max(0.0) / self.pace();
        // Rounded up: at that moment it is done.
        Some(self.at.plus((left + 1.0).ceil() / 1e9))
    }

    /// Jobs under way.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Cores that the jobs share.
    pub fn cores(&self) -> f64 {
        self.cores
    }

    /// Changes the number of cores, which need not be whole, from where [`advance`](Self::advance) left off.
    pub fn set_cores(&mut self, cores: f64) {
        self.cores = cores.max(0.01);
    }

    /// Changes how fast each core is.
    pub fn set_speed(&mut self, speed: f64) {
        self.speed = speed.max(1e-6);
    }

    fn pace(&self) -> f64 {
        self.speed * (self.cores / self.jobs.len().max(1) as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which jobs end when, to the microsecond.
    fn ends(sharing: &mut Sharing<char>) -> Vec<(char, f64)> {
        let mut ends = Vec::new();
        while let Some(at) = sharing.next_end() {
            while let Some(job) = sharing.take_done(at) {
                ends.push((job, (at.as_secs_f64() * 1e6).round() / 1e6));
            }
        }
        ends
    }

    #[test]
    fn few_jobs_have_a_core_each_and_many_share() {
        let mut alone = Sharing::new(2.0, 1.0);
        alone.begin(Time::START, 'a', 1.0);
        alone.begin(Time::START, 'b', 2.0);
        assert_eq!(ends(&mut alone), [('a', 1.0), ('b', 2.0)]);

        // Four on two cores: half the pace, until two are done.
        let mut shared = Sharing::new(2.0, 1.0);
        for (job, work) in [('a', 1.0), ('b', 1.0), ('c', 2.0), ('d', 2.0)] {
            shared.begin(Time::START, job, work);
        }
        assert_eq!(
            ends(&mut shared),
            [('a', 2.0), ('b', 2.0), ('c', 3.0), ('d', 3.0)]
        );
    }

    #[test]
    fn pace_follows_cores_speed_and_who_gave_up() {
        let mut sharing = Sharing::new(1.0, 2.0);
        sharing.begin(Time::START, 'a', 4.0);
        let other = sharing.begin(Time::START, 'b', 4.0);
        let second = Time::from_secs_f64(1.0);
        // Each has had 1 of its 4.
        sharing.give_up(second, other);
        assert_eq!(sharing.len(), 1);
        sharing.set_cores(0.5);
        assert_eq!(ends(&mut sharing), [('a', 4.0)]);
        assert!(sharing.is_empty());
    }
}
