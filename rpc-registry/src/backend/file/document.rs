//! What is in the file.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Fault, FaultKind, Instance, Record,
    record::{
        escaped,
        plain::{self, Plain},
    },
};

const VERSION: u32 = 1;
/// What is larger is not read.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// All services of a file. Records are kept as they are: a bad one is nobody else's affair.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    version: u32,
    services: BTreeMap<String, Vec<Value>>,
}

impl Document {
    pub(crate) fn empty() -> Self {
        Self {
            version: VERSION,
            services: BTreeMap::new(),
        }
    }

    /// Reads a file. Blocks.
    pub(crate) fn read(path: &Path) -> Result<Self, Fault> {
        let fault = |error: io::Error| {
            let kind = match error.kind() {
                io::ErrorKind::PermissionDenied => FaultKind::Denied,
                _ => FaultKind::Transient,
            };
            Fault::new(kind, format!("`{}`: {error}", path.display())).with_source(error)
        };
        let length = fs::metadata(path).map_err(fault)?.len();
        if length > MAX_BYTES as u64 {
            return Err(Fault::invalid(&path.display().to_string(), too_long(length)));
        }
        let text = fs::read_to_string(path).map_err(fault)?;
        Self::parse(&text).map_err(|problem| Fault::invalid(&path.display().to_string(), problem))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("it is empty; `version` and `services` are wanted".to_owned());
        }
        let options = serde_saphyr::options! {
            // Whatever fits in a file; no key of metadata is longer, also where all of it is escaped.
            budget: serde_saphyr::budget! {
                max_nodes: MAX_BYTES,
                max_events: MAX_BYTES,
                simple_key_max_lookahead: 512 * 1024,
            },
        };
        let document: Self =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())?;
        if document.version != VERSION {
            let found = document.version;
            return Err(format!(
                "`version`: {found} is not known here; {VERSION} is accepted"
            ));
        }
        Ok(document)
    }

    /// The services in it.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(String::as_str)
    }

    /// The records of a service.
    pub(crate) fn records(&self, name: &str) -> Vec<Record> {
        let values = self.services.get(name).map_or(&[][..], Vec::as_slice);
        values
            .iter()
            .enumerate()
            .map(|(n, value)| {
                let id = value.get("id").and_then(Value::as_str);
                let place = id.map_or_else(|| format!("#{n}"), ToOwned::to_owned);
                plain::read(value, &place)
            })
            .collect()
    }

    /// The document as JSON that is YAML as well.
    ///
    /// # Errors
    /// If nobody could read it again, for its length for instance.
    pub(crate) fn to_text(&self) -> Result<String, Fault> {
        let json = serde_json::to_string_pretty(self)
            .map_err(|error| Fault::invalid("record", "cannot be written").with_source(error))?;
        let text = escaped(json, is_foreign_to_yaml);
        let read = match text.len() {
            length if length > MAX_BYTES => Err(too_long(length as u64)),
            _ => Self::parse(&text).map(drop),
        };
        let unread = |problem| Fault::invalid("services", format!("could not be read again: {problem}"));
        read.map(|()| text).map_err(unread)
    }

    /// Adds an instance, in place of the one with its id.
    pub(crate) fn put(&mut self, name: &str, instance: &Instance) -> Result<(), Fault> {
        let value = serde_json::to_value(Plain::from(instance))
            .map_err(|error| Fault::invalid("record", "cannot be written").with_source(error))?;
        let values = self.services.entry(name.to_owned()).or_default();
        let id = Value::from(instance.id.as_str());
        match values.iter_mut().find(|known| known.get("id") == Some(&id)) {
            Some(known) => *known = value,
            None => values.push(value),
        }
        Ok(())
    }

    /// Refuses if the record with the id of this instance tells of another start: somebody else announced it.
    pub(crate) fn check_owner(&self, name: &str, instance: &Instance) -> Result<(), Fault> {
        let id = &instance.id;
        let mut records = self.records(name).into_iter().flatten();
        let theirs = records
            .find(|found| found.id == *id)
            .and_then(|found| found.started_at_ms());
        let ours = instance.started_at_ms();
        if theirs.is_none() || theirs == ours {
            Ok(())
        } else if theirs > ours {
            let text = format!("`{id}` was announced anew by somebody else, who started later");
            Err(Fault::superseded(text))
        } else {
            Err(Fault::lost(format!("`{id}` was announced by somebody else")))
        }
    }

    /// True if it was there.
    pub(crate) fn remove(&mut self, name: &str, id: &str) -> bool {
        let Some(values) = self.services.get_mut(name) else {
            return false;
        };
        let before = values.len();
        values.retain(|known| known.get("id").and_then(Value::as_str) != Some(id));
        before != values.len()
    }
}

