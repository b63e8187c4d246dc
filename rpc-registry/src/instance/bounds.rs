//! What is too much for a record.

use rpc_core::net::Address;

use super::Instance;
use crate::Fault;

const MAX_ID: usize = 512;
const MAX_ADDRESSES: usize = 16;
const MAX_GROUPS: usize = 64;
const MAX_TEXT: usize = 64 * 1024;
const MAX_WEIGHT: u32 = 1_000_000;

impl Instance {
    /// Refuses what no sound record says, whichever registry it is from: no id or one above 512 bytes, more than 16
    /// addresses or 64 groups, a group without a name, a port of 0, a weight above 1,000,000, more than 64 KiB of metadata.
    ///
    /// # Errors
    /// The first field that is wrong, by name.
    pub fn check(&self) -> Result<(), Fault> {
        let wrong = |field, problem: String| Err(Fault::invalid(field, problem));
        let id = self.id.as_str().len();
        if id == 0 || id > MAX_ID {
            return wrong("id", format!("of {id} bytes; 1 to {MAX_ID} are accepted"));
        }
        if self.addresses.len() > MAX_ADDRESSES {
            let count = self.addresses.len();
            return wrong(
                "endpoints",
                format!("{count} of them; at most {MAX_ADDRESSES} are accepted"),
            );
        }
        for at in &self.addresses {
            let port = match &at.address {
                Address::Socket(socket) => Some(socket.port()),
                Address::Host(_, port) => Some(*port),
                _ => None,
            };
            if port == Some(0) {
                return wrong("endpoints", format!("port 0 of `{at}` cannot be called"));
            }
        }
        if self.weight > MAX_WEIGHT {
            return wrong(
                "weight",
                format!("{}; at most {MAX_WEIGHT} is accepted", self.weight),
            );
        }
        if self.groups.len() > MAX_GROUPS || self.groups.iter().any(|group| group.is_empty()) {
            return wrong(
                "groups",
                format!("at most {MAX_GROUPS}, none of them empty, are accepted"),
            );
        }
        for (field, map) in [("metadata", &self.metadata), ("unknown", &self.unknown)] {
            let bytes: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
            if bytes > MAX_TEXT {
                return wrong(field, format!("{bytes} bytes; at most {MAX_TEXT} are accepted"));
            }
        }
        Ok(())
    }

    /// Refuses as well what one registry or other would not give back as it was written: a group with a `,` in it, since most
    /// layouts of etcd write the groups into one text. An instance that is announced is held to this.
    ///
    /// # Errors
    /// The first field that is wrong, by name.
    pub fn check_written(&self) -> Result<(), Fault> {
        self.check()?;
        match self.groups.iter().find(|group| group.contains(',')) {
            Some(group) => Err(Fault::invalid("groups", format!("`{group}` has a `,` in it"))),
            None => Ok(()),
        }
    }
}
