//! What the figures were measured on, as far as it can be told.

use std::fs;

/// A sentence for each thing that matters. The report is made where the figures come from.
pub(super) fn describe() -> String {
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unnamed CPU".to_owned());
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{cpus} CPUs ({model}), {} {}, {}, the system's allocator behind a counter; `opt-level = 3`, thin LTO, one \
         codegen unit.",
        std::env::consts::OS,
        kernel.trim(),
        env!("BENCHES_COMPILER"),
    )
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
