//! Control groups, version 2 and version 1, as the kernel documents them (`cgroup-v2`, `cgroup-v1/*`, `sched-bwc`).
//!
//! Where both versions are mounted, a controller belongs to one of them: the file that is there says which.

use std::time::Duration;

/// A version 1 limit that is none is a number near the largest one.
const UNLIMITED_V1: u64 = 1 << 60;

/// Levels above a group that are looked at. Deeper trees than that exist in no container.
const DEEPEST: usize = 16;

type Files<'f> = &'f dyn Fn(&str) -> Option<String>;

/// The folders of the groups that the process is in, each with those above it, the innermost first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    v2: Vec<String>,
    cpu: Vec<String>,
    cpuacct: Vec<String>,
    memory: Vec<String>,
}

impl Groups {
    /// From `/proc/self/cgroup`: lines `number:controllers:path`, version 2 being the one of no controllers.
    pub fn parse(text: &str) -> Self {
        let mut groups = Self::default();
        let (mut cpu_path, mut cpuacct_path) = (None, None);
        for line in text.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
                continue;
            };
            if controllers.is_empty() {
                groups.v2 = folders(&["/sys/fs/cgroup", "/sys/fs/cgroup/unified"], path);
                continue;
            }
            for controller in controllers.split(',') {
                let place = match controller {
                    "cpu" => {
                        cpu_path = Some(path);
                        &mut groups.cpu
                    }
                    "cpuacct" => {
                        cpuacct_path = Some(path);
                        &mut groups.cpuacct
                    }
                    "memory" => &mut groups.memory,
                    _ => continue,
                };
                // Controllers that share a tree have links of their own names beside it, mostly.
                let (own, shared) = (mount(controller), mount(controllers));
                *place = folders(&[&own, &shared], path);
            }
        }
        if cpu_path != cpuacct_path || groups.cpu.len() != groups.cpuacct.len() {
            // What one group used says nothing of another one's quota.
            groups.cpuacct.clear();
        }
        groups
    }

    /// The smallest CPU quota, in CPUs, and the CPU time that was used of it.
    pub fn cpu(&self, files: Files<'_>) -> Option<(f64, Duration)> {
        let v2 = self.v2.iter().filter_map(|folder| {
            let quota = cpu_max(&files(&format!("{folder}/cpu.max"))?)?;
            let used = field(&files(&format!("{folder}/cpu.stat"))?, "usage_usec")?;
            Some((quota, Duration::from_micros(used)))
        });
        let v1 = self.cpu.iter().enumerate().filter_map(|(level, folder)| {
            let quota = files(&format!("{folder}/cpu.cfs_quota_us"))?;
            let period = files(&format!("{folder}/cpu.cfs_period_us"))?;
            let quota = cfs_quota(&quota, &period)?;
            let used = files(&format!("{}/cpuacct.usage", self.cpuacct.get(level)?))?;
            Some((quota, Duration::from_nanos(used.trim().parse().ok()?)))
        });
        v2.chain(v1).min_by(|(one, _), (other, _)| one.total_cmp(other))
    }

    /// The smallest memory limit: bytes in use, and the limit.
    pub fn memory(&self, files: Files<'_>) -> Option<(u64, u64)> {
        let group = |folder: &String, [limit, usage, inactive]: [&str; 3]| {
            let limit = memory_limit(&files(&format!("{folder}/{limit}"))?)?;
            let used: u64 = files(&format!("{folder}/{usage}"))?.trim().parse().ok()?;
            // Pages of files that nobody has used for long: the kernel gives them back before it refuses any.
            let stat = files(&format!("{folder}/memory.stat"));
            let idle = stat.and_then(|stat| field(&stat, inactive)).unwrap_or(0);
            Some((used.saturating_sub(idle), limit))
        };
        let v2 = self
            .v2
            .iter()
            .filter_map(|folder| group(folder, ["memory.max", "memory.current", "inactive_file"]));
        let names = [
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ];
        let v1 = self.memory.iter().filter_map(|folder| group(folder, names));
        v2.chain(v1).min_by_key(|(_, limit)| *limit)
    }
}

fn mount(controllers: &str) -> String {
    format!("/sys/fs/cgroup/{controllers}")
}

/// A group's folder and those above it, under each place where its tree may be mounted. Where a container sees its own
/// group as the root of the tree, the path leads nowhere and the root remains.
fn folders(mounts: &[&str], path: &str) -> Vec<String> {
    let mut above: Vec<&str> = vec![""];
    let path = path.trim_end_matches('/');
    // A group outside of what can be seen is written with `..`: there is nothing to find by it.
    if path.starts_with('/') && !path.split('/').any(|part| part == "..") {
        let ends = path.match_indices('/').map(|(index, _)| index).skip(1);
        let ends: Vec<_> = ends.chain([path.len()]).collect();
        let deepest = &ends[..ends.len().min(DEEPEST)];
        above.extend(deepest.iter().map(|end| &path[..*end]));
    }
    let mut found: Vec<String> = Vec::new();
    for mount in mounts {
        for group in above.iter().rev() {
            let folder = format!("{mount}{group}");
            if !found.contains(&folder) {
                found.push(folder);
            }
        }
    }
    found
}

/// From `cpu.max`, `quota period` or `max period`: the quota in CPUs.
pub fn cpu_max(text: &str) -> Option<f64> {
    let mut words = text.split_ascii_whitespace();
    let quota = words.next()?;
    cfs_quota(quota, words.next().unwrap_or("100000"))
}

/// From `cpu.cfs_quota_us` and `cpu.cfs_period_us`: the quota in CPUs; -1 is none.
pub fn cfs_quota(quota: &str, period: &str) -> Option<f64> {
    let quota: u32 = quota.trim().parse().ok().filter(|quota| *quota > 0)?;
    let period: u32 = period.trim().parse().ok().filter(|period| *period > 0)?;
    Some(f64::from(quota) / f64::from(period))
}

/// From `memory.max` or `memory.limit_in_bytes`: the limit in bytes.
pub fn memory_limit(text: &str) -> Option<u64> {
    let limit: u64 = text.trim().parse().ok()?;
    (limit > 0 && limit < UNLIMITED_V1).then_some(limit)
}

/// A number in a file of lines `name number`.
pub fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (found, number) = line.split_once(' ')?;
        (found == name).then(|| number.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests;
