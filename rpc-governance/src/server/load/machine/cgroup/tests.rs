use std::collections::HashMap;

use super::{
    super::{CpuTime, Machine, Reading},
    *,
};

const MEBIBYTE: u64 = 1 << 20;
const STAT: &str =
    "cpu  1000 0 500 8000 500 0 0 0 0 0\ncpu0 0 0 0 0\ncpu1 0 0 0 0\ncpu2 0 0 0 0\ncpu3 0 0 0 0\n";
const MEMINFO: &str = "MemTotal:        8388608 kB\nMemFree:          100 kB\nMemAvailable:    2097152 kB\n";

/// A machine of four CPUs and 8 GiB, with these files besides.
fn machine(files: &[(&str, &str)]) -> Machine {
    let mut known: HashMap<String, String> = HashMap::new();
    for (path, text) in [("/proc/stat", STAT), ("/proc/meminfo", MEMINFO)]
        .iter()
        .chain(files)
    {
        known.insert((*path).to_owned(), (*text).to_owned());
    }
    Machine::of(move |path| known.get(path).cloned())
}

fn used(reading: &Reading) -> Duration {
    match reading.cpu {
        Some(CpuTime::Group(used)) => used,
        other => panic!("not of a group: {other:?}"),
    }
}

fn is_about(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-9
}

/// As a pod with limits sees it: its own group is the root.
#[test]
fn version_2_in_a_container() {
    let reading = machine(&[
        ("/proc/self/cgroup", "0::/\n"),
        ("/sys/fs/cgroup/cpu.max", "150000 100000\n"),
        (
            "/sys/fs/cgroup/cpu.stat",
            "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 10\nnr_throttled 2\n",
        ),
        ("/sys/fs/cgroup/memory.max", "536870912\n"),
        ("/sys/fs/cgroup/memory.current", "402653184\n"),
        (
            "/sys/fs/cgroup/memory.stat",
            "anon 1\nfile 2\ninactive_file 134217728\n",
        ),
    ])
    .read();
    assert_eq!(used(&reading), Duration::from_millis(2500));
    assert!(is_about(reading.cores, 1.5));
    assert!(is_about(reading.memory.unwrap(), 0.5), "{reading:?}");
}

/// A service of a slice: the quota is the slice's, and so is what counts as used.
#[test]
fn version_2_with_the_quota_above() {
    let reading = machine(&[
        ("/proc/self/cgroup", "0::/shop.slice/stock.service\n"),
        ("/sys/fs/cgroup/shop.slice/stock.service/cpu.max", "max 100000\n"),
        (
            "/sys/fs/cgroup/shop.slice/stock.service/cpu.stat",
            "usage_usec 1\n",
        ),
        ("/sys/fs/cgroup/shop.slice/cpu.max", "50000 100000\n"),
        ("/sys/fs/cgroup/shop.slice/cpu.stat", "usage_usec 7000000\n"),
        ("/sys/fs/cgroup/shop.slice/stock.service/memory.max", "max\n"),
        ("/sys/fs/cgroup/shop.slice/stock.service/memory.current", "1\n"),
    ])
    .read();
    assert_eq!(used(&reading), Duration::from_secs(7));
    assert!(is_about(reading.cores, 0.5));
    // No limit: the machine's own.
    assert!(is_about(reading.memory.unwrap(), 0.75));
}

/// Docker on an older host: the path is the host's, the tree in the container begins at the group itself.
#[test]
fn version_1_in_a_container() {
    let reading = machine(&[
        (
            "/proc/self/cgroup",
            "12:memory:/docker/4f1a\n5:cpu,cpuacct:/docker/4f1a\n1:name=systemd:/docker/4f1a\n0::/system.slice\n",
        ),
        ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage", "3000000000\n"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n"),
        ("/sys/fs/cgroup/memory/memory.usage_in_bytes", "268435456\n"),
    ])
    .read();
    assert_eq!(used(&reading), Duration::from_secs(3));
    assert!(is_about(reading.cores, 2.0));
    assert!(is_about(reading.memory.unwrap(), 0.25));
}

/// Controllers mounted each on its own, and no limit on any.
#[test]
fn version_1_without_limits_is_the_machine() {
    let reading = machine(&[
        (
            "/proc/self/cgroup",
            "4:memory:/some\n2:cpuacct:/\n1:cpu:/\n0::/\n",
        ),
        ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
        ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ("/sys/fs/cgroup/cpuacct/cpuacct.usage", "3000000000\n"),
        (
            "/sys/fs/cgroup/memory/some/memory.limit_in_bytes",
            "9223372036854771712\n",
        ),
        ("/sys/fs/cgroup/memory/some/memory.usage_in_bytes", "268435456\n"),
    ])
    .read();
    assert_eq!(
        reading.cpu,
        Some(CpuTime::Machine {
            busy: 1500,
            all: 10000
        })
    );
    assert!(is_about(reading.memory.unwrap(), 0.75));
}

