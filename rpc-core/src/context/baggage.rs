//! W3C baggage: names and values that travel over every hop.
//!
//! Values are any text here and percent-coded in the header. What follows a value, its properties, is kept as it came.
//! Reading is lenient, because a hop that drops what it does not understand breaks the two around it: a malformed member
//! is passed over, the others stay. Limits are those that the W3C asks everybody to bear, [`MAX_MEMBERS`](Baggage::MAX_MEMBERS)
//! and [`MAX_BYTES`](Baggage::MAX_BYTES); what comes beyond them is dropped by whole members, as half a value is worse
//! than none.

use std::{error::Error, fmt};

use http::HeaderValue;

/// Names and values that travel over every hop, in order.
///
/// ```
/// use rpc_core::context::Baggage;
///
/// let baggage = Baggage::parse("user=jane%20doe;ttl=5, tenant=acme").with("region", "Québec")?;
/// assert_eq!(baggage.get("user"), Some("jane doe"));
/// assert_eq!(baggage.to_string(), "user=jane%20doe;ttl=5,tenant=acme,region=Qu%C3%A9bec");
/// # Ok::<(), rpc_core::context::InvalidBaggage>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baggage {
    members: Vec<Member>,
    /// Of the header that they make.
    len_bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    name: String,
    value: String,
    properties: String,
}

static NONE: Baggage = Baggage::new();

impl Baggage {
    /// The most members that are kept.
    pub const MAX_MEMBERS: usize = 64;
    /// The most bytes of the header, commas included.
    pub const MAX_BYTES: usize = 8192;

    /// No members.
    pub const fn new() -> Self {
        Self {
            members: Vec::new(),
            len_bytes: 0,
        }
    }

    /// What a `baggage` header says. Malformed members are passed over, and those beyond the limits dropped.
    pub fn parse(header: &str) -> Self {
        let mut baggage = Self::new();
        baggage.read(header.as_bytes());
        baggage
    }

    /// Sets the value of a name, in place of the one that it has. The value may be any text.
    ///
    /// # Errors
    /// If the name is not one of HTTP's tokens (letters, digits, and of ``!#$%&'*+-.^_`|~``), or if the baggage would have
    /// more than [`MAX_MEMBERS`](Self::MAX_MEMBERS) or [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn with(self, name: &str, value: &str) -> Result<Self, InvalidBaggage> {
        self.with_properties(name, value, "")
    }

    /// The same, with properties after it: `ttl=5;secret`.
    ///
    /// # Errors
    /// As [`with`](Self::with), and if the properties are not printable ASCII without `,`, `"` and `\`.
    pub fn with_properties(
        mut self,
        name: &str,
        value: &str,
        properties: &str,
    ) -> Result<Self, InvalidBaggage> {
        let is_legal = |b: u8| matches!(b, 0x20..=0x7e) && !matches!(b, b',' | b'"' | b'\\');
        if !is_token(name) {
            return Err(InvalidBaggage(
                "its name is not a token: write letters, digits, `_`, `.` and `-`",
            ));
        }
        if !properties.bytes().all(is_legal) {
            return Err(InvalidBaggage(
                "its properties are not printable ASCII without `,`, `\"` and `\\`",
            ));
        }
        let properties = properties.trim_matches([' ', ';']);
        let member = Member {
            name: name.into(),
            value: value.into(),
            properties: properties.into(),
        };
        if self.set(member) {
            Ok(self)
        } else {
            Err(InvalidBaggage("there is too much of it"))
        }
    }

    /// Takes a name away.
    pub fn without(mut self, name: &str) -> Self {
        if let Some(at) = self.position(name) {
            let member = self.members.remove(at);
            self.len_bytes -= member.header_len();
        }
        self
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.position(name).map(|at| self.members[at].value.as_str())
    }

    /// The properties that follow the value of a name, as they came: `ttl=5;secret`. Empty if there are none.
    pub fn properties(&self, name: &str) -> Option<&str> {
        self.position(name).map(|at| self.members[at].properties.as_str())
    }

    /// All members, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members
            .iter()
            .map(|member| (member.name.as_str(), member.value.as_str()))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn none() -> &'static Self {
        &NONE
    }

    /// Adds what one more header says. Bytes that are no UTF-8 cost their member no more than themselves.
    pub(super) fn read(&mut self, header: &[u8]) {
        let members = header.split(|&b| b == b',').map(String::from_utf8_lossy);
        for member in members.filter_map(|member| Member::parse(&member)) {
            if self.members.len() >= Self::MAX_MEMBERS {
                return;
            }
            // One that is too long is dropped; a shorter one may still fit.
            self.set(member);
        }
    }

    /// Puts a member in, in place of the one of its name; false if there is no room.
    fn set(&mut self, member: Member) -> bool {
        let at = self.position(&member.name);
        let freed = at.map_or(0, |at| self.members[at].header_len());
        let len_bytes = self.len_bytes - freed + member.header_len();
        let count = self.members.len() + usize::from(at.is_none());
        // The last member has no comma after it.
        if count > Self::MAX_MEMBERS || len_bytes > Self::MAX_BYTES + 1 {
            return false;
        }
        self.len_bytes = len_bytes;
        match at {
            Some(at) => self.members[at] = member,
            None => self.members.push(member),
        }
        true
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|member| member.name == name)
    }
}

