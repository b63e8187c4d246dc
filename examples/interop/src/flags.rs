//! Command lines of the form `--name value`.

use std::collections::HashMap;

/// The flags that were given, each with its values in order.
#[derive(Debug, Default)]
pub struct Flags(HashMap<String, Vec<String>>);

impl Flags {
    /// Reads the command line; `switches` are flags without a value.
    ///
    /// # Errors
    /// If a flag is not one of `known`, or has no value.
    pub fn parse(known: &[&str], switches: &[&str]) -> Result<Self, String> {
        let mut flags = Self::default();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            let value = if switches.contains(&name.as_str()) {
                String::new()
            } else if known.contains(&name.as_str()) {
                value
                    .or_else(|| arguments.next())
                    .ok_or_else(|| format!("`{name}` wants a value"))?
            } else {
                return Err(format!(
                    "`{name}` is not a flag; there are: {} {}",
                    known.join(" "),
                    switches.join(" ")
                ));
            };
            flags.0.entry(name).or_default().push(value);
        }
        Ok(flags)
    }

    /// The last value of a flag.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).last().map(String::as_str)
    }

    /// All values of a flag.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// True if the flag was given.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}
