//! The path of a field.

use std::{error::Error, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Where a field is in a message: `order.items[0].sku`.
///
/// | part | goes to |
/// | --- | --- |
/// | `region` | the field of that name of a message, the value of that key of a map, what the enum's variant of that name holds |
/// | `"a b.c"` | the same, for names and keys with other characters than letters, digits, `_` and `-`; `\"` and `\\` stand for `"` and `\` |
/// | `[2]` | the third element of a list or tuple |
/// | `[*]` | every element of a list, every value of a map |
///
/// Names are those of the wire: what serde calls a field, so after its `rename`, or what the `.proto` file does. Several plain
/// arguments of a method are fields by the arguments' names. What is optional is looked through.
///
/// ```
/// use rpc_core::message::FieldPath;
///
/// let path: FieldPath = r#"order.labels."eu.west"[*]"#.parse()?;
/// assert_eq!(path.segments().len(), 4);
/// assert_eq!(path.to_string(), r#"order.labels."eu.west"[*]"#);
/// # Ok::<(), rpc_core::message::InvalidFieldPath>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Box<[Segment]>);

/// A part of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A field, key or variant by name.
    Name(Box<str>),
    /// An element by position, from 0.
    Index(u32),
    /// Each element.
    Each,
}

impl FieldPath {
    /// The most bytes that a path may have.
    pub const MAX_LEN: usize = 256;
    /// The most parts that a path may have.
    pub const MAX_SEGMENTS: usize = 16;

    /// Its parts, from the message inwards. There is at least one.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }
}

impl FromStr for FieldPath {
    type Err = InvalidFieldPath;

    fn from_str(text: &str) -> Result<Self, InvalidFieldPath> {
        if text.len() > Self::MAX_LEN {
            return Err(InvalidFieldPath("it is longer than 256 bytes"));
        }
        let mut segments = Vec::new();
        let mut rest = text;
        loop {
            rest = if let Some(inner) = rest.strip_prefix('[') {
                let (index, after) = inner
                    .split_once(']')
                    .ok_or(InvalidFieldPath("a `[` has no `]`"))?;
                segments.push(index_of(index)?);
                after
            } else {
                // The first name has no dot before it.
                let name = match rest.strip_prefix('.') {
                    Some(_) if segments.is_empty() => return Err(InvalidFieldPath("it begins with `.`")),
                    Some(after) => after,
                    None if segments.is_empty() => rest,
                    None => return Err(InvalidFieldPath("after `]` or `\"` comes `.`, `[` or the end")),
                };
                let (name, after) = name_of(name)?;
                segments.push(Segment::Name(name));
                after
            };
            if segments.len() > Self::MAX_SEGMENTS {
                return Err(InvalidFieldPath("it has more than 16 parts"));
            }
            if rest.is_empty() {
                return Ok(Self(segments.into()));
            }
        }
    }
}

fn index_of(text: &str) -> Result<Segment, InvalidFieldPath> {
    if text == "*" {
        return Ok(Segment::Each);
    }
    let is_plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let index = text.parse().ok().filter(|_| is_plain);
    index
        .map(Segment::Index)
        .ok_or(InvalidFieldPath("between `[` and `]` stands a position or `*`"))
}

/// The name at the start of a text, and what follows it.
fn name_of(text: &str) -> Result<(Box<str>, &str), InvalidFieldPath> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.bytes().position(|b| !is_bare(b)).unwrap_or(text.len());
        let (name, after) = text.split_at(end);
        if name.is_empty() {
            return Err(InvalidFieldPath(
                "a name is missing, or needs quotes: letters, digits, `_` and `-` need none",
            ));
        }
        if !after.is_empty() && !after.starts_with(['.', '[']) {
            return Err(InvalidFieldPath(
                "a name with other characters than letters, digits, `_` and `-` needs quotes",
            ));
        }
        return Ok((name.into(), after));
    };
    let mut name = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next() {
            None => return Err(InvalidFieldPath("a `\"` has no other")),
            Some('"') => return Ok((name.into(), chars.as_str())),
            Some('\\') => match chars.next() {
                Some(c @ ('"' | '\\')) => name.push(c),
                _ => return Err(InvalidFieldPath("`\\` stands before `\"` and `\\` only")),
            },
            Some(c) => name.push(c),
        }
    }
}

fn is_bare(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            if index > 0 && matches!(segment, Segment::Name(_)) {
                f.write_str(".")?;
            }
            segment.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Each => f.write_str("[*]"),
            Self::Name(name) if !name.is_empty() && name.bytes().all(is_bare) => f.write_str(name),
            Self::Name(name) => {
                f.write_str("\"")?;
                for c in name.chars() {
                    if matches!(c, '"' | '\\') {
                        f.write_str("\\")?;
                    }
                    write!(f, "{c}")?;
                }
                f.write_str("\"")
            }
        }
    }
}

impl Serialize for FieldPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FieldPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// A text that is no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidFieldPath(&'static str);

impl fmt::Display for InvalidFieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not the path of a field: {}; write `order.items[0].sku`",
            self.0
        )
    }
}

impl Error for InvalidFieldPath {}
