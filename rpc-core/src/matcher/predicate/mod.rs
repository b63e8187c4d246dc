//! What is asked of a value.

mod ask;
mod check;

use std::net::IpAddr;

use ipnet::IpNet;

use super::{MatchError, hash64, pattern::Pattern, scalar::Scalar};
use crate::{message::FieldValue, net::Address};

/// A percentage is counted in these.
const MILLION: u32 = 1_000_000;

/// What is asked of one value: of a part of a call, of a label, a version, an address.
///
/// | in a document | holds for |
/// | --- | --- |
/// | `equals = "gold"` | this text, number or truth value; as a shorthand the value alone |
/// | `in = ["gold", 7]` | one of these |
/// | `range = { min = 1, max = 9.5 }` | numbers, and text that is one, from `min` to `max`; both belong to it, one may be missing |
/// | `prefix = "eu-"`, `prefix = ["eu-", "us-"]` | text that begins so |
/// | `regex = "v[12]\\..*"` | text that fits as a whole |
/// | `cidr = ["10.0.0.0/8", "::1"]` | addresses in one of the networks, and text that is one |
/// | `hash = { modulo = 10, in = [0, 1] }` | values whose [`hash64`] leaves one of these rests |
/// | `percent = 2.5` | that share of all values, by their [`hash64`]: a larger share has the smaller one in it |
/// | `exists = false` | nothing: there is no value |
/// | `not = true` | beside one of the others: what that one does not hold for, also if there is no value |
/// | `salt = "spring"` | beside `hash` and `percent`: another choice of the same size |
///
/// Where there is no value, none holds but `exists = false` and what has `not`. The hash is that of the value's text, so the
/// number 42 in a field and the text `42` in a header belong together.
///
/// ```
/// use rpc_core::matcher::Predicate;
///
/// let zones = Predicate::one_of(["eu-1", "eu-2"]);
/// assert!(zones.test("eu-2"));
/// assert!(!zones.negated().test("eu-2"));
///
/// let predicate: Predicate = serde_json::from_str(r#"{"range": {"min": 18}}"#)?;
/// assert!(predicate.test(21) && predicate.test("21") && !predicate.test("old"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Predicate {
    pub(super) test: Test,
    pub(super) negated: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Equals(Scalar),
    In(Vec<Scalar>),
    Range(Option<Scalar>, Option<Scalar>),
    Prefix(Vec<Box<str>>),
    Regex(Pattern),
    Cidr(Vec<IpNet>),
    Hash {
        modulo: u64,
        rests: Vec<u64>,
        salt: Salt,
    },
    Percent {
        millionths: u32,
        salt: Salt,
    },
    Exists(bool),
}

/// What makes one choice by hash another than the next one. Without text the seed is 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Salt {
    pub(super) text: Box<str>,
    seed: u64,
}

impl Salt {
    pub(super) fn new(text: &str) -> Self {
        Self {
            seed: if text.is_empty() {
                0
            } else {
                hash64(text.as_bytes(), 0)
            },
            text: text.into(),
        }
    }
}

impl Predicate {
    pub(super) fn of(test: Test) -> Self {
        Self { test, negated: false }
    }

    /// This text, number or truth value.
    pub fn equals(value: impl Into<Scalar>) -> Self {
        Self::of(Test::Equals(value.into()))
    }

    /// One of these.
    pub fn one_of<S: Into<Scalar>>(values: impl IntoIterator<Item = S>) -> Self {
        Self::of(Test::In(values.into_iter().map(Into::into).collect()))
    }

    /// Numbers of at least this.
    pub fn at_least(min: impl Into<Scalar>) -> Self {
        Self::of(Test::Range(Some(min.into()), None))
    }

    /// Numbers of at most this.
    pub fn at_most(max: impl Into<Scalar>) -> Self {
        Self::of(Test::Range(None, Some(max.into())))
    }

    /// Numbers from `min` to `max`, which both belong to it.
    pub fn between(min: impl Into<Scalar>, max: impl Into<Scalar>) -> Self {
        Self::of(Test::Range(Some(min.into()), Some(max.into())))
    }

    /// Text that begins so.
    pub fn prefix(prefix: &str) -> Self {
        Self::of(Test::Prefix(vec![prefix.into()]))
    }

    /// Text that fits an expression as a whole. Values of more than 8 KiB never fit.
    ///
    /// # Errors
    /// If it is not an expression of the [`regex`](https://docs.rs/regex) crate, has more than 512 bytes, or takes more than
    /// 256 KiB once compiled.
    pub fn regex(expression: &str) -> Result<Self, MatchError> {
        Pattern::new(expression).map(Test::Regex).map(Self::of)
    }