/// What is counted is counted for another group than the one that has the quota.
#[test]
fn version_1_with_two_trees_is_the_machine() {
    let reading = machine(&[
        ("/proc/self/cgroup", "2:cpuacct:/\n1:cpu:/shop\n"),
        ("/sys/fs/cgroup/cpu/shop/cpu.cfs_quota_us", "100000\n"),
        ("/sys/fs/cgroup/cpu/shop/cpu.cfs_period_us", "100000\n"),
        ("/sys/fs/cgroup/cpuacct/cpuacct.usage", "3000000000\n"),
    ])
    .read();
    assert_eq!(
        reading.cpu,
        Some(CpuTime::Machine {
            busy: 1500,
            all: 10000
        })
    );
}

#[test]
fn limits_above_the_machine_are_the_machines() {
    let reading = machine(&[
        ("/proc/self/cgroup", "0::/\n"),
        ("/sys/fs/cgroup/cpu.max", "6400000 100000\n"),
        ("/sys/fs/cgroup/cpu.stat", "usage_usec 5\n"),
        ("/sys/fs/cgroup/memory.max", "1099511627776\n"),
        ("/sys/fs/cgroup/memory.current", "1\n"),
    ])
    .read();
    assert!(is_about(reading.cores, 4.0));
    assert!(is_about(reading.memory.unwrap(), 0.75));
}

#[test]
fn a_machine_without_files_has_cpus() {
    let reading = Machine::of(|_| None).read();
    assert_eq!((reading.cpu, reading.memory), (None, None));
    assert!(reading.cores >= 1.0);
}

#[test]
fn use_is_a_difference_over_what_is_allowed() {
    let at = |cpu, cores| Reading {
        cpu: Some(cpu),
        cores,
        memory: None,
    };
    let group = |millis| CpuTime::Group(Duration::from_millis(millis));
    let share = at(group(2500), 2.0).cpu_since(&at(group(1000), 2.0), 1.0);
    assert!(is_about(share.unwrap(), 0.75));
    let ticks = |busy, all| CpuTime::Machine { busy, all };
    let share = at(ticks(150, 1100), 4.0).cpu_since(&at(ticks(100, 1000), 4.0), 1.0);
    assert!(is_about(share.unwrap(), 0.5));
    // What cannot be compared.
    assert_eq!(at(group(1), 1.0).cpu_since(&at(group(2), 1.0), 1.0), None);
    assert_eq!(at(group(2), 1.0).cpu_since(&at(group(1), 1.0), 0.0), None);
    assert_eq!(at(group(2), 1.0).cpu_since(&at(ticks(1, 1), 1.0), 1.0), None);
    assert_eq!(at(ticks(1, 1), 1.0).cpu_since(&at(ticks(1, 1), 1.0), 1.0), None);
}

#[test]
fn the_files_that_are_no_such_files_say_nothing() {
    for text in [
        "",
        "max",
        "max 100000",
        "0 100000",
        "-5 100000",
        "5 0",
        "5 x",
        "99999999999999999999 1",
    ] {
        assert_eq!(cpu_max(text), None, "{text:?}");
    }
    assert!(is_about(cpu_max("50000").unwrap(), 0.5));
    for text in ["", "max", "0", "-1", "9223372036854771712", "x"] {
        assert_eq!(memory_limit(text), None, "{text:?}");
    }
    assert_eq!(memory_limit("1048576\n"), Some(MEBIBYTE));
    for text in ["", "usage_usec", "usage_usec x", "usage_usecs 5"] {
        assert_eq!(field(text, "usage_usec"), None, "{text:?}");
    }
    for text in [
        "",
        "::",
        "0:",
        "0::",
        "1:cpu",
        "x",
        "0::relative",
        "0::/../outside",
    ] {
        let groups = Groups::parse(text);
        assert_eq!(groups.cpu(&|_| None), None, "{text:?}");
        assert!(groups.v2.iter().all(|folder| !folder.contains("..")), "{text:?}");
    }
}

#[test]
fn folders_go_from_the_innermost_to_the_root() {
    assert_eq!(
        folders(&["/m", "/n"], "/a/b"),
        ["/m/a/b", "/m/a", "/m", "/n/a/b", "/n/a", "/n"]
    );
    assert_eq!(folders(&["/m"], "/"), ["/m"]);
    assert_eq!(folders(&["/m", "/m"], "/../x"), ["/m"]);
    let deep = "/d".repeat(1000);
    assert!(folders(&["/m"], &deep).len() <= DEEPEST + 1);
}
