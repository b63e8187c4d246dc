//! The fields of a JSON object, taken one by one.
//!
//! A derived reader would say where a record breaks, but not keep what it does not know as it was written. Here each field
//! is read on its own, so that an error has its name, and what is left over is passed on as text.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::Fault;

/// No sound record is larger than this, in bytes.
const MAX_RECORD: usize = 128 << 10;

pub(super) struct Fields {
    /// What stands before a field's name in an error: `nodes[0].`
    within: String,
    left: BTreeMap<String, Box<RawValue>>,
}

impl Fields {
    /// Of a whole record.
    pub(super) fn of_record(value: &[u8]) -> Result<Self, Fault> {
        check_size(value.len())?;
        let left = serde_json::from_slice(value).map_err(|error| Fault::invalid("record", error))?;
        let within = String::new();
        Ok(Self { within, left })
    }

    /// Of an object inside a record.
    pub(super) fn within(place: &str, value: &RawValue) -> Result<Self, Fault> {
        let left = serde_json::from_str(value.get()).map_err(|error| Fault::invalid(place, error))?;
        let within = format!("{place}.");
        Ok(Self { within, left })
    }

    /// Takes a field; `None` if it is not there or `null`.
    pub(super) fn take<T: DeserializeOwned>(&mut self, field: &str) -> Result<Option<T>, Fault> {
        let Some(value) = self.left.remove(field) else {
            return Ok(None);
        };
        serde_json::from_str(value.get())
            .map_err(|error| Fault::invalid(&format!("{}{field}", self.within), error))
    }

    /// Takes a field that must be there.
    pub(super) fn require<T: DeserializeOwned>(&mut self, field: &str) -> Result<T, Fault> {
        self.take(field)?
            .ok_or_else(|| Fault::invalid(&format!("{}{field}", self.within), "is missing"))
    }

    /// What was not taken, as JSON, each name with what is said to stand before it.
    pub(super) fn left(self, before: &str) -> impl Iterator<Item = (String, String)> {
        let text = |value: Box<RawValue>| value.get().to_owned();
        self.left
            .into_iter()
            .map(move |(field, value)| (format!("{before}{field}"), text(value)))
    }
}

fn check_size(bytes: usize) -> Result<(), Fault> {
    if bytes > MAX_RECORD {
        let problem = format!("{bytes} bytes; at most {MAX_RECORD} are accepted");
        return Err(Fault::invalid("record", problem));
    }
    Ok(())
}

/// Writes JSON as Go does: `<`, `>`, `&` and two line separators are escaped, so that the same record has the same bytes. Refuses
/// what would be too much to be read.
pub(super) fn to_json(record: &impl serde::Serialize) -> Result<Vec<u8>, Fault> {
    let text = serde_json::to_string(record).map_err(|error| Fault::invalid("record", error))?;
    let is_escaped = |c| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
    let record = escaped(text, is_escaped);
    check_size(record.len())?;
    Ok(record.into_bytes())
}

/// Escapes characters of JSON that stand inside strings only.
pub(crate) fn escaped(json: String, is_escaped: impl Fn(char) -> bool) -> String {
    if !json.contains(&is_escaped) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 32);
    for c in json.chars() {
        if is_escaped(c) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A field that was kept as JSON; one that is none (any more) is left out.
pub(super) fn raw(json: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(json.to_owned()).ok()
}