    /// Addresses in one of these networks: `10.0.0.0/8`, `::1`.
    ///
    /// # Errors
    /// If one is neither a network nor an address.
    pub fn cidr<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, MatchError> {
        let networks = networks.into_iter().enumerate();
        let networks = networks.map(|(at, text)| network(text).ok_or_else(|| not_a_network(at, text)));
        networks.collect::<Result<_, _>>().map(Test::Cidr).map(Self::of)
    }

    /// Values whose [`hash64`] divided by `modulo` leaves one of these rests.
    ///
    /// # Errors
    /// If `modulo` is zero, or a rest is not below it.
    pub fn hash(modulo: u64, rests: impl IntoIterator<Item = u64>) -> Result<Self, MatchError> {
        let rests: Vec<_> = rests.into_iter().collect();
        if modulo == 0 {
            return Err(MatchError::new("hash.modulo", "it is 0: write 1 or more"));
        }
        if let Some(at) = rests.iter().position(|rest| *rest >= modulo) {
            let field = format!("hash.in[{at}]");
            return Err(MatchError::new(
                &field,
                format!("a rest is below `modulo`: write 0 to {}", modulo - 1),
            ));
        }
        Ok(Self::of(Test::Hash {
            modulo,
            rests,
            salt: Salt::default(),
        }))
    }

    /// That share of all values, in percent, with four digits after the point.
    ///
    /// # Errors
    /// If it is not between 0 and 100.
    pub fn percent(percent: f64) -> Result<Self, MatchError> {
        if !(0.0..=100.0).contains(&percent) {
            return Err(MatchError::new("percent", "write a number from 0 to 100"));
        }
        #[allow(clippy::cast_sign_loss, reason = "it was checked")]
        let millionths = (percent * f64::from(MILLION / 100)).round() as u32;
        Ok(Self::of(Test::Percent {
            millionths,
            salt: Salt::default(),
        }))
    }

    /// Anything that is there.
    pub fn exists() -> Self {
        Self::of(Test::Exists(true))
    }

    /// What this does not hold for.
    pub fn negated(mut self) -> Self {
        self.negated = !self.negated;
        self
    }

    /// Makes another choice of the same size by [`hash`](Self::hash) and [`percent`](Self::percent). Two predicates without
    /// salt choose the same values, which is what makes a value stay where it is when a share grows.
    pub fn salted(mut self, text: &str) -> Self {
        if let Test::Hash { salt, .. } | Test::Percent { salt, .. } = &mut self.test {
            *salt = Salt::new(text);
        }
        self
    }

    /// Whether it holds for a value.
    pub fn test<'v>(&self, value: impl Into<FieldValue<'v>>) -> bool {
        self.plain(value.into()) != self.negated
    }

    /// Whether it holds for a value that may not be there.
    pub fn test_option<'v>(&self, value: Option<impl Into<FieldValue<'v>>>) -> bool {
        match value {
            Some(value) => self.test(value),
            None => self.plain_absent() != self.negated,
        }
    }

    /// Whether it holds for one of several values; one with `not`, whether it holds for all of them. No value at all is as in
    /// [`test_option`](Self::test_option).
    pub fn test_any<'v, V: Into<FieldValue<'v>>>(&self, values: impl IntoIterator<Item = V>) -> bool {
        let mut is_absent = true;
        let is_hit = values.into_iter().any(|value| {
            is_absent = false;
            self.plain(value.into())
        });
        let plain = if is_absent { self.plain_absent() } else { is_hit };
        plain != self.negated
    }

    /// The same as [`test_any`](Self::test_any), for addresses as [`test_address`](Self::test_address) sees them.
    pub fn test_any_address<'a>(&self, addresses: impl IntoIterator<Item = &'a Address>) -> bool {
        let mut is_absent = true;
        let is_hit = addresses.into_iter().any(|address| {
            is_absent = false;
            self.plain_address(address)
        });
        let plain = if is_absent { self.plain_absent() } else { is_hit };
        plain != self.negated
    }

    /// Whether it holds for an address. To everything but `cidr` an address is its text without the port: `10.0.0.1`,
    /// `shop.internal`, the path of a unix socket, the name of a service in this process.
    pub fn test_address(&self, address: &Address) -> bool {
        self.plain_address(address) != self.negated
    }

    /// True if only one value can be decided on: a hash of any of several would hold for more than was asked for.
    pub(super) fn is_by_hash(&self) -> bool {
        matches!(self.test, Test::Hash { .. } | Test::Percent { .. })
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse().ok().map(|ip: IpAddr| IpNet::from(ip)))
}

fn not_a_network(at: usize, text: &str) -> MatchError {
    let shown: String = text.chars().take(64).collect();
    MatchError::new(
        &format!("cidr[{at}]"),
        format!("`{shown}` is not a network: write `10.0.0.0/8` or `10.1.2.3`"),
    )
}