fn too_long(length: u64) -> String {
    format!("{length} bytes; at most {MAX_BYTES} are read")
}

/// True for what may stand in the texts of JSON as it is, and what YAML does not allow there, or takes for the end of a line.
fn is_foreign_to_yaml(c: char) -> bool {
    matches!(
        c,
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_name_the_field() {
        for (text, expected) in [
            ("", "empty"),
            ("version: 1", "services"),
            ("services: {}", "version"),
            ("version: 2\nservices: {}", "`version`: 2"),
            ("version: 1\nservices: {}\nservice: {}", "service"),
            ("version: one\nservices: {}", "version"),
            ("version: 1\nservices: {shop: 7}", "shop"),
            ("version: 1\nservices: {shop: [", ""),
            ("[1, 2", ""),
        ] {
            let problem = Document::parse(text).expect_err(text);
            assert!(problem.contains(expected), "`{text}`: {problem}");
        }
    }

    #[test]
    fn as_much_is_read_as_fits_in_a_file() {
        let text = format!("version: 1\nservices: {{shop: [{}]}}", "0,".repeat(250_001));
        let document = Document::parse(&text).unwrap();
        assert_eq!(document.services["shop"].len(), 250_001);
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let mut document = Document::empty();
        let deep = (0..100).fold(Value::Null, |inner, _| Value::from(vec![inner]));
        document.services.insert("shop".to_owned(), vec![deep]);
        let fault = document.to_text().expect_err("nobody reads it");
        assert_eq!(fault.kind(), FaultKind::Invalid);
        assert!(fault.to_string().contains("`services`"), "{fault}");
    }

    #[test]
    fn a_bad_record_is_refused_by_field_and_hides_no_good_one() {
        let text = "
version: 1
services:
  shop:
    - { id: good, endpoints: ['grpc://10.0.0.1:1'], weight: 7, groups: [vip], state: disabled }
    - { id: colour, endpoints: ['grpc://10.0.0.1:1'], weight: red }
    - { id: typo, endpoints: ['grpc://10.0.0.1:1'], wieght: 7 }
    - { id: port, endpoints: ['grpc://10.0.0.1:0'] }
    - { id: lane, endpoints: ['grpc://10.0.0.1:1'], lane: 'a b' }
    - { id: state, endpoints: ['grpc://10.0.0.1:1'], state: on }
    - { endpoints: ['grpc://10.0.0.1:1'] }
    - 7
";
        let records = Document::parse(text).unwrap().records("shop");
        let good = records[0].as_ref().unwrap();
        assert_eq!(
            (good.id.as_str(), good.weight, &*good.groups[0]),
            ("good", 7, "vip")
        );
        for (record, (id, field)) in records[1..].iter().zip([
            ("colour", "weight"),
            ("typo", "wieght"),
            ("port", "endpoints"),
            ("lane", "lane"),
            ("state", "state"),
            ("#6", "id"),
            ("#7", "record"),
        ]) {
            let bad = record.as_ref().expect_err(id);
            assert_eq!(bad.id.as_str(), id);
            assert!(bad.fault.to_string().contains(field), "{id}: {}", bad.fault);
        }
        assert!(Document::parse(text).unwrap().records("other").is_empty());
    }
}
