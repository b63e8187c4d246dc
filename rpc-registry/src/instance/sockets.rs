//! Which files an instance's unix sockets are.

use std::path::Path;

use rpc_core::net::Address;

use super::Instance;

impl Instance {
    /// The key in the metadata by which an instance says on which host its unix sockets are. The value is an opaque text
    /// that is the same for all processes of a host.
    pub const HOST: &'static str = "rpc.host";

    /// The key in the metadata by which an instance says which files its unix sockets are, as opaque texts with commas. One path is
    /// another file in each container of a host.
    pub const SOCKETS: &'static str = "rpc.sockets";

    /// Says in the metadata which files its unix sockets are, by what is there now.
    pub fn identify_sockets(&mut self) {
        let files = self.addresses.iter().filter_map(|at| match &at.address {
            Address::Unix(path) => identity(path),
            _ => None,
        });
        let mut files: Vec<_> = files.collect();
        // One file for each protocol that is spoken there.
        files.dedup();
        if !files.is_empty() {
            self.metadata.insert(Self::SOCKETS.to_owned(), files.join(","));
        }
    }

    /// True if the file is one of its unix sockets, as its record says; one whose record says nothing of files has none.
    pub fn owns_socket(&self, path: &Path) -> bool {
        let Some(files) = self.metadata.get(Self::SOCKETS) else {
            return false;
        };
        identity(path).is_some_and(|file| files.split(',').any(|own| own == file))
    }
}

/// What no other file of this host has as long as this one is there.
#[cfg(unix)]
fn identity(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let file = std::fs::metadata(path).ok()?;
    Some(format!("{}:{}", file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Option<String> {
    None
}