/// The value of a `baggage` header.
impl fmt::Display for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, member) in self.members.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{member}")?;
        }
        Ok(())
    }
}

impl Member {
    fn parse(text: &str) -> Option<Self> {
        let (pair, properties) = text.split_once(';').unwrap_or((text, ""));
        let (name, value) = pair.split_once('=')?;
        let name = name.trim_matches([' ', '\t']);
        if !is_token(name) {
            return None;
        }
        // They go on as they came, and only ASCII may.
        let properties = if properties.is_ascii() { properties } else { "" };
        Some(Self {
            name: name.to_owned(),
            value: decode(value.trim_matches([' ', '\t'])),
            properties: properties.trim_matches([' ', '\t', ';']).to_owned(),
        })
    }

    /// In the header, with a comma.
    fn header_len(&self) -> usize {
        let value: usize = self.value.bytes().map(|b| if is_plain(b) { 1 } else { 3 }).sum();
        let properties = if self.properties.is_empty() {
            0
        } else {
            1 + self.properties.len()
        };
        self.name.len() + 1 + value + properties + 1
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.name)?;
        let mut rest = self.value.as_str();
        while let Some(at) = rest.bytes().position(|b| !is_plain(b)) {
            f.write_str(&rest[..at])?;
            let end = at + rest[at..].chars().next().map_or(1, char::len_utf8);
            for byte in &rest.as_bytes()[at..end] {
                write!(f, "%{byte:02X}")?;
            }
            rest = &rest[end..];
        }
        f.write_str(rest)?;
        if !self.properties.is_empty() {
            write!(f, ";{}", self.properties)?;
        }
        Ok(())
    }
}

/// A header with the members only for whose name and value `keep` says yes, each as it came; `None` if those are all. What
/// [`Baggage::read`] would pass over is a member here too, because another reader may be more lenient.
pub(super) fn retained(header: &HeaderValue, keep: impl Fn(&[u8], &[u8]) -> bool) -> Option<HeaderValue> {
    let is_kept = |member: &&[u8]| {
        let pair = member.split(|&b| b == b';').next().unwrap_or_default();
        let (name, value) = match pair.iter().position(|&b| b == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &pair[pair.len()..]),
        };
        keep(name.trim_ascii(), value.trim_ascii())
    };
    let members = || header.as_bytes().split(|&b| b == b',');
    if members().all(|member| is_kept(&member)) {
        return None;
    }
    let kept: Vec<_> = members().filter(is_kept).collect();
    // A part of a legal header is one.
    let mut rest = HeaderValue::from_bytes(kept.join(&b',').trim_ascii())
        .unwrap_or_else(|_| HeaderValue::from_static(""));
    rest.set_sensitive(header.is_sensitive());
    Some(rest)
}

/// A text that baggage cannot carry.
#[derive(Debug, Clone)]
pub struct InvalidBaggage(&'static str);

impl fmt::Display for InvalidBaggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this cannot be baggage: {}", self.0)
    }
}

impl Error for InvalidBaggage {}

/// HTTP's token.
fn is_token(name: &str) -> bool {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(is_legal)
}

/// What stands for itself in a value: W3C's `baggage-octet` but for `%`.
fn is_plain(b: u8) -> bool {
    matches!(b, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e) && b != b'%'
}

/// Takes percent-coding off. A `%` that begins none stands for itself; what is not UTF-8 becomes U+FFFD.
fn decode(text: &str) -> String {
    let hex = |digits: Option<&[u8]>| {
        let digits = std::str::from_utf8(digits?).ok()?;
        let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        is_hex.then(|| u8::from_str_radix(digits, 16).ok())?
    };
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let coded = hex(bytes.get(at + 1..at + 3)).filter(|_| byte == b'%');
        decoded.push(coded.unwrap_or(byte));
        at += if coded.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
