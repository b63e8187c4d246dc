//! The machine's own files: `/proc/stat` and `/proc/meminfo`, as proc(5) describes them.

/// From `/proc/stat`: ticks in which a CPU was busy, and all ticks.
///
/// Waiting for a disk is idle. What a hypervisor took away is busy: it cannot be used.
pub fn cpu_ticks(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // user, nice, system, idle, iowait, irq, softirq, steal. Guests are a part of user and nice.
    let mut ticks = [0_u64; 8];
    let mut found = 0;
    for (place, word) in ticks.iter_mut().zip(line.split_ascii_whitespace()) {
        *place = word.parse().ok()?;
        found += 1;
    }
    if found < 4 {
        return None;
    }
    let all = ticks
        .iter()
        .try_fold(0_u64, |sum, ticks| sum.checked_add(*ticks))?;
    Some((all - ticks[3] - ticks[4], all))
}

/// From `/proc/stat`: how many CPUs are on. `None` if there is no line of one.
pub fn cpus(stat: &str) -> Option<u32> {
    let is_cpu = |line: &&str| {
        let number = line.strip_prefix("cpu");
        number.is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
    };
    u32::try_from(stat.lines().filter(is_cpu).count())
        .ok()
        .filter(|cpus| *cpus > 0)
}

/// From `/proc/meminfo`: bytes in use, and all bytes.
pub fn memory(meminfo: &str) -> Option<(u64, u64)> {
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: u64 = line
            .strip_prefix(':')?
            .split_ascii_whitespace()
            .next()?
            .parse()
            .ok()?;
        kilobytes.checked_mul(1024)
    };
    let all = field("MemTotal")?;
    Some((all.saturating_sub(field("MemAvailable")?), all))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  1000 10 500 8000 400 5 15 70 300 0\n\
                        cpu0 500 5 250 4000 200 2 8 35 150 0\n\
                        cpu1 500 5 250 4000 200 3 7 35 150 0\n\
                        intr 12345 0 9\nctxt 987654\nbtime 1700000000\ncpufreq 1\n";

    #[test]
    fn busy_is_what_is_neither_idle_nor_waiting() {
        assert_eq!(cpu_ticks(STAT), Some((1600, 10000)));
        // Linux 2.4 had four.
        assert_eq!(cpu_ticks("cpu  1 2 3 4\n"), Some((6, 10)));
    }

    #[test]
    fn cpus_are_counted_by_their_lines() {
        assert_eq!(cpus(STAT), Some(2));
        assert_eq!(cpus("cpu  1 2 3 4\n"), None);
    }

    #[test]
    fn memory_in_use_is_what_is_not_available() {
        let text = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    4000000 kB\n";
        assert_eq!(memory(text), Some((12_000_000 * 1024, 16_000_000 * 1024)));
        // Before Linux 3.14.
        assert_eq!(memory("MemTotal: 1 kB\nMemFree: 1 kB\n"), None);
    }

    #[test]
    fn what_is_no_such_file_says_nothing() {
        for text in [
            "",
            "cpu",
            "cpu  ",
            "cpu  1 2",
            "cpu  a b c d",
            "cpu  1 2 3 18446744073709551615\n",
        ] {
            assert_eq!(cpu_ticks(text), None, "{text:?}");
        }
        for text in [
            "",
            "MemTotal",
            "MemTotal: kB\nMemAvailable: 1 kB",
            "MemTotal: 99999999999999999999 kB",
        ] {
            assert_eq!(memory(text), None, "{text:?}");
        }
    }
}
