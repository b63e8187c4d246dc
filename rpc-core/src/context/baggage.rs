//! W3C baggage: names and values that travel over every hop.

/// Names and values that travel over every hop, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baggage {
    members: Vec<(String, String)>,
}

static NONE: Baggage = Baggage { members: Vec::new() };

impl Baggage {
    /// No members.
    pub const fn new() -> Self {
        Self { members: Vec::new() }
    }

    pub(super) fn none() -> &'static Self {
        &NONE
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.members.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All members, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}
