//! Instances from a file that may change while it is read.
//!
//! ```yaml
//! version: 1              # YAML, or JSON, which is a part of it
//! services:
//!   shop.v1.Inventory:
//!     - { id: a1, endpoints: ["grpc://10.0.0.1:50051"], weight: 10, zone: a, lane: red, groups: [vip], version: v1,
//!         metadata: {k: v}, state: up }
//! ```
//!
//! The form of an instance is that of [`record::plain`](crate::record::plain). `file:///etc/rpc/services.yaml?name=shop`
//! reads the instances of `shop`.
//!
//! # Changes
//! The file is looked at twice a second, and read when its time, length or inode has changed. Notifications of the kernel
//! were rejected: they miss network file systems, and each way to replace a file (rename, a swapped link of a mounted
//! directory, writing in place) wants its own care, while looking costs a few microseconds. A file that is bad, empty, cut
//! off or gone changes nothing: it is told as stale, with the name of the field, and the last good list stays. A single bad
//! record hides only itself.
//!
//! What a file does not name was taken out by somebody: nothing is held back, as it is elsewhere.
//!
//! # Writing
//! Providers can announce themselves in a file, which is meant for one host: the file is read, changed and replaced by
//! rename, under a lock (`.lock` beside it, which whoever may read it can take). What is renamed has a name that is drawn, and
//! goes where that fails; only a crash leaves it there. The file is written as JSON, and only if it can be read again: comments
//! are lost; its mode stays, its
//! owner and group as far as the writer may set them, and a link to it. Several users need a folder that all of them may write to, and a
//! mode with which they may read the file. One that is not there is made; one that
//! makes no sense is left as it is, and tried again, until somebody has mended it. There are no leases: who ends without
//! withdrawing stays in it. A record with another time of start than one's own was announced by somebody else, and is neither
//! amended nor taken out; with a later one, it is not announced over either.

mod announce;
pub(crate) mod document;
mod watch;

use std::{path::PathBuf, sync::Arc};

use rpc_core::BuildError;

use self::{announce::FileRegistry, watch::FileResolver};
use crate::{Filter, Place, Resolver, Scheme, Target};

/// `file:///etc/rpc/services.yaml?name=shop`: the instances of a service in a YAML or JSON file.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileScheme;

impl Scheme for FileScheme {
    fn name(&self) -> &'static str {
        "file"
    }

    fn resolver(&self, target: &Target) -> Result<Arc<dyn Resolver>, BuildError> {
        let (path, name) = parts(target)?;
        Ok(Arc::new(FileResolver { path, name }))
    }

    fn registry(&self, target: &Target) -> Result<Place, BuildError> {
        let (path, name) = parts(target)?;
        Ok(Place::new(Arc::new(FileRegistry { path }), name))
    }
}

fn parts(target: &Target) -> Result<(PathBuf, String), BuildError> {
    let known = [&["name"], &Filter::OPTIONS[..]].concat();
    target.only_options(&known)?;
    let example = "write `file:///etc/rpc/services.yaml?name=shop`";
    if !target.authority().is_empty() {
        return Err(target.error(format!("a file has no host: {example}, with three `/`")));
    }
    if target.name().is_empty() {
        return Err(target.error(format!("no path: {example}")));
    }
    match target.option("name") {
        None | Some("") => Err(target.error(format!("no option `name`: {example}"))),
        Some(name) => Ok((target.path().into(), name.to_owned())),
    }
}
