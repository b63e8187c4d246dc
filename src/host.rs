//! Which host this is.

/// What is the same for all processes of this host and for no others; `None` where that is not known.
///
/// On Linux it is the kernel's boot id, which containers of a host share.
pub(crate) fn id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = id.trim();
    (!id.is_empty()).then(|| id.to_owned())
}
